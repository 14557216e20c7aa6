"""Polly's errors: the name in a header, `{"message"}` in the body; a throttle is a 400."""

from collections.abc import Callable

from tools.simulator.wire import NamedErrors, Reply, Trouble, json_reply


def error(status: int, name: str, message: str, outcome: str) -> Reply:
    return json_reply(status, {"message": message}, {"x-amzn-ErrorType": name}, outcome=outcome)


def _named(status: int, name: str, message: str, outcome: str) -> Callable[[Trouble], Reply]:
    return lambda _trouble: error(status, name, message, outcome)


_DENIED = (
    "User: arn:aws:sts::111122223333:assumed-role/worker/worker is not authorized to perform: polly:SynthesizeSpeech "
    "because no identity-based policy allows the polly:SynthesizeSpeech action"
)

ERRORS: NamedErrors = {
    "bad_key": _named(
        403, "UnrecognizedClientException", "The security token included in the request is invalid.", "bad_key"
    ),
    "permission_denied": _named(403, "AccessDeniedException", _DENIED, "permission_denied"),
    # AWS sells on account: what comes nearest to an empty balance is an account that was closed.
    "quota_exhausted": _named(
        403, "OptInRequired", "The AWS Access Key Id needs a subscription for the service", "quota_exhausted"
    ),
    "rate_limited": _named(400, "ThrottlingException", "Rate exceeded", "rate_limited"),
    "concurrency_limited": _named(400, "ThrottlingException", "Rate exceeded", "concurrency_limited"),
    # Polly refuses no words; a text that it can't read is what comes nearest.
    "content_rejected": _named(400, "InvalidSsmlException", "Invalid SSML request", "content_rejected"),
    "invalid_request": _named(400, "SerializationException", "Unexpected token", "invalid_request"),
    "not_found": _named(404, "LexiconNotFoundException", "Lexicon not found", "not_found"),
    "server_error": _named(500, "ServiceFailureException", "An unknown condition has caused a failure", "server_error"),
    "overloaded": _named(503, "ServiceUnavailableException", "Service Unavailable", "overloaded"),
    "timeout": _named(504, "InternalFailure", "Gateway timeout", "timeout"),
}
