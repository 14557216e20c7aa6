"""The accounts of a running simulator, found by key."""

import hashlib
from dataclasses import dataclass

from tools.simulator.config import AccountConfig, AccountState

from .limits import Slots, TokenBucket


def key_id(key: str) -> str:
    """First 12 hex digits of the key's SHA-256: the only form of a key that leaves the simulator."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def role_of(key: str) -> tuple[str, str, str]:
    """Access key id, secret and session token of the role that goes by this key, where AWS's own services are asked."""
    return key, f"{key}-secret", f"{key}-token"


class Account:
    """What one account has left. Every key of it draws on the same."""

    def __init__(self, vendor: str, name: str, config: AccountConfig, now: float) -> None:
        self.vendor = vendor
        self.name = name
        self.state: AccountState = config.state
        self.balance = config.balance
        self.spent = 0.0
        self.slots = Slots(config.concurrency)
        rate = config.requests_per_second
        self.bucket = TokenBucket(rate, config.burst, now) if rate else None

    def take_request(self, now: float) -> float:
        """Spend one request of the rate; returns the wait in seconds when there is none."""
        return self.bucket.take(now) if self.bucket else 0.0

    def can_afford(self, cost: float) -> bool:
        return self.balance is None or cost <= self.balance

    def spend(self, cost: float) -> None:
        """Charge; a negative cost is a refund."""
        self.spent += cost
        if self.balance is not None:
            self.balance -= cost


@dataclass(frozen=True)
class KeyHolder:
    """A key that was presented: its id, and its account when the vendor knows it."""

    key_id: str
    account: Account | None


NO_KEY = KeyHolder("", None)


class AccountBook:
    """Accounts by vendor and key."""

    def __init__(self, vendors: dict[str, dict[str, AccountConfig]], now: float) -> None:
        self._holders: dict[tuple[str, str], KeyHolder] = {}
        for vendor, accounts in vendors.items():
            for name, config in accounts.items():
                account = Account(vendor, name, config, now)
                for key in config.keys:
                    self._holders[vendor, key] = KeyHolder(key_id(key), account)

    def signing(self, vendor: str, access: str) -> tuple[KeyHolder, str] | None:
        """The holder of an `access:secret` key, and its secret; None when the vendor knows no such access part."""
        for (owner, key), holder in self._holders.items():
            known, colon, secret = key.partition(":")
            if owner == vendor and colon and known == access:
                return holder, secret
        return None

    def find(self, vendor: str, key: str | None) -> KeyHolder:
        if not key:
            return NO_KEY
        return self._holders.get((vendor, key)) or KeyHolder(key_id(key), None)
