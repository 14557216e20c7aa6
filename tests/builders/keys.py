"""Keys that nobody would take for real ones."""

from __future__ import annotations

from mediarelay.keys.parsing import CREDENTIALS, ApiKey, keys_from
from mediarelay.keys.states import KeyStatus, KeyVerdict
from mediarelay.providers.credentials import ApiKeys
from tests.doubles.clock import EPOCH

COOLING = KeyVerdict(
    vendor="openai",
    key_id="0123456789ab",
    account="acme",
    provider="openai-tts",
    status=KeyStatus.COOLING,
    until=EPOCH + 20.125,
    strikes=1,
    code="rate_limit_exceeded",
    observed_at=EPOCH + 0.1,
    spreads=True,
)


def fake_key(vendor: str, number: int) -> str:
    """A key that nobody would take for a real one."""
    return f"fake-{vendor}-key-{number:04d}"


def keys(**counts: int) -> dict[str, tuple[ApiKey, ...]]:
    """So many keys of each vendor, each of an account of its own."""
    return keys_from(
        {_variable(name): ",".join(fake_key(name, number) for number in range(n)) for name, n in counts.items()}
    )


def _variable(vendor: str) -> str:
    credentials = CREDENTIALS[vendor]
    assert isinstance(credentials, ApiKeys), f"{vendor} has no keys"
    return credentials.variables[0]
