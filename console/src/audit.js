// Who changed what, why, and from what to what.
import { html } from "./base.js";
import { moment } from "./format.js";
import { useLive } from "./live.js";
import { Loaded, Table } from "./parts.js";

export const Audit = () => html`<h1>Audit</h1><${Loaded} of=${useLive("audit", 30)}>${({ entries }) => html`<${Table} caption="The newest first; kept for ninety days"
  empty="nothing has been changed through the API" columns=${["When", "Who", "What", "To what", "Why", "From", "To"]} rows=${entries.map((each, at) => ({ key: at, cells: [
    moment(each.at), each.author, each.action, each.subject, each.reason || "", each.before || "", each.after || ""] }))} />`}<//>`;
