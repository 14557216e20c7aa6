// Requests that could not be served, by the cause, and the way back of those that may be tried again.
import { html, useState } from "./base.js";
import { Redrive, stay } from "./forms.js";
import { about, count } from "./format.js";
import { useLive, useNow } from "./live.js";
import { Code, Loaded, Table } from "./parts.js";

const TO_DO = {
  none: "the function died over it: read its log first",
  invalid_request: "tell the publisher; redriving does not help",
  unknown_kind: "tell the publisher; redriving does not help",
  no_provider: "add keys, then redrive",
};

export function DeadLetters({ overview }) {
  const found = useLive("dlq?limit=100", 0), now = useNow();
  const [order, setOrder] = useState(null), [moved, setMoved] = useState(null);
  const operator = overview.me.role === "operator";
  return html`<h1>Dead letters</h1>
    ${moved && html`<p class="banner info" role="status">${count(moved.moved.length)} moved; ${stay(moved)}.</p>`}
    <${Loaded} of=${found}>${(list) => html`<${Table} caption=${`By their code, of ${count(list.looked_at)} that were looked at${list.at_least ? "; there may be more" : ""}`}
      empty="none: every request was served, or its publisher was told why not" columns=${["Code", "Messages", "Oldest", "What was wrong with it", "What to do", ""]}
      rows=${list.classes.map((each) => ({ key: each.code, "data-code": each.code, cells: [html`<${Code}>${each.code}<//>`, count(each.count), about(now - each.oldest), each.first, TO_DO[each.code] || "mend the cause, then redrive",
        operator ? html`<button type="button" class="plain" onClick=${() => setOrder(each)}>redrive…</button>` : ""] }))} />
      <p class="soft small">A look takes them from the queue for a moment, so that this is not repeated by itself: <button type="button" class="plain" onClick=${found.reload}>look again</button></p>`}<//>
    ${order && html`<${Redrive} code=${order.code} total=${order.count} moved=${setMoved} close=${() => setOrder(null)} />`}`;
}
