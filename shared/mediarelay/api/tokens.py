"""The API's tokens, as the Secrets Manager secret holds them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter


class Token(BaseModel):
    """One bearer token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="Whose it is; appears in logs.")
    token: SecretStr = Field(min_length=16, description="What the client sends.")
    expires_at: float = Field(description="When it ends, unix seconds.")


TOKENS = TypeAdapter(list[Token])
