"""A small client of the admin endpoints, for the demo, tests and benches."""

from typing import Any

import requests

from .config import SimulatorConfig

_TIMEOUT_SECONDS = 120  # ends a hang; a busy machine takes its time


class SimulatorError(Exception):
    """The simulator refused an admin request; the message is its reason."""


class SimulatorClient:
    """Talks to the simulator at `base_url`, e.g. `http://127.0.0.1:9000`."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._session = requests.Session()

    def fault(self, **rule: Any) -> str:
        """Add a fault rule (fields of `faults.FaultRule`); returns its id. Raises SimulatorError when it is refused."""
        return str(self._call("POST", "/_control", rule)["id"])

    def voices(self, **rule: Any) -> str:
        """Say which account has which voice (fields of `voices.VoiceRule`). Raises SimulatorError when refused."""
        return str(self._call("POST", "/_control", {"kind": "voices", **rule})["id"])

    def faults(self) -> list[dict[str, Any]]:
        """The rules, with how often each was applied and whether it is still active."""
        listing: list[dict[str, Any]] = self._call("GET", "/_control")["faults"]
        return listing

    def clear(self, fault_id: str | None = None) -> None:
        """Remove one rule, or all."""
        self._call("DELETE", f"/_control/{fault_id}" if fault_id else "/_control")

    def stats(self) -> dict[str, Any]:
        """Totals, gauges per account, and `rows` per vendor, operation, account and key id."""
        return self._call("GET", "/_stats")

    def paid(self, vendor: str | None = None) -> dict[str, int]:
        """Request text to the number of times it was bought."""
        return self._call("GET", f"/_stats/paid?vendor={vendor}" if vendor else "/_stats/paid")

    def calls(self) -> list[dict[str, Any]]:
        """The newest calls to vendors, oldest first: vendor, operation, key id, when each began and ended, outcome."""
        found: list[dict[str, Any]] = self._call("GET", "/_stats/calls")["calls"]
        return found

    def reset(self) -> None:
        """Forget counters, faults, jobs and spent limits."""
        self._call("POST", "/_reset")

    def configure(self, config: SimulatorConfig | dict[str, Any]) -> None:
        """Replace accounts and latencies."""
        self._call("PUT", "/_config", config.model_dump() if isinstance(config, SimulatorConfig) else config)

    def close(self) -> None:
        self._session.close()

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        response = self._session.request(method, self.base_url + path, json=body, timeout=_TIMEOUT_SECONDS)
        if not response.ok:
            raise SimulatorError(_reason(response))
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer


def _reason(response: requests.Response) -> str:
    try:
        return str(response.json()["error"])
    except (ValueError, LookupError, TypeError):
        asked = f"{response.request.method} {response.request.path_url}"
        return f"{asked} answered {response.status_code}: {response.text[:200]}"
