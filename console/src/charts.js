// Bars and lines, by hand, with the figures behind them.
import { html } from "./base.js";
import { clock, count } from "./format.js";
const HEIGHT = 40;

export function Bars({ done, faults, label, wide = false }) {
  if (!done.length) return html`<span class="soft small">nothing in six hours</span>`;
  const most = Math.max(1, ...done.map((value, at) => value + faults[at]));
  const step = 300 / done.length, width = Math.max(1, step - 1.5);
  const tall = (value) => value ? Math.max(1.5, (HEIGHT - 1) * value / most) : 0;
  return html`<svg class=${wide ? "chart wide" : "chart"} viewBox=${`0 0 300 ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label=${label}>
    <rect class="base" x="0" y=${HEIGHT - 1} width="300" height="1" />
    ${done.map((value, at) => html`<rect class="done" key=${`d${at}`} x=${at * step} y=${HEIGHT - 1 - tall(value)} width=${width} height=${tall(value)} />
      <rect class="fault" key=${`f${at}`} x=${at * step} y=${HEIGHT - 1 - tall(value) - tall(faults[at])} width=${width} height=${tall(faults[at])} />`)}
  </svg>`;
}

export function Line({ points, label, unit }) {
  const known = points.filter((point) => point.value != null);
  if (known.length < 2) return html`<p class="soft small">not enough of it yet</p>`;
  const most = Math.max(...known.map((point) => point.value)) || 1;
  const [first, last] = [known[0].at, known[known.length - 1].at];
  const spots = known.map((point) => [300 * (point.at - first) / (last - first), HEIGHT - 2 - (HEIGHT - 4) * point.value / most]);
  const path = spots.map(([x, y], at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
  return html`<figure><figcaption>${label}<span class="soft"> at most ${unit(most)}</span></figcaption>
    <svg class="chart wide" viewBox=${`0 0 300 ${HEIGHT}`} preserveAspectRatio="none" role="img"
      aria-label=${`${label}: between ${clock(first)} and ${clock(last)} at most ${unit(most)}`}>
      <rect class="base" x="0" y=${HEIGHT - 1} width="300" height="1" /><path class="line" d=${path} /></svg></figure>`;
}

export const Figures = ({ caption, columns, rows }) => html`<details class="figures"><summary>figures</summary><div class="table"><table>
  <caption class="unseen">${caption}</caption><thead><tr>${columns.map((name) => html`<th scope="col" key=${name}>${name}</th>`)}</tr></thead>
  <tbody>${rows.map((cells) => html`<tr key=${cells[0]}>${cells.map((cell, at) => at ? html`<td>${cell}</td>` : html`<th scope="row">${cell}</th>`)}</tr>`)}
  </tbody></table></div></details>`;

export const summary = (done, faults) => {
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  return `six hours: ${count(sum(done))} done, ${count(sum(faults))} faults`;
};
