"""Wiring of authorize_request, apart from the others': no function imports what another needs."""

from __future__ import annotations

from mediarelay.adapters import aws
from mediarelay.adapters.clock import SystemClock
from mediarelay.adapters.token_secret import SecretTokens
from mediarelay.services.authorizing import AuthorizeService
from mediarelay.settings import AuthorizeSettings


def build_authorize(settings: AuthorizeSettings) -> AuthorizeService:
    """Everything authorize_request needs."""
    return AuthorizeService(SecretTokens(settings.tokens_secret_id, aws.STORE_CONFIG), clock=SystemClock())
