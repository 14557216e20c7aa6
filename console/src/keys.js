// Every key by its id: its state, when it is back, and what can be forced.
import { html, useState } from "./base.js";
import { DisableKey, Release } from "./forms.js";
import { count, moment, percent } from "./format.js";
import { useLive, useNow } from "./live.js";
import { Code, Ends, Loaded, Meter, Status, Table } from "./parts.js";

const known = new Map();
// How much of a limit is in use: what was taken between two answers, by what the vendor was measured to allow.
function inUse(key, limit, now) {
  const name = `${key.vendor} ${key.account} ${limit.provider}`, before = known.get(name);
  if (!before || now - before.at > 60) known.set(name, { at: now, taken: limit.taken, share: null });
  else if (now - before.at >= 4 && limit.taken >= before.taken) {
    const share = limit.per_minute ? 60 * (limit.taken - before.taken) / (now - before.at) / limit.per_minute : null;
    known.set(name, { at: now, taken: limit.taken, share });
  }
  return known.get(name).share;
}

const Limit = ({ of, owner, now }) => {
  const share = inUse(owner, of, now);
  return html`<div class="small">${of.provider}: ${of.per_minute ? `measured ${count(of.per_minute)} a minute` : `${count(of.taken)} calls`}${of.at_work ? `, ${count(of.at_work)} at work` : ""}${of.refused ? `, ${count(of.refused)} refused` : ""}
    ${share != null ? html` · ${percent(Math.min(1, share))} in use<${Meter} value=${share} most=${1} label=${`${percent(Math.min(1, share))} of it in use`} />` : null}</div>`;
};

export function Keys({ vendor, overview }) {
  const found = useLive("keys", 5), now = useNow();
  const [order, setOrder] = useState(null), close = () => setOrder(null);
  const operator = overview.me.role === "operator";
  const act = (key) => !operator ? "" : key.override
    ? html`<button type="button" class="plain" onClick=${() => setOrder({ release: `key:${key.vendor}:${key.key_id}` })}>enable…</button>`
    : html`<button type="button" class="plain" onClick=${() => setOrder({ disable: key })}>disable…</button>`;
  return html`<h1>Keys${vendor ? ` of ${vendor}` : ""}</h1><${Loaded} of=${found}>${({ keys, now: at }) => html`
    <${Table} caption="By vendor; a key is named by the first digits of its SHA-256" empty="no pool is known yet: keys appear within a minute"
      columns=${["Key", "Vendor", "Account", "State", "Where", "Back", "Why", "Limits", ""]}
      rows=${keys.filter((key) => !vendor || key.vendor === vendor).map((key) => ({ key: `${key.vendor} ${key.key_id}`, "data-key": key.key_id, cells: [
        html`<${Code}>${key.key_id}<//>`, key.vendor, key.account === key.key_id ? "its own" : key.account, html`<${Status} value=${key.status} />`,
        key.status === "active" ? "" : key.provider || "everywhere", html`<${Ends} at=${key.until} now=${now} />`,
        key.override ? `${key.override.author}: ${key.override.reason}, until ${moment(key.override.expires_at)}` : key.code || "", key.limits.length ? key.limits.map((each) => html`<${Limit} key=${each.provider} of=${each} owner=${key} now=${at} />`) : "", act(key)] }))} />
    ${order?.disable && html`<${DisableKey} wanted=${order.disable} keys=${keys} me=${overview.me} close=${close} />`}
    ${order?.release && html`<${Release} subject=${order.release} close=${close} />`}`}<//>`;
}
