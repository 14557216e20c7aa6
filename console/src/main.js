// The frame: who is signed in, where the reader is, and what the keys do.
import { session, takeGivenToken } from "./api.js";
import { Audit } from "./audit.js";
import { html, render, useEffect, useRef, useState } from "./base.js";
import { DeadLetters } from "./dead_letters.js";
import { clock, count } from "./format.js";
import { Incidents } from "./incidents.js";
import { JobPage } from "./job.js";
import { Jobs } from "./jobs.js";
import { Keys } from "./keys.js";
import { refresh, useLive } from "./live.js";
import { Money } from "./money.js";
import { Overview } from "./overview.js";
import { Dialog, Link, Waiting, jobPath } from "./parts.js";
import { Provider, Providers } from "./provider.js";

const VIEWS = [["", "overview", "o", "◎"], ["providers", "providers", "p", "▤"], ["keys", "keys", "k", "◆"], ["jobs", "jobs", "j", "☰"],
  ["incidents", "incidents", "i", "!"], ["money", "money", "m", "$"], ["dlq", "dead letters", "d", "✉"], ["audit", "audit", "a", "✎"]];
const HELP = [...VIEWS.map(([, name, key]) => [`g ${key}`, name]), ["/", "a job by its id"], ["j k", "next row, row before"], ["Enter", "open it"], ["Esc", "back"], ["r", "refresh"], ["?", "this"]];
const go = (address) => { location.hash = `/${address}`; };

function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const decoded = path.split("/").map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
  return { view: decoded[0], what: decoded.slice(1).join("/"), filters: Object.fromEntries(new URLSearchParams(query)) };
}

function View({ at, overview }) {
  const { view, what, filters } = at;
  switch (view) {
    case "": return html`<${Overview} overview=${overview} />`;
    case "providers": return what ? html`<${Provider} key=${what} name=${what} overview=${overview} />` : html`<${Providers} overview=${overview} />`;
    case "keys": return html`<${Keys} vendor=${filters.vendor} overview=${overview} />`;
    case "jobs": return what ? html`<${JobPage} key=${what} id=${what} tenant=${filters.tenant} overview=${overview} />` : html`<${Jobs} filters=${filters} overview=${overview} go=${go} />`;
    case "incidents": return html`<${Incidents} id=${what} />`;
    case "money": return html`<${Money} by=${filters.by} go=${go} />`;
    case "dlq": return html`<${DeadLetters} overview=${overview} />`;
    case "audit": return html`<${Audit} />`;
    default: return html`<p class="note">There is no such view. <${Link} to="">overview<//></p>`;
  }
}

function SignIn({ why, begin }) {
  const submit = (event) => { event.preventDefault(); begin(event.target.token.value.trim()); };
  return html`<main class="sign-in"><h1>mediarelay</h1><form onSubmit=${submit}><label>API token
    <input name="token" type="password" autocomplete="off" required autofocus /></label><button>Show</button></form><p role="status" class="soft">${why}</p></main>`;
}

function Search() {
  const submit = (event) => {
    event.preventDefault();
    const wanted = event.target.wanted.value.trim();
    if (wanted) go(jobPath(wanted));
    event.target.wanted.blur();
  };
  return html`<form role="search" onSubmit=${submit}><input id="search" name="wanted" type="search" aria-label="A job by its request id" placeholder="request id  /" /></form>`;
}

function useKeys(help) {
  useEffect(() => {
    let armed = 0, depth = 0;  // Esc goes back within the page, never beyond its first view
    const moved = () => { depth += 1; };
    const pressed = (event) => {
      const { target, key } = event;
      if (document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return;
      if (key === "Escape") { if (target.matches("input, select")) target.blur(); else if (depth > 0) { depth -= 2; history.back(); } return; }
      if (target.matches("input, select, textarea, audio, video")) return;
      const view = Date.now() - armed < 1500 && VIEWS.find((each) => each[2] === key);
      armed = key === "g" ? Date.now() : 0;
      if (view) go(view[0]);
      else if (key === "/") { event.preventDefault(); document.getElementById("search").focus(); }
      else if (key === "r") refresh();
      else if (key === "?") help();
      else if (key === "j" || key === "k") {
        const links = [...document.querySelectorAll("[data-row] a, [data-row] button")];
        const rows = [...document.querySelectorAll("[data-row]")].filter((row) => row.querySelector("a, button"));
        if (!links.length) return;
        const now = rows.indexOf(document.activeElement.closest?.("[data-row]"));
        const next = now < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, now + (key === "j" ? 1 : -1)));
        rows[next].querySelector("a, button").focus();
      }
    };
    addEventListener("keydown", pressed);
    addEventListener("hashchange", moved);
    return () => {
      removeEventListener("keydown", pressed);
      removeEventListener("hashchange", moved);
    };
  }, []);
}

function Frame({ leave }) {
  const found = useLive("overview", 5);
  const [at, setAt] = useState(place()), [help, setHelp] = useState(false), main = useRef(null);
  useKeys(() => setHelp(true));
  useEffect(() => {
    const moved = () => { setAt(place()); scrollTo(0, 0); main.current?.focus({ preventScroll: true }); };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  const overview = found.data, stage = overview?.stage;
  useEffect(() => { document.title = ["mediarelay", stage, at.what || at.view].filter(Boolean).join(" · "); }, [stage, at]);
  const open = (overview?.incidents || []).filter((each) => each.event !== "resolved").length;
  const badge = { incidents: open, dlq: overview?.queue?.dead };
  const stale = overview && found.error;
  const forbidden = found.error?.status === 403;
  return html`<a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); main.current.focus(); }}>to the content</a>
    <header><${Link} to="" class="brand">mediarelay<span class="soft"> ${stage || ""}</span><//>
      <nav aria-label="Views">${VIEWS.filter(([view]) => view !== "audit" || overview?.me.role === "operator").map(([view, name, key, sign]) => html`<${Link} to=${view} key=${view} title=${`g ${key}`} aria-current=${at.view === view ? "page" : null}>
        <span class="sign" aria-hidden="true">${sign}</span><span class="word">${name}</span>${badge[view] ? html` <span class="count">${count(badge[view])}</span>` : null}<//>`)}</nav>
      <${Search} />
      <p class="soft small who">${found.at ? `as of ${clock(found.at)}` : ""}${overview ? ` · ${overview.me.name} (${overview.me.role})` : ""}
        <button type="button" class="plain" onClick=${leave}>leave</button></p></header>
    ${stale && html`<p class="banner warning" role="alert">Not up to date since ${clock(found.at)}: ${found.error.message}${found.again ? `; trying again in ${found.again} s` : ""}.</p>`}
    ${overview?.warnings.map((text) => html`<p class="banner warning" key=${text}>Missing: ${text}.</p>`)}
    <main id="main" ref=${main} tabindex="-1" class=${stale ? "stale" : ""}>${overview ? html`<${View} at=${at} overview=${overview} />`
      : forbidden ? html`<p class="note">A publisher's token has no console; its jobs are at <code>mediarelay job ID</code>.</p>`
      : found.error ? html`<p class="note bad">${found.error.message}${found.again ? `; trying again in ${found.again} s` : ""}</p>` : html`<${Waiting} />`}</main>
    ${help && html`<${Dialog} title="Keys" close=${() => setHelp(false)}><dl class="keys">${HELP.map(([keys, what]) => html`<div key=${keys}><dt><kbd>${keys}</kbd></dt><dd>${what}</dd></div>`)}</dl>
      <p class="ends"><button type="button" onClick=${() => setHelp(false)}>close</button></p><//>`}`;
}

function Console() {
  const [signedIn, setSignedIn] = useState(Boolean(session.token())), [why, setWhy] = useState("");
  const leave = (reason) => { session.end(); setWhy(reason); setSignedIn(false); };
  useEffect(() => {
    const refused = (event) => leave(event.detail);
    addEventListener("signed-out", refused);
    return () => removeEventListener("signed-out", refused);
  }, []);
  const begin = (token) => { session.begin(token); setWhy(""); setSignedIn(true); };
  return signedIn ? html`<${Frame} leave=${() => leave("")} />` : html`<${SignIn} why=${why} begin=${begin} />`;
}

takeGivenToken();
render(html`<${Console} />`, document.getElementById("console"));
