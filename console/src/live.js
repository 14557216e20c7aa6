// What is shown and kept up to date: the last answer stays while a newer one is awaited, or does not come.
import { ask } from "./api.js";
import { useEffect, useRef, useState } from "./base.js";
const RESTS = [5, 10, 30];
const HIDDEN = 60;

export function useLive(path, seconds, settled = () => false) {
  const [state, setState] = useState({ data: null, error: null, at: null, path: null, again: null });
  const turn = useRef(() => {});
  useEffect(() => {
    if (!path) return undefined;
    const stop = new AbortController();
    let timer = 0, busy = false, failures = 0, known = { data: null, at: null, etag: null };
    const rest = (pause) => {
      clearTimeout(timer);
      timer = pause && !stop.signal.aborted ? setTimeout(turn.current, pause * 1000) : 0;
    };
    turn.current = async () => {
      if (busy || stop.signal.aborted) return;
      busy = true;
      clearTimeout(timer);
      let error = null;
      try {
        const answer = await ask(path, { etag: known.etag, signal: stop.signal });
        known = { data: answer.same ? known.data : answer.data, etag: answer.etag, at: Date.now() / 1000 };
        failures = 0;
      } catch (caught) {
        error = caught;
        failures += 1;
      }
      busy = false;
      if (stop.signal.aborted) return;
      const lost = error && [401, 403, 404].includes(error.status);
      const pause = lost ? 0 : error ? RESTS[Math.min(failures, RESTS.length) - 1]
        : !seconds || settled(known.data) ? 0 : document.hidden ? Math.max(HIDDEN, seconds) : seconds;
      setState({ data: lost ? null : known.data, error, at: known.at, path, again: error && pause });
      rest(pause);
    };
    const seen = () => { if (!document.hidden && seconds && !settled(known.data)) turn.current(); };
    const asked = () => turn.current();
    document.addEventListener("visibilitychange", seen);
    addEventListener("refresh", asked);
    turn.current();
    return () => {
      stop.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
      removeEventListener("refresh", asked);
    };
  }, [path, seconds]);
  const fresh = state.path === path ? state : { data: null, error: null, at: null };
  return { ...fresh, reload: () => turn.current() };
}

// The moment, once a second, for countdowns.
export function useNow() {
  const [now, setNow] = useState(Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

export const refresh = () => dispatchEvent(new Event("refresh"));
