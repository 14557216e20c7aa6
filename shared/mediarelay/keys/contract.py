"""The state of a vendor's whole key pool, as the minute sweep sees it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mediarelay.vocabulary.model import Record


class PoolKey(Record):
    """One key of a pool, without its secret."""

    key_id: str = Field(description="First 12 hexadecimal digits of the key's SHA-256.")
    account: str = Field(description="Whose quota it draws on; the key id when none is declared.")


class PoolState(Record):
    """Written when it changes; alerts are made from the stream of these writes. Moments are unix seconds."""

    vendor: str = Field(description="Whose keys.")
    status: Literal["usable", "cooling", "unreadable"] = Field(
        description="cooling: none can be used, for a minute or more. unreadable: the entry of the vendor is wrong."
    )
    since: float = Field(description="Since when none could be used; of a usable pool: since when before that.")
    at: float = Field(description="When this was written.")
    keys: int = Field(description="How many keys it has.")
    members: list[PoolKey] = Field(default_factory=list, description="Its keys, in their order.")
    usable: int = Field(description="How many can be used now.")
    fault: str | None = Field(default=None, description="Of an unreadable one: the variable, the field and the rule.")
