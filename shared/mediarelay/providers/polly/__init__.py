"""Amazon Polly: speech, by the function's own role."""

from __future__ import annotations

from mediarelay.providers.credentials import FunctionRole
from mediarelay.providers.polly.errors import polly_failure
from mediarelay.providers.polly.speech import PollyTts
from mediarelay.providers.probe import Probe
from mediarelay.providers.vendor import Vendor

VENDOR = Vendor(
    name="polly",
    credentials=FunctionRole(allowed_by="POLLY_SPEECH"),
    base_url="https://polly.{region}.amazonaws.com",
    providers=(PollyTts(),),
    # The shortest of its lists: one language, one engine.
    probe=Probe("/v1/voices", polly_failure, params={"Engine": "neural", "LanguageCode": "en-IE"}),
    healthy_seconds={"polly-tts": 8.0},
    notes={"polly-tts": "`mp3` and `opus`; wherever the role may call it (`PollySpeech`)"},
)
