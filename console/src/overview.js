// The first view: what is wrong, what waits, how each provider does.
import { html, useState } from "./base.js";
import { Bars, summary } from "./charts.js";
import { about, clock, count, latency, moment, none, percent, short, subjectOf, usd } from "./format.js";
import { Release } from "./forms.js";
import { useLive, useNow } from "./live.js";
import { Code, Ends, Link, Status, Table, jobPath } from "./parts.js";

const JOBS_SECONDS = 30;

export function Banner({ incidents, now }) {
  const open = (incidents || []).filter((each) => each.event !== "resolved");
  return html`<div class="banners" aria-live="polite">${open.slice(0, 3).map((each) => html`
    <p class=${`banner ${each.severity}`} key=${each.incident_id}><${Status} value=${each.severity}>${each.summary}<//>
      <span class="soft"> for ${about(now - each.opened_at)} </span>
      <${Link} to=${`incidents/${encodeURIComponent(each.incident_id)}`}>evidence<//></p>`)}
    ${open.length > 3 ? html`<p class="banner"><${Link} to="incidents">and ${open.length - 3} more<//></p>` : null}</div>`;
}

const Tile = ({ name, children, note }) => html`<div class="tile"><dt>${name}</dt><dd>${children}</dd>${note ? html`<dd class="soft small">${note}</dd>` : null}</div>`;

export function providerRow(line, now) {
  const since = line.since && ["down", "degraded"].includes(line.status) ? ` ${about(now - line.since)}` : "";
  return { key: line.name, "data-provider": line.name, "data-status": line.status, cells: [
    html`<${Link} to=${`providers/${line.name}`}>${line.name}<//>`,
    html`<${Status} value=${line.status}>${line.status}${since}<//>${line.forced ? html`<span class="forced"> forced</span>` : null}`,
    html`<${Bars} done=${line.done} faults=${line.faults} label=${`${line.name}, ${summary(line.done, line.faults)}`} />`,
    line.samples ? html`${percent(line.success_rate)} <span class="soft">of ${count(line.samples)}</span>` : none,
    latency(line.p50_ms), latency(line.p95_ms), usd(line.cost_today_usd)] };
}

export const jobRow = (job) => ({ key: job.job, "data-status": job.status, cells: [
  html`<${Link} to=${jobPath(job.request_id, job.tenant)}>${job.request_id}<//>`,
  html`<${Status} value=${job.status} />`, job.kind || none, job.provider || none, clock(job.received_at / 1000),
  latency(job.latency_ms), html`${usd(job.cost_usd)}${job.cost_certain === false ? " ?" : ""}`, job.error_code || ""] });
export const JOB_COLUMNS = ["Job", "Status", "Kind", "Provider", "Received", "Took", "Cost", "Why not"];

export function Overview({ overview }) {
  const now = useNow(), [order, setOrder] = useState(null);
  const jobs = useLive("jobs?limit=8", JOBS_SECONDS);
  const { queue, today, keys } = overview, close = () => setOrder(null);
  const active = overview.providers.filter((line) => line.status !== "idle" || line.done.length);
  const idle = overview.providers.filter((line) => !active.includes(line));
  const operator = overview.me.role === "operator";
  return html`<h1 class="unseen">Overview</h1>
    <${Banner} incidents=${overview.incidents} now=${now} />
    <dl class="tiles">
      <${Tile} name="waiting" note=${queue ? `${count(queue.delayed)} delayed` : ""}>${count(queue?.waiting)}<//>
      <${Tile} name="at work">${count(queue?.in_flight)}<//>
      <${Tile} name="done today" note=${today ? `${count(today.failed)} not` : ""}>${count(today?.succeeded)}<//>
      <${Tile} name="cost today" note=${today?.uncertain_usd ? `${usd(today.uncertain_usd)} uncertain` : ""}>${usd(today?.cost_usd)}<//>
      <${Tile} name="dead letters"><${Link} to="dlq">${count(queue?.dead)}<//><//>
    </dl>
    <${Table} kind="compact" caption="Providers" columns=${["Provider", "Status", "Last six hours", "Five minutes", "p50", "p95", "Cost today"]}
      rows=${active.map((line) => providerRow(line, now))} empty="no calls yet: mediarelay say hello" />
    ${idle.length ? html`<p class="soft small idle">idle: ${idle.map((line, at) => html`${at ? ", " : ""}<${Link} to=${`providers/${line.name}`}>${line.name}<//>`)}</p>` : null}
    <div class="columns">
      <section><${Table} kind="compact jobs" caption="Newest jobs" columns=${JOB_COLUMNS.slice(0, 6)} empty="no jobs yet: mediarelay say hello"
        rows=${(jobs.data?.items || []).map((job) => { const row = jobRow(job); return { ...row, cells: row.cells.slice(0, 6) }; })} />
        <p class="small"><${Link} to="jobs">all jobs<//></p></section>
      <section><${Table} caption=${keys ? `Keys: ${Object.entries(keys.counts).map(([status, many]) => `${many} ${status}`).join(", ") || "none yet"}` : "Keys"}
        columns=${["Key", "Vendor", "State", "Back"]} empty="every key is active"
        rows=${(keys?.not_active || []).map((key) => ({ key: `${key.vendor}${key.key_id}`, cells: [html`<${Code}>${short(key.key_id)}<//>`, key.vendor,
          html`<${Status} value=${key.status} />`, html`<${Ends} at=${key.until} now=${now} />`] }))} />
        <p class="small"><${Link} to="keys">all keys<//></p></section>
    </div>
    ${overview.overrides?.length ? html`<${Table} caption="Overrides" columns=${["Subject", "Forced", "By", "Why", "Ends", ""]}
      rows=${overview.overrides.map((each) => ({ key: each.subject, cells: [subjectOf(each.subject), each.force, each.author, each.reason, moment(each.expires_at),
        operator ? html`<button type="button" class="plain" onClick=${() => setOrder(each.subject)}>take back</button>` : ""] }))} />` : null}
    ${order && html`<${Release} subject=${order} close=${close} />`}`;
}
