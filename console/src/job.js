// One request, and each job that was made of it: what happened when, what it cost, and the file itself.
import { query } from "./api.js";
import { html, useState } from "./base.js";
import { Cancel } from "./forms.js";
import { clock, count, latency, moment, none, size, span, usd } from "./format.js";
import { useLive } from "./live.js";
import { Code, Copy, Facts, Link, Loaded, Status, Table } from "./parts.js";

const SETTLED = new Set(["succeeded", "failed", "rejected", "expired"]);
const settled = (found) => found?.jobs.every((job) => SETTLED.has(job.status) || job.branches.length > 0);
const onTheWeb = (url) => /^https?:\/\//.test(url);

// Only what a browser shows as media; a publisher's file is never markup of this page.
function Media({ link, renew }) {
  const [renewed, setRenewed] = useState(0), [broken, setBroken] = useState(false);
  // A link lives for an hour: one that fails is asked for again, once, and the file is shown anew.
  const failed = async () => { if (renewed) setBroken(true); else { await renew(); setRenewed(1); } };
  const type = link.content_type, name = `${type}, ${size(link.bytes)}`;
  if (!onTheWeb(link.url)) return null;
  const shown = broken ? html`<p class="soft">This link does not answer any more.</p>`
    : type.startsWith("image/") && type !== "image/svg+xml" ? html`<img key=${renewed} src=${link.url} alt=${`what was made: ${name}`} referrerpolicy="no-referrer" onError=${failed} />`
    : type.startsWith("audio/") ? html`<audio key=${renewed} controls preload="metadata" src=${link.url} aria-label=${name} onError=${failed} />`
    : type.startsWith("video/") ? html`<video key=${renewed} controls preload="metadata" src=${link.url} aria-label=${name} onError=${failed} />` : null;
  return html`<figure class="media">${shown}<figcaption>${name}${link.transcoded_from ? `, made of ${link.transcoded_from}` : ""}
    <span class="soft"> sha256 ${link.sha256.slice(0, 12)}… </span><a href=${link.url} target="_blank" rel="noreferrer noopener">open</a></figcaption></figure>`;
}

// What the record says of the way, in the order of its moments; where a call's start is not known it stands after the one before.
export function steps(job) {
  const found = [{ at: job.received_at, what: "published" }];
  if (job.claimed_at) found.push({ at: job.claimed_at, what: `claimed${job.claims > 1 ? `, ${count(job.claims)} times` : ""}` });
  let after = job.claimed_at || job.received_at;
  for (const attempt of job.attempts) {
    const start = attempt.started_at || after;
    const good = ["delivered", "accepted"].includes(attempt.outcome);
    found.push({ at: start, took: attempt.latency_ms, good, about: !attempt.started_at, provider: attempt.provider, key: attempt.key_id,
      what: `${attempt.outcome}${attempt.status && !good ? ` ${attempt.status}` : ""}${attempt.code ? ` ${attempt.code}` : ""}`, cost: attempt.cost_usd });
    after = start + attempt.latency_ms;
  }
  for (const [at, what, until] of job.history) found.push({ at, what: what === "deferred" ? `put off until ${clock(until / 1000)}` : what });
  if (job.submit?.answered_at) found.push({ at: job.submit.answered_at, what: `${job.submit.provider} has the job` });
  for (const each of job.interruptions) found.push({ at: each.claimed_at, what: `a worker was lost over it${each.adopted ? "; its file was found" : ""}` });
  if (job.cancelled_at) found.push({ at: job.cancelled_at, what: "cancelled" });
  if (job.deferred_until && !job.settled_at) found.push({ at: job.deferred_until, what: "to be tried again" });
  if (job.settled_at) found.push({ at: job.settled_at, what: `settled: ${job.status}` });
  return found.sort((one, other) => one.at - other.at);
}

function Timeline({ job }) {
  const all = steps(job), first = all[0].at;
  const whole = Math.max(1, ...all.map((step) => step.at + (step.took || 0) - first));
  return html`<ol class="timeline">${all.map((step, at) => html`<li key=${at}>
    <span class="when">${at ? `+${span((step.at - first) / 1000)}` : moment(step.at / 1000)}</span>
    <span class="what">${step.provider ? html`<${Link} to=${`providers/${step.provider}`}>${step.provider}<//> <span class="soft">key ${step.key.slice(0, 6)}</span> ` : null}
      <span class=${step.good === false ? "bad" : ""}>${step.what}</span>${step.took != null ? html`<span class="soft"> ${step.about ? "in " : ""}${latency(step.took)}</span>` : null}
      ${step.cost ? html`<span class="soft"> ${usd(step.cost)}</span>` : null}</span>
    <svg class="lane" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true"><rect class="rest" width="100" height="6" />
      <rect class=${step.good === false ? "fault" : "part"} x=${Math.min(99, 100 * (step.at - first) / whole)} width=${Math.max(1, 100 * (step.took || 0) / whole)} height="6" /></svg>
  </li>`)}</ol>`;
}

function Job({ job, operator, renew }) {
  const [order, setOrder] = useState(false);
  const took = job.settled_at ? (job.settled_at - job.received_at) / 1000 : null;
  return html`<article class="job" data-job=${job.request_id}>
    <p class="headline"><${Status} value=${job.status} /> ${[job.kind, job.tenant, job.provider, job.model].filter(Boolean).map((each) => html`<span>· ${each}</span> `)}
      ${took != null ? html`<span>· ${span(took)} </span>` : null}<span>· ${usd(job.cost_usd)} ${job.cost_certain ? "" : html`<span class="warning">not certain</span>`}</span></p>
    ${job.error && html`<p class="banner warning"><${Code}>${job.error.code}<//> ${job.error.message}${job.error.retryable ? " Publishing it again may help." : ""}</p>`}
    ${job.warnings.map((text) => html`<p class="soft" key=${text}>warning: ${text}</p>`)}
    <div class="job-parts"><div class="files">${job.links.map((link) => html`<${Media} key=${link.s3_uri} link=${link} renew=${renew} />`)}
      ${job.outputs.length && !job.links.length ? html`<p class="note">${count(job.outputs.length)} file${job.outputs.length > 1 ? "s" : ""}; a viewer's token is given no links.</p>` : null}</div>
      <${Timeline} job=${job} /></div>
    <${Facts} of=${[["waited", latency(job.queue_ms)], ["served in", latency(job.latency_ms)], job.deferrals ? ["put off", `${count(job.deferrals)} times`] : null,
      job.parts_total ? ["parts", `${count(job.parts_done || 0)} of ${count(job.parts_total)}`] : null, job.voice ? ["voice", `${job.voice}${job.voice_substituted ? ", an equivalent" : ""}`] : null,
      ["deadline", job.expires_at ? moment(job.expires_at) : none], job.cached ? ["answered with", "an identical job's file"] : null,
      job.callback ? ["callback", `${job.callback.state}, ${count(job.callback.tries)} tries`] : null]} />
    ${job.purchases.length ? html`<${Table} caption="Purchases" columns=${["Provider", "Model", "Key", "State", "Cost", "Estimate"]} rows=${job.purchases.map((each, at) => ({ key: at, cells: [
      each.provider, each.model, html`<${Code}>${each.key_id || none}<//>`, each.state.replace("_", " "), each.cost_usd == null ? none : usd(each.cost_usd), usd(each.estimate_usd)] }))} />` : null}
    ${job.request || job.excerpt ? html`<section><h2>Asked</h2><pre>${job.request || `${job.excerpt}…`}</pre></section>` : null}
    ${Object.keys(job.metadata).length ? html`<section><h2>Metadata</h2><pre>${JSON.stringify(job.metadata, null, 2)}</pre></section>` : null}
    <details><summary>raw record</summary><pre>${JSON.stringify({ ...job, links: undefined }, null, 2)}</pre></details>
    <p class="ends left"><${Copy} text=${JSON.stringify({ ...job, links: undefined }, null, 2)}>copy JSON<//>
      ${operator && !SETTLED.has(job.status) && html`<button type="button" class="plain" onClick=${() => setOrder(true)}>cancel…</button>`}</p>
    ${order && html`<${Cancel} job=${{ ...job, published: job.published }} close=${() => setOrder(false)} />`}
  </article>`;
}

export function JobPage({ id, tenant, overview }) {
  const found = useLive(`jobs/${encodeURIComponent(id)}${query({ tenant })}`, 2, settled);
  const operator = overview.me.role === "operator";
  return html`<h1 class="id">${id}</h1><${Loaded} of=${found} missing="There is no job of this request: records are kept for a week, and a tenant's job has its tenant beside the id.">${({ jobs }) =>
    jobs.map((job) => html`<${Job} key=${job.request_id} job=${{ ...job, published: id }} operator=${operator} renew=${found.reload} />`)}<//>`;
}
