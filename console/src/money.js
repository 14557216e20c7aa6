// What was spent, on what, and what is left; the figures are the ledger's.
import { query } from "./api.js";
import { html, useState } from "./base.js";
import { Bars } from "./charts.js";
import { count, none, usd } from "./format.js";
import { useLive, useNow } from "./live.js";
import { Facts, Loaded, Meter, Table } from "./parts.js";

const DAYS = 30, DAY = 86400000;
const dayOf = (moment) => new Date(moment).toISOString().slice(0, 10);
const MINUTE = 60;

function Budget({ of }) {
  const row = (name, most, left, used) => most == null ? null : html`<p>${name}: ${usd(used)} of ${usd(most)}, ${usd(left)} left
    <${Meter} value=${used} most=${most} label=${`${of.payer}, ${name}: ${usd(used)} of ${usd(most)}`} /></p>`;
  return html`<article class="card" data-payer=${of.payer}><h3>${of.payer}</h3>
    ${row("month", of.month_usd, of.month_left_usd, of.spent_usd + of.reserved_usd)}${row("day", of.day_usd, of.day_left_usd, of.day_used_usd)}
    <${Facts} of=${[["spent", usd(of.spent_usd)], ["reserved", usd(of.reserved_usd)]]} />
    <ul class="plain-list">${of.providers.map((each) => html`<li key=${each.provider}>${each.provider} ${usd(each.spent_usd)}${each.reserved_usd ? `, ${usd(each.reserved_usd)} reserved` : ""}</li>`)}</ul></article>`;
}

function save(usage, by) {
  const quoted = (text) => `"${String(text ?? "").replaceAll('"', '""').replace(/^[=+\-@\t\r]/, "'$&")}"`;
  const lines = usage.totals.map((each) => [quoted(each[by]), each.jobs, each.succeeded, each.cost_usd, each.uncertain_usd].join(","));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([[`${by},jobs,succeeded,cost_usd,uncertain_usd`, ...lines, ""].join("\r\n")], { type: "text/csv" }));
  link.download = `usage-${usage.first}-${usage.last}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}

export function Money({ by = "provider", go }) {
  const now = useNow() * 1000, today = dayOf(now), begin = `${today.slice(0, 8)}01`;
  const days = useLive(`usage${query({ from: dayOf(now - (DAYS - 1) * DAY), to: today, by: "day" })}`, MINUTE);
  const month = useLive(`usage${query({ from: begin, to: today, by })}`, MINUTE);
  const budgets = useLive("budgets", MINUTE);
  return html`<h1>Money</h1>
    <${Loaded} of=${days}>${(usage) => {
      const by = new Map(usage.totals.map((each) => [each.day, each]));
      const all = Array.from({ length: DAYS }, (_, at) => by.get(dayOf(now - (DAYS - 1 - at) * DAY)) || { cost_usd: 0, uncertain_usd: 0 });
      const ofMonth = usage.totals.filter((each) => each.day >= begin);
      const spent = ofMonth.reduce((sum, each) => sum + each.cost_usd, 0), unsure = ofMonth.reduce((sum, each) => sum + each.uncertain_usd, 0);
      const date = new Date(now), length = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
      const elapsed = (now - Date.parse(begin)) / DAY;
      return html`<dl class="tiles"><div class="tile"><dt>today</dt><dd data-figure="today">${usd(all[DAYS - 1].cost_usd)}</dd></div>
        <div class="tile"><dt>this month</dt><dd data-figure="month">${usd(spent)}</dd><dd class="soft small">${unsure ? `${usd(unsure)} uncertain besides` : "nothing uncertain"}</dd></div>
        <div class="tile"><dt>at this pace, by its end</dt><dd>${usd(spent * length / Math.max(elapsed, 0.5))}</dd><dd class="soft small">in proportion</dd></div></dl>
        <section><h2>Thirty days</h2><${Bars} wide done=${all.map((each) => each.cost_usd)} faults=${all.map((each) => each.uncertain_usd)}
          label=${`cost of each of thirty days; today ${usd(all[DAYS - 1].cost_usd)}; uncertain on top`} />
        <details class="figures"><summary>figures</summary><${Table} caption="By day (UTC)" columns=${["Day", "Jobs", "Succeeded", "Cost", "Uncertain"]}
          rows=${[...usage.totals].reverse().map((each) => ({ key: each.day, cells: [each.day, count(each.jobs), count(each.succeeded), usd(each.cost_usd), usd(each.uncertain_usd)] }))} /></details></section>`;
    }}<//>
    <section><h2>This month</h2><p class="tabs" role="group" aria-label="told apart by">${["tenant", "provider", "model"].map((each) => html`<button type="button" key=${each} class="plain"
      aria-pressed=${by === each} onClick=${() => go(`money?by=${each}`)}>${each}</button>`)}</p>
    <${Loaded} of=${month}>${(usage) => html`<${Table} caption=${`By ${by}, from ${usage.first} to ${usage.last} (UTC)`} columns=${[by, "Jobs", "Succeeded", "Cost", "Uncertain"]}
      empty="nothing was settled this month" rows=${[...usage.totals].sort((one, other) => other.cost_usd - one.cost_usd).map((each) => ({ key: each[by], cells: [
        each[by] || none, count(each.jobs), count(each.succeeded), usd(each.cost_usd), each.uncertain ? html`${usd(each.uncertain_usd)} <span class="soft">of ${count(each.uncertain)}</span>` : none] }))} />
      <p><button type="button" class="plain" onClick=${() => save(usage, by)}>save as CSV</button></p>`}<//></section>
    <section><h2>Budgets</h2><${Loaded} of=${budgets}>${({ budgets: all }) => all.length ? html`<div class="cards">${all.map((each) => html`<${Budget} key=${each.payer} of=${each} />`)}</div>`
      : html`<p class="soft">None is set, or nothing was set aside of one this month.</p>`}<//></section>`;
}
