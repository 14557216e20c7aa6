// Questions to the API of this page's own origin, with the reader's token.
const KEY = "mediarelay-token";
export const session = {
  token: () => sessionStorage.getItem(KEY),
  begin: (token) => sessionStorage.setItem(KEY, token),
  end: () => sessionStorage.removeItem(KEY),
};

// `mediarelay open` gives the token in the fragment, which reaches no server; nor is it to stay in the address.
export function takeGivenToken() {
  const [address, query = ""] = location.hash.slice(1).split("?");
  const given = new URLSearchParams(address.startsWith("/") ? query : address);
  if (!given.get("token")) return;
  session.begin(given.get("token"));
  history.replaceState(null, "", location.pathname + (address.startsWith("/") ? `#${address}` : ""));
}

export class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export async function ask(path, { method = "GET", body, etag, signal } = {}) {
  const headers = { authorization: `Bearer ${session.token()}` };
  if (body) headers["content-type"] = "application/json";
  if (etag) headers["if-none-match"] = etag;
  const answer = await fetch(`api/v1/${path}`, {
    method, headers, signal, cache: "no-store", body: body && JSON.stringify(body) });
  if (answer.status === 304) return { etag, same: true };
  const text = await answer.text();
  let data = null;
  try { data = text ? JSON.parse(text) : null; } catch { data = null; }
  if (answer.status === 401) {
    dispatchEvent(new CustomEvent("signed-out", { detail: "that token is not known, or has ended" }));
  }
  if (!answer.ok) throw new Refusal(answer.status, data?.code, data?.message || `HTTP ${answer.status}`);
  return { data, etag: answer.headers.get("etag"), same: false };
}

export const query = (values) => {
  const given = Object.entries(values).filter(([, value]) => value != null && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
};
