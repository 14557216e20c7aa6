// One provider: its figures, its six hours, why it is so, and what can be forced.
import { html, useState } from "./base.js";
import { Bars, Figures, Line, summary } from "./charts.js";
import { about, clock, count, latency, moment, percent, usd } from "./format.js";
import { ForceProvider, Release } from "./forms.js";
import { useLive, useNow } from "./live.js";
import { Code, Facts, Link, Loaded, Status, Table } from "./parts.js";
import { providerRow } from "./overview.js";

const SPAN = 300, SPANS = 72;

export function Providers({ overview }) {
  const now = useNow();
  return html`<h1>Providers</h1><${Table} kind="compact" caption="All providers, in the order they are tried when nothing else decides"
    columns=${["Provider", "Status", "Last six hours", "Five minutes", "p50", "p95", "Cost today"]}
    rows=${overview.providers.map((line) => providerRow(line, now))} />`;
}

// Every span of the six hours, those without an attempt too.
function spans(series, now) {
  const last = Math.floor(now / SPAN) * SPAN, by = new Map(series.map((point) => [point.start, point]));
  return Array.from({ length: SPANS }, (_, at) => by.get(last - (SPANS - at) * SPAN) || { start: last - (SPANS - at) * SPAN, done: 0, faults: 0, throttled: 0 });
}

export function Provider({ name, overview }) {
  const found = useLive(`providers/${encodeURIComponent(name)}/health`, 5);
  const now = useNow(), [order, setOrder] = useState(null), close = () => setOrder(null);
  const line = overview.providers.find((each) => each.name === name);
  const operator = overview.me.role === "operator", subject = `provider:${name}`;
  const forced = (overview.overrides || []).find((each) => each.subject === subject);
  return html`<${Loaded} of=${found} missing="There is no such provider.">${(provider) => {
    const record = provider.record, all = spans(provider.series, now);
    const done = all.map((point) => point.done), faults = all.map((point) => point.faults);
    const error = record?.last_error;
    return html`<h1>${provider.provider} <${Status} value=${provider.effective_status} /></h1>
      <p class="soft">${record ? `${record.reason}, since ${moment(record.since)}` : "Nobody has called it yet."}</p>
      ${forced && html`<p class="banner warning">forced ${forced.force} by ${forced.author}: ${forced.reason}, until ${moment(forced.expires_at)}</p>`}
      ${operator && html`<p class="ends left"><button type="button" class="plain" onClick=${() => setOrder("force")}>override…</button>
        ${forced && html`<button type="button" class="plain" onClick=${() => setOrder("release")}>take back…</button>`}</p>`}
      <${Facts} of=${[["kind", provider.kind], ["keys of", html`<${Link} to=${`keys?vendor=${provider.vendor}`}>${provider.vendor}<//>`],
        ["success, five minutes", record && percent(record.success_rate)], ["requests that count", record && count(record.samples)],
        ["p50", record && latency(record.p50_ms)], ["p95", record && latency(record.p95_ms)], ["429s", record && count(record.throttled)],
        ["cost today", usd(line?.cost_today_usd)],
        record?.circuit.opened_at ? ["circuit", record.circuit.until > now ? `open, next trial in ${about(record.circuit.until - now)}` : "open, one trial at a time"] : null]} />
      <section><h2>Six hours</h2><${Bars} wide done=${done} faults=${faults} label=${`${name}, ${summary(done, faults)}`} />
        <div class="columns"><${Line} label="p95" unit=${latency} points=${provider.series.map((point) => ({ at: point.start, value: point.p95_ms }))} />
        <${Line} label="429s in five minutes" unit=${count} points=${all.map((point) => ({ at: point.start, value: point.throttled }))} /></div>
        <${Figures} caption=${`${name} in spans of five minutes`} columns=${["From", "Done", "Faults", "429s", "p50", "p95"]}
          rows=${[...provider.series].reverse().map((point) => [clock(point.start), count(point.done), count(point.faults), count(point.throttled), latency(point.p50_ms), latency(point.p95_ms)])} />
      </section>
      <div class="columns"><${Table} caption="Calls of five minutes, by outcome" columns=${["Outcome", "Calls"]}
        rows=${Object.entries(record?.counts || {}).map(([outcome, many]) => ({ key: outcome, cells: [outcome, count(many)] }))} />
      <${Table} caption="Faults by model" columns=${["Model", "Requests"]}
        rows=${Object.entries(record?.faults_by_model || {}).map(([model, many]) => ({ key: model, cells: [model || "not known", count(many)] }))} /></div>
      ${error && html`<p class="soft">newest fault: <${Code}>${error.outcome} ${error.code || ""} ${error.status || ""}<//> at ${moment(error.at / 1000)}</p>`}
      ${order === "force" && line && html`<${ForceProvider} provider=${line} providers=${overview.providers} me=${overview.me} close=${close} />`}
      ${order === "release" && html`<${Release} subject=${subject} close=${close} />`}`;
  }}<//>`;
}
