// The newest jobs, by filter, page by page.
import { ask, query } from "./api.js";
import { html, useEffect, useState } from "./base.js";
import { useLive } from "./live.js";
import { Loaded, Table } from "./parts.js";
import { JOB_COLUMNS, jobRow } from "./overview.js";

const STATUSES = ["queued", "running", "deferred", "polling", "succeeded", "failed", "rejected", "expired"];
const KINDS = ["tts", "image", "video", "audio"];

const Pick = ({ name, value, of, set }) => html`<label>${name}<select name=${name} value=${value || ""} onChange=${(event) => set(event.target.value)}>
  <option value="">any</option>${of.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select></label>`;

export function Jobs({ filters, overview, go }) {
  const { status, kind, tenant, provider } = filters;
  const path = `jobs${query({ limit: 50, status, kind, tenant, provider })}`;
  const found = useLive(path, 5);
  const [older, setOlder] = useState({ path, items: [], cursor: null });
  useEffect(() => setOlder({ path, items: [], cursor: null }), [path]);
  const set = (name) => (value) => go(`jobs${query({ ...filters, [name]: value })}`);
  const [failure, setFailure] = useState(null);
  const more = async (cursor) => {
    try {
      const { data } = await ask(`${path}&cursor=${encodeURIComponent(cursor)}`);
      setOlder((known) => ({ path, items: [...known.items, ...data.items], cursor: data.next_cursor, ended: !data.has_more }));
      setFailure(null);
    } catch (error) { setFailure(error.message); }
  };
  return html`<h1>Jobs</h1>
    <form class="filters" onSubmit=${(event) => event.preventDefault()}>
      <${Pick} name="status" value=${status} of=${STATUSES} set=${set("status")} />
      <${Pick} name="kind" value=${kind} of=${KINDS} set=${set("kind")} />
      <${Pick} name="provider" value=${provider} of=${overview.providers.map((line) => line.name)} set=${set("provider")} />
      <label>tenant<input name="tenant" value=${tenant || ""} onChange=${(event) => set("tenant")(event.target.value.trim())} /></label>
    </form>
    <${Loaded} of=${found}>${({ items, next_cursor, has_more }) => {
      const fresh = new Set(items.map((job) => job.job));
      const rest = older.path === path ? older.items.filter((job) => !fresh.has(job.job)) : [];
      const cursor = older.path === path && older.items.length ? older.cursor : next_cursor;
      return html`<${Table} kind="compact jobs" caption="Newest first, of a day" columns=${JOB_COLUMNS} rows=${[...items, ...rest].map(jobRow)}
        empty=${status || kind || tenant || provider ? "none of these in a day" : "no jobs yet: mediarelay say hello"} />
      ${failure && html`<p class="bad" role="alert">${failure}</p>`}
      ${has_more && cursor && !older.ended ? html`<p><button type="button" class="plain" onClick=${() => more(cursor)}>older</button></p>` : null}`;
    }}<//>`;
}
