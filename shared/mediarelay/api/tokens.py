"""The API's tokens, as the Secrets Manager secret holds them."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, model_validator


class Role(StrEnum):
    """What a token may do; which routes, says `api.access`."""

    VIEWER = "viewer"
    PUBLISHER = "publisher"
    OPERATOR = "operator"


class Token(BaseModel):
    """One bearer token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="Whose it is; appears in logs.")
    token: SecretStr = Field(min_length=16, description="What the client sends.")
    expires_at: float = Field(description="When it ends, unix seconds.")
    role: Role = Field(default=Role.VIEWER, description="What it may do.")
    tenant: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,63}$", description="Of a publisher."
    )

    @model_validator(mode="after")
    def _of_one_tenant(self) -> Token:
        if (self.role is Role.PUBLISHER) != (self.tenant is not None):
            raise ValueError("a publisher has a tenant, and nobody else has one")  # for pydantic
        return self


TOKENS = TypeAdapter(list[Token])
