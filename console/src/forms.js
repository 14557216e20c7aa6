// Orders of an operator: a reason, an end where it holds, and what it will do are there before it can be given.
import { ask, query } from "./api.js";
import { html, useState } from "./base.js";
import { count } from "./format.js";
import { refresh } from "./live.js";
import { Code, Dialog } from "./parts.js";

const TIMES = [[900, "15 minutes"], [3600, "1 hour"], [14400, "4 hours"], [86400, "1 day"], [604800, "7 days"]];

export function Order({ title, close, action, send, children, danger = false, ready = true }) {
  const [failure, setFailure] = useState(null), [busy, setBusy] = useState(false), [reason, setReason] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      if (await send(reason.trim()) !== false) {
        close();
        refresh();
      }
    } catch (error) { setFailure(error.message); }
    setBusy(false);
  };
  return html`<${Dialog} title=${title} close=${close}><form onSubmit=${submit}>
    ${children}
    <label>Reason<input name="reason" required maxlength="300" autofocus value=${reason}
      onInput=${(event) => setReason(event.target.value)} placeholder="for the audit" /></label>
    ${failure && html`<p class="bad" role="alert">${failure}</p>`}
    <div class="ends"><button type="button" class="plain" onClick=${close}>cancel</button>
      <button class=${danger ? "danger" : ""} disabled=${busy || !ready || !reason.trim()}>${action}</button></div>
  </form><//>`;
}

const Times = ({ value, set }) => html`<label>Until it ends by itself<select name="time" value=${value}
  onChange=${(event) => set(Number(event.target.value))}>${TIMES.map(([seconds, name]) =>
    html`<option key=${seconds} value=${seconds}>${name}</option>`)}</select></label>`;

export function ForceProvider({ provider, providers, me, close }) {
  const [force, setForce] = useState("down"), [seconds, setSeconds] = useState(3600);
  const left = providers.filter((each) => each.kind === provider.kind && each.name !== provider.name && each.status !== "down");
  const effect = force === "down"
    ? `No traffic reaches it while another can serve: ${count(left.length)} of ${provider.kind} ${left.length === 1 ? "is" : "are"} not down${left.length ? ` (${left.map((each) => each.name).join(", ")})` : ", so it would still be asked"}.`
    : "Traffic reaches it whatever its figures say; its alerts go on.";
  const body = (reason) => ({ subject: `provider:${provider.name}`, force, reason, expires_in_seconds: seconds });
  return html`<${Order} title=${`Override ${provider.name}`} action=${`force ${force}`} danger=${force === "down"} close=${close}
    send=${(reason) => ask("overrides", { method: "POST", body: body(reason) })}>
    <label>Force<select name="force" value=${force} onChange=${(event) => setForce(event.target.value)}>
      <option value="down">down</option><option value="healthy">healthy</option></select></label>
    <${Times} value=${seconds} set=${setSeconds} />
    <p class="effect">${effect}</p><p class="soft small">by ${me.name}</p><//>`;
}

export function DisableKey({ wanted, keys, me, close }) {
  const [seconds, setSeconds] = useState(3600);
  const others = keys.filter((key) => key.vendor === wanted.vendor && key.key_id !== wanted.key_id);
  const usable = others.filter((key) => key.status === "active").length;
  const body = (reason) => ({ subject: `key:${wanted.vendor}:${wanted.key_id}`, force: "disabled", reason, expires_in_seconds: seconds });
  return html`<${Order} title=${`Disable key ${wanted.key_id} of ${wanted.vendor}`} action="disable" danger close=${close}
    send=${(reason) => ask("overrides", { method: "POST", body: body(reason) })}>
    <${Times} value=${seconds} set=${setSeconds} />
    <p class="effect">It takes no new work and ends what it has. ${usable ? `${count(usable)} of its vendor's other keys ${usable === 1 ? "is" : "are"} active.`
      : "No other key of its vendor is active: its providers would be without one."}</p>
    <p class="soft small">by ${me.name}</p><//>`;
}

export const Release = ({ subject, close }) => html`<${Order} title=${`Take back what is forced on ${subject}`} action="take back" close=${close}
  send=${(reason) => ask(`overrides/${encodeURIComponent(subject)}${query({ reason })}`, { method: "DELETE" })}>
  <p class="effect">From then on the figures decide again.</p><//>`;

export const Cancel = ({ job, close }) => html`<${Order} title=${`Cancel ${job.request_id}`} action="cancel the job" danger close=${close}
  send=${(reason) => ask(`jobs/${encodeURIComponent(job.published)}${query({ tenant: job.tenant, reason })}`, { method: "DELETE" })}>
  <p class="effect">Its end is told by an event. What was bought by then counts.</p><//>`;

export const stay = ({ paid_already: paid }) => paid.length
  ? `${count(paid.length)} stay${paid.length === 1 ? "s" : ""}, since something was or may have been bought` : "nothing has been bought for any";

// Asked twice: what would be moved, then to move it.
export function Redrive({ code, total, close, moved }) {
  const [found, setFound] = useState(null), [renew, setRenew] = useState(true);
  const body = (reason, dry) => ({ code, renew, reason, limit: 100, dry_run: dry });
  const send = async (reason) => {
    const dry = !found;
    const { data } = await ask("dlq/redrive", { method: "POST", body: body(reason, dry) });
    if (dry) { setFound(data); return false; }
    moved(data);
    return true;
  };
  const ready = !found || found.moved.length > 0;
  return html`<${Order} title=${`Redrive ${code}`} close=${close} send=${send} ready=${ready}
    action=${found ? `redrive ${count(found.moved.length)}` : "look what it would move"}>
    <label class="check"><input type="checkbox" name="renew" checked=${renew}
      onChange=${(event) => { setRenew(event.target.checked); setFound(null); }} /> their deadlines begin anew</label>
    <div class="effect" aria-live="polite">${!found ? html`<p>Nothing is changed at first.</p>` : html`
      <p>Would move ${count(found.moved.length)} of ${count(total)}; ${stay(found)}.</p>
      <ul class="ids">${found.moved.slice(0, 12).map((id) => html`<li key=${id}><${Code}>${id}<//></li>`)}
      ${found.moved.length > 12 ? html`<li>and ${count(found.moved.length - 12)} more</li>` : null}</ul>`}</div><//>`;
}
