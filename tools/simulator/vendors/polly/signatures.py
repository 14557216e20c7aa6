"""Whether a request carries the signature of a role that is known here, by botocore's own code.

The age of a signature is not judged: a caller may run under another date than this machine's.
"""

import hmac
import re

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tools.simulator.state.accounts import role_of
from tools.simulator.wire import Call, Headers, Refused

from .errors import error

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[a-z0-9-]+)/polly/aws4_request, ?"
    r"SignedHeaders=(?P<names>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_SIGNED = {"host", "x-amz-date"}
_DIFFERS = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


def access_key(headers: Headers) -> str | None:
    """The access key id that a request names; None for a request that is not signed for Polly."""
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    return found["key"] if found else None


def check(call: Call, path: str) -> None:
    """Raises Refused unless the signature is that of the key's secret over exactly this request."""
    found = _AUTHORIZATION.fullmatch(call.headers.get("authorization", ""))
    moment = call.headers.get("x-amz-date", "")
    if found is None or not moment.startswith(found["day"]):
        raise Refused(error(403, "IncompleteSignatureException", "Authorization header is incomplete.", "bad_key"))
    names = set(found["names"].split(";"))
    key, secret, token = role_of(found["key"])
    if call.headers.get("x-amz-security-token", token) != token:
        message = "The security token included in the request is invalid."
        raise Refused(error(403, "UnrecognizedClientException", message, "bad_key"))
    headers = {name: call.headers[name] for name in names if name in call.headers}
    query = f"?{call.query_string}" if call.query_string else ""
    request = AWSRequest(call.operation.method, f"{call.origin}{path}{query}", headers, call.body)
    request.context["timestamp"] = moment
    signer = SigV4Auth(Credentials(key, secret), "polly", found["region"])
    ours = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    whole = names >= _SIGNED and names == headers.keys()
    if not whole or not hmac.compare_digest(ours, found["signature"]):
        raise Refused(error(403, "InvalidSignatureException", _DIFFERS, "bad_key"))
