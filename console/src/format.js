// Figures and moments as people read them.
export const none = "–";
const number = (digits) => new Intl.NumberFormat("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });
const whole = number(0), tenth = number(1);

export const count = (value) => value == null ? none : whole.format(value);
export const percent = (rate) => rate == null ? none : `${(rate === 1 || rate === 0 ? whole : tenth).format(rate * 100)} %`;
export const usd = (value) => value == null ? none : `$${number(value && Math.abs(value) < 1 ? 4 : 2).format(value)}`;
export const span = (seconds) => {
  if (seconds == null) return none;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${tenth.format(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} m`;
  return `${Math.floor(seconds / 86400)} d`;
};
export const about = (seconds) => seconds < 60 ? `${Math.max(0, Math.round(seconds))} s` : seconds < 3600
  ? `${Math.round(seconds / 60)} m` : seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
export const latency = (ms) => ms == null ? none : span(ms / 1000);
export const size = (bytes) => bytes < 1024 ? `${bytes} B` : bytes < 1048576
  ? `${Math.ceil(bytes / 1024)} KB` : `${tenth.format(bytes / 1048576)} MB`;
export const clock = (unix) => new Date(unix * 1000).toLocaleTimeString([], { hour12: false });
export const moment = (unix) => new Date(unix * 1000).toLocaleString([], {
  hour12: false, month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const short = (id) => id ? id.slice(0, 6) : none;
export const subjectOf = (subject) => subject.replace(/^(provider|pool|limit|capability|budget):/, "");
