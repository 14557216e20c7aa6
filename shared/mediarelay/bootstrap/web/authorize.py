"""Wiring of authorize_request, apart from the others': no function imports what another needs."""

from __future__ import annotations

from pydantic import Field

from mediarelay.api.authorizing import AuthorizeService
from mediarelay.api.secrets_manager import SecretTokens
from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.settings import Settings


class AuthorizeSettings(Settings):
    """Environment of authorize_request."""

    tokens_secret_id: str = Field(alias="TOKENS_SECRET_ID", min_length=1)


def build_authorize(settings: AuthorizeSettings) -> AuthorizeService:
    """Wire everything that authorize_request needs."""
    return AuthorizeService(SecretTokens(settings.tokens_secret_id, clients.STORE_CONFIG), clock=SystemClock())
