// What several views are made of.
import { html, useEffect, useRef, useState } from "./base.js";
import { about, none } from "./format.js";

const SIGNS = {
  healthy: "●", degraded: "◐", down: "✕", idle: "○", active: "✓", cooling: "◷", exhausted: "◌", rejected: "✕", disabled: "⊘",
  succeeded: "●", failed: "✕", expired: "◷", running: "▶", polling: "▶", queued: "○", deferred: "◷",
  opened: "✕", changed: "◐", resolved: "●", flapping: "◐", digest: "◐", critical: "✕", warning: "◐", info: "●",
};
export const Status = ({ value, children }) => html`<span class=${`status ${value}`} data-status=${value}>
  <span aria-hidden="true">${SIGNS[value] || "•"}</span> ${children || value}</span>`;

export const Code = ({ children }) => html`<code>${children}</code>`;
export const Link = ({ to, children, ...rest }) => html`<a href=${`#/${to}`} ...${rest}>${children}</a>`;
export const jobPath = (id, tenant) => `jobs/${encodeURIComponent(id)}${tenant ? `?tenant=${encodeURIComponent(tenant)}` : ""}`;

// A real table, which a phone shows as cards: each cell knows its column.
export function Table({ caption, columns, rows, empty = "none", kind = "" }) {
  return html`<div class=${`table ${kind}`}><table>
    <caption>${caption}</caption>
    <thead><tr>${columns.map((name) => html`<th scope="col" key=${name}>${name}</th>`)}</tr></thead>
    <tbody>${rows.length ? rows.map(({ key, cells, ...facts }) => html`<tr key=${key} data-row ...${facts}>
      ${cells.map((cell, at) => at === 0 ? html`<th scope="row" data-label=${columns[at]}><div>${cell}</div></th>`
        : html`<td data-label=${columns[at]} class=${cell === "" ? "blank" : ""}><div>${cell}</div></td>`)}</tr>`)
      : html`<tr><td colspan=${columns.length} class="soft">${empty}</td></tr>`}</tbody>
  </table></div>`;
}

export const Meter = ({ value, most, label }) => {
  const part = most > 0 ? Math.min(1, value / most) : 0;
  return html`<svg class=${`meter ${part >= 1 ? "full" : part > 0.8 ? "high" : ""}`} viewBox="0 0 100 8" preserveAspectRatio="none"
    role="img" aria-label=${label}><rect width="100" height="8" class="rest" /><rect width=${100 * part} height="8" class="part" /></svg>`;
};

export const Facts = ({ of }) => html`<dl class="facts">${of.filter(Boolean).map(([name, value]) => html`
  <div key=${name}><dt>${name}</dt><dd>${value ?? none}</dd></div>`)}</dl>`;

// What a view is while it has nothing: waiting (after a moment, so that nothing jumps), refused, away or empty.
export function Waiting() {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 300);
    return () => clearTimeout(timer);
  }, []);
  return late ? html`<div class="skeleton" role="status"><span class="unseen">loading</span></div>` : html`<div class="skeleton empty" />`;
}
export function Loaded({ of, missing = "There is no such thing.", children }) {
  if (of.data) return children(of.data);
  if (!of.error) return html`<${Waiting} />`;
  if (of.error.status === 403) return html`<p class="note">Your token's role may not see this.</p>`;
  if (of.error.status === 404) return html`<p class="note">${missing}</p>`;
  return html`<p class="note bad">${of.error.message}${of.again ? `; trying again in ${of.again} s` : ""}</p>`;
}

export const Ends = ({ at, now }) => at == null ? none : at > now ? `in ${about(at - now)}` : "now";

export function Dialog({ title, close, children }) {
  const box = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    return () => before?.focus?.();
  }, []);
  return html`<dialog ref=${box} aria-labelledby="dialog-title" onCancel=${(event) => { event.preventDefault(); close(); }}>
    <h2 id="dialog-title">${title}</h2>${children}</dialog>`;
}

export function Copy({ text, children }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setDone(true);
  };
  return html`<button type="button" class="plain" onClick=${copy}>${done ? "copied" : children}</button>`;
}
