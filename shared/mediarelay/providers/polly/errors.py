"""Polly's error table. Envelope: `{"message": "…"}`, the name in the header `x-amzn-errortype`; a throttle is a 400.

Sources: botocore's model of the service and its list of throttles; names of AWS's own gateway as seen in 2026.
"""

from __future__ import annotations

from typing import Final

from mediarelay.http.messages import HttpReply
from mediarelay.providers.error_table import Row, Signals, classify
from mediarelay.providers.json_reading import json_object, text
from mediarelay.vocabulary.outcome import Failure, Outcome

_THROTTLES: Final = (
    *("ThrottlingException", "Throttling", "ThrottledException", "RequestThrottledException", "RequestThrottled"),
    *("TooManyRequestsException", "RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException"),
    # So many calls at once, where others are so many a second: the service tells no more of either.
    *("SlowDown", "PriorRequestNotComplete", "ServiceQuotaExceededException"),
)
_OF_THE_REQUEST: Final = (
    *("ValidationException", "TextLengthExceededException", "InvalidSsmlException", "InvalidSampleRateException"),
    *("EngineNotSupportedException", "LanguageNotSupportedException", "MarksNotSupportedForFormatException"),
    *("SsmlMarksNotSupportedForTextTypeException", "LexiconNotFoundException", "ResourceNotFoundException"),
    *("ConflictException", "SerializationException", "UnknownOperationException"),
)
_OF_THE_ROLE: Final = (
    *("UnrecognizedClientException", "InvalidSignatureException", "SignatureDoesNotMatch", "ExpiredTokenException"),
    *("ExpiredToken", "InvalidClientTokenId", "IncompleteSignatureException", "IncompleteSignature"),
    *("MissingAuthenticationTokenException", "MissingAuthenticationToken", "RequestExpired"),
)

POLLY_ERRORS: Final = (
    Row(Outcome.THROTTLED, codes=_THROTTLES),
    Row(Outcome.INVALID_REQUEST, codes=_OF_THE_REQUEST),
    # What its policy lacks, or what its account has not been given.
    Row(Outcome.PERMISSION_DENIED, codes=("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")),
    Row(Outcome.PERMISSION_DENIED, codes=("OptInRequired", "SubscriptionRequiredException")),
    Row(Outcome.KEY_REJECTED, codes=_OF_THE_ROLE),
    Row(Outcome.OVERLOADED, codes=("ServiceUnavailable", "ServiceUnavailableException")),
    Row(Outcome.PROVIDER_FAULT, codes=("ServiceFailureException", "InternalFailure", "InternalServerException")),
)


def polly_failure(reply: HttpReply) -> Failure:
    """Returns what an answer without speech means."""
    body = json_object(reply.body)
    named = reply.headers.get("x-amzn-errortype") or text(body.get("__type")) or text(body.get("code"))
    # `namespace#Name:http://…`: only the name is the code.
    code = named.partition(":")[0].rpartition("#")[2].strip()
    message = text(body.get("message")) or text(body.get("Message"))
    return classify(POLLY_ERRORS, Signals(codes=(code,) if code else (), message=message, body=body), reply)
