// What people were alerted of, by incident, with what it rested on.
import { html } from "./base.js";
import { about, count, latency, moment, none, percent } from "./format.js";
import { useLive, useNow } from "./live.js";
import { Code, Facts, Link, Loaded, Status, Table } from "./parts.js";

const byIncident = (alerts) => [...Map.groupBy(alerts, (alert) => alert.incident_id).values()];

function Evidence({ of }) {
  const told = [["requests that count", of.samples != null && count(of.samples)], ["success", of.success_rate != null && percent(of.success_rate)],
    ["p50", of.p50_ms != null && latency(of.p50_ms)], ["p95", of.p95_ms != null && latency(of.p95_ms)],
    ["newest fault", of.last_error && `${of.last_error.outcome} ${of.last_error.code || ""} ${of.last_error.status || ""}`],
    ["keys that cool", of.cooling_keys != null && count(of.cooling_keys)], ["keys out of use", of.benched_keys != null && count(of.benched_keys)],
    ["requests that waited", of.queued_requests != null && count(of.queued_requests)],
    ["declared a minute", of.declared_per_minute != null && count(of.declared_per_minute)], ["measured a minute", of.measured_per_minute != null && count(of.measured_per_minute)]];
  return html`<${Facts} of=${told.filter(([, value]) => value)} />`;
}

export function Incidents({ id }) {
  const found = useLive("incidents", 10), now = useNow();
  return html`<h1>Incidents</h1><${Loaded} of=${found}>${({ alerts }) => {
    const incidents = byIncident(alerts);
    const chosen = id && incidents.find((each) => each[0].incident_id === id);
    if (id && !chosen) return html`<p class="note">It is not among the newest fifty alerts. <${Link} to="incidents">all of them<//></p>`;
    if (chosen) return html`<p class="small"><${Link} to="incidents">all of them<//></p>${chosen.map((alert) => html`<article class="card" key=${alert.alert_id}>
      <h2><${Status} value=${alert.event === "resolved" ? "resolved" : alert.severity}>${alert.summary}<//></h2>
      <p class="soft">${alert.event}, ${moment(alert.at)}: ${alert.reason}</p><${Evidence} of=${alert.evidence} />
      ${alert.provider && html`<p><${Link} to=${`providers/${alert.provider}`}>${alert.provider}<//></p>`}
      <p>${alert.what_to_do}</p></article>`)}`;
    return html`<${Table} caption="The newest first" empty="nobody has been alerted of anything" columns=${["What", "Now", "Began", "Lasted", "Alerts"]}
      rows=${incidents.map((each) => { const newest = each[0], over = newest.event === "resolved"; return { key: newest.incident_id, cells: [
        html`<${Link} to=${`incidents/${encodeURIComponent(newest.incident_id)}`}>${newest.summary}<//>`, html`<${Status} value=${over ? "resolved" : newest.severity}>${over ? "resolved" : newest.status}<//>`,
        moment(newest.opened_at), about((over ? newest.at : now) - newest.opened_at), count(each.length)] }; })} />`;
  }}<//>`;
}
