"""DashScope's error table. Envelope: `{"code", "message", "request_id"}`, with a 200 too where nothing was spoken.

Sources: the error pages of Model Studio's documentation and the vendor's SDK (dashscope 2.0.2), 2026-11. The hosts of
its OpenAI-compatible mode put the same code into `{"error": {…}}`.
"""

from __future__ import annotations

from typing import Final

from mediarelay.http.messages import HttpReply
from mediarelay.providers.error_table import Row, Signals, classify
from mediarelay.providers.json_reading import json_object, mapping, text
from mediarelay.vocabulary.outcome import Failure, Outcome

_THROTTLED: Final = ("Throttling", "Throttling.RateQuota", "Throttling.BurstRate", "LimitRequests")
# A quota of tokens by the minute; the same code and another sentence where a free quota is used up.
_QUOTA: Final = ("Throttling.AllocationQuota", "insufficient_quota", "AllocationQuota")
_FOR_MODEL: Final = ("AccessDenied", "AccessDenied.Unpurchased", "Model.AccessDenied", "Workspace.AccessDenied")

QWEN_ERRORS: Final = (
    # Of this key, or of another region than the address.
    Row(Outcome.KEY_REJECTED, codes=("InvalidApiKey", "invalid_api_key")),
    Row(Outcome.QUOTA_EXHAUSTED, codes=("Arrearage", "AllocationQuota.FreeTierOnly")),
    Row(Outcome.QUOTA_EXHAUSTED, codes=_QUOTA, says="free"),
    Row(Outcome.THROTTLED, codes=_QUOTA),
    Row(Outcome.THROTTLED, codes=_THROTTLED),
    Row(Outcome.PERMISSION_DENIED, codes=_FOR_MODEL),
    Row(Outcome.CONTENT_REJECTED, codes=("DataInspectionFailed", "data_inspection_failed")),
    Row(Outcome.MODEL_GONE, codes=("ModelNotFound", "model_not_found", "Model.NotExist", "NotFound")),
    Row(Outcome.OVERLOADED, codes=("ServiceUnavailable", "ModelUnavailable", "ModelServingError")),
    Row(Outcome.TIMEOUT_SENT, codes=("GatewayTimeout", "RequestTimeOut", "ResponseTimeout")),
    Row(Outcome.PROVIDER_FAULT, codes=("InternalError", "SystemError", "internal_error")),
    # A voice, a language or a length that it does not know.
    Row(Outcome.INVALID_REQUEST, codes=("InvalidParameter", "invalid_parameter_error", "BadRequest"), broad=True),
    # From here on the code is one of a family: `InternalError.Algo`, `InvalidParameter.DataInspection`, ….
    Row(Outcome.THROTTLED, types=("Throttling",)),
    Row(Outcome.PROVIDER_FAULT, types=("InternalError",)),
    Row(Outcome.INVALID_REQUEST, types=("InvalidParameter",), broad=True),
)


def qwen_failure(reply: HttpReply) -> Failure:
    """Returns what an answer without speech means."""
    return classify(QWEN_ERRORS, qwen_signals(reply), reply)


def qwen_signals(reply: HttpReply) -> Signals:
    """The envelope; its type is the code's family, before the first dot. Empty when the body is something else."""
    body = json_object(reply.body)
    envelope = mapping(body.get("error")) or body
    code = text(envelope.get("code"))
    return Signals((code,) if code else (), code.partition(".")[0], text(envelope.get("message")), body)
