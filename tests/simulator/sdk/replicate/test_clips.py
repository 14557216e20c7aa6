"""The vendor's own SDK against the simulator's Replicate."""

import time
from contextlib import ExitStack

import pytest
import replicate
import requests
from replicate.exceptions import ReplicateError

MODEL = "kwaivgi/kling-v2.5-turbo-pro"


@pytest.fixture
def sdk(simulator):
    with ExitStack() as opened:

        def make(key="sim-replicate-key-1"):
            made = replicate.Client(api_token=key, base_url=simulator.urls["REPLICATE_BASE_URL"])
            opened.enter_context(made._client)  # the SDK has no way to close its connections
            return made

        yield make


def ask(client, prompt="a paper boat", **given):
    return client.models.predictions.create(MODEL, input={"prompt": prompt, "duration": 5, **given})


def over(prediction):
    until = time.monotonic() + 600
    while prediction.status not in ("succeeded", "failed", "canceled"):
        assert time.monotonic() < until
        time.sleep(0.1)
        prediction.reload()
    return prediction


def test_a_prediction_succeeds_and_its_clip_is_an_mp4(sdk):
    made = ask(sdk())
    assert made.status == "starting"
    done = over(made)
    assert (done.status, done.error) == ("succeeded", None)
    body = requests.get(done.output, timeout=600).content
    assert body[4:8] == b"ftyp"


def test_a_failed_prediction_says_why_and_is_not_charged(sdk, control):
    control.fault(vendor="replicate", operation="prediction_run", kind="status", error="server_error", match="breaks")
    done = over(ask(sdk(), "it breaks"))
    assert (done.status, done.error, done.output) == ("failed", "server_error", None)
    assert control.paid("replicate").get("it breaks", 0) == 0


def test_a_prediction_can_be_stopped(sdk, control):
    control.fault(vendor="replicate", operation="prediction_run", kind="timeout", match="endless")
    made = ask(sdk(), "endless")
    made.cancel()
    made.reload()
    assert made.status == "canceled"


def held(client, prompt, **headers):
    """The SDK's own `wait`, and headers that it has no argument for."""
    path = f"/v1/models/{MODEL}/predictions"
    body = {"input": {"prompt": prompt, "duration": 5}}
    return client._request("POST", path, json=body, headers={"Prefer": "wait=2", **headers}).json()


def test_an_answer_may_be_held_until_the_prediction_is_over(sdk):
    made = sdk().models.predictions.create(MODEL, input={"prompt": "a paper boat", "duration": 5}, wait=True)
    assert made.status == "succeeded"
    assert requests.get(made.output, timeout=600).content[4:8] == b"ftyp"


def test_an_answer_is_held_no_longer_than_was_asked(sdk, control):
    control.fault(vendor="replicate", operation="prediction_run", kind="timeout", match="endless")
    assert held(sdk(), "endless", Prefer="wait=1")["status"] == "processing"


def test_a_prediction_ends_at_its_deadline(sdk, control):
    control.fault(vendor="replicate", operation="prediction_run", kind="timeout", match="endless")
    assert held(sdk(), "endless", **{"Cancel-After": "1s"})["status"] == "canceled"


def test_anothers_prediction_does_not_exist(sdk):
    made = ask(sdk())
    with pytest.raises(ReplicateError) as refused:
        sdk("sim-replicate-key-3").predictions.get(made.id)
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("key", "given", "status", "title"),
    [
        ("unknown", {}, 401, "Unauthenticated"),
        ("sim-replicate-key-1", {"duration": 7}, 422, "Input validation failed"),
    ],
)
def test_what_is_refused_is_told_as_a_problem(sdk, key, given, status, title):
    with pytest.raises(ReplicateError) as refused:
        ask(sdk(key), **given)
    assert (refused.value.status, refused.value.title) == (status, title)


def test_an_account_of_little_credit_is_told_its_limit(sdk, simulator):
    poor = {"keys": ["sim-replicate-key-1"], "requests_per_second": 0.1, "burst": 1}
    simulator.client.configure({"vendors": {"replicate": {"poor": poor}}, "latency": {}})
    ask(sdk())
    with pytest.raises(ReplicateError) as refused:
        ask(sdk())
    assert refused.value.status == 429
    assert "reduced to 6 requests per minute with a burst of 1 requests" in refused.value.detail


def test_a_media_host_is_never_sent_a_key(sdk, control):
    done = over(ask(sdk()))
    headers = {"authorization": "Bearer sim-replicate-key-1"}
    assert requests.get(done.output, headers=headers, timeout=600).status_code == 400
    assert control.stats()["leaked_credentials"] == 1
