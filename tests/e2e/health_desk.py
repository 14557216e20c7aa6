"""What the tests of health need of a deployed stack: the API, with tokens."""

from __future__ import annotations

import time
from typing import Any

import requests

from tests.harness.deployed import Relay
from tools.local.provider_secret import store_tokens

TOKEN, OLD = "t0ken-" * 6, "0ld-" * 8


class HealthDesk:
    """One stack's operator."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        later, earlier = time.time() + 3600, time.time() - 1
        tokens = [("e2e", TOKEN, later), ("expired", OLD, earlier)]
        store_tokens(relay.stack.client("secretsmanager"), tokens)

    @property
    def base(self) -> str:
        """Where the API is, for any client."""
        return self.relay.stack.api_url.removesuffix("/")

    def get(self, path: str, token: str | None = TOKEN) -> requests.Response:
        """Ask the API."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return requests.get(f"{self.base}{path}", headers=headers, timeout=600)

    def post(self, path: str, body: Any) -> requests.Response:
        """Order something of the API."""
        headers = {"authorization": f"Bearer {TOKEN}"}
        return requests.post(f"{self.base}{path}", headers=headers, json=body, timeout=600)

    def delete(self, path: str) -> requests.Response:
        """Take an order of the API back."""
        headers = {"authorization": f"Bearer {TOKEN}"}
        return requests.delete(f"{self.base}{path}", headers=headers, timeout=600)
