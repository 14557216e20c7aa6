// Every key by its id: its state, when it is back, and what can be forced.
import { html, useState } from "./base.js";
import { DisableKey, Release } from "./forms.js";
import { moment } from "./format.js";
import { useLive, useNow } from "./live.js";
import { Code, Ends, Loaded, Status, Table } from "./parts.js";

export function Keys({ vendor, overview }) {
  const found = useLive("keys", 5), now = useNow();
  const [order, setOrder] = useState(null), close = () => setOrder(null);
  const operator = overview.me.role === "operator";
  const act = (key) => !operator ? "" : key.override
    ? html`<button type="button" class="plain" onClick=${() => setOrder({ release: `key:${key.vendor}:${key.key_id}` })}>enable…</button>`
    : html`<button type="button" class="plain" onClick=${() => setOrder({ disable: key })}>disable…</button>`;
  return html`<h1>Keys${vendor ? ` of ${vendor}` : ""}</h1><${Loaded} of=${found}>${({ keys }) => html`
    <${Table} caption="By vendor; a key is named by the first digits of its SHA-256" empty="no pool is known yet: keys appear within a minute"
      columns=${["Key", "Vendor", "Account", "State", "Where", "Back", "Why", ""]}
      rows=${keys.filter((key) => !vendor || key.vendor === vendor).map((key) => ({ key: `${key.vendor} ${key.key_id}`, "data-key": key.key_id, cells: [
        html`<${Code}>${key.key_id}<//>`, key.vendor, key.account === key.key_id ? "its own" : key.account, html`<${Status} value=${key.status} />`,
        key.status === "active" ? "" : key.provider || "everywhere", html`<${Ends} at=${key.until} now=${now} />`,
        key.override ? `${key.override.author}: ${key.override.reason}, until ${moment(key.override.expires_at)}` : key.code || "", act(key)] }))} />
    ${order?.disable && html`<${DisableKey} wanted=${order.disable} keys=${keys} me=${overview.me} close=${close} />`}
    ${order?.release && html`<${Release} subject=${order.release} close=${close} />`}`}<//>`;
}
