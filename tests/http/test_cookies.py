"""Nothing that a vendor says to one key comes back to it with another."""

from __future__ import annotations

import responses

from mediarelay.http.connections import RequestsHttp
from mediarelay.http.messages import HttpRequest
from tests.doubles.clock import ManualClock

VENDOR = "https://vendor.example"


@responses.activate
def test_a_cookie_set_for_one_key_is_not_sent_with_the_next() -> None:
    responses.post(f"{VENDOR}/speech", body=b"media", headers={"Set-Cookie": "session=of-the-first; Path=/"})
    clock = ManualClock()
    http = RequestsHttp(clock, allow_plain_http=False)
    for key in ("first", "second"):
        request = HttpRequest("POST", "/speech", {"input": "hello"}, base_url=VENDOR).with_headers({"xi-api-key": key})
        with http.send(request, deadline=clock.now() + 20.0) as answer:
            assert answer.read(100) == b"media"
    assert [call.request.headers.get("Cookie") for call in responses.calls] == [None, None]
