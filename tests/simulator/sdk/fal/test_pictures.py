import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import fal_client
import httpx
import pytest
import requests
from fal_client.client import FalClientHTTPError

from mediarelay.long_jobs.webhooks.ed25519 import verify
from mediarelay.long_jobs.webhooks.fal import public_keys, signed_call
from tests.harness.media import parsers as parse
from tools.simulator.media import catalogue

MODEL = "fal-ai/flux/schnell"


def queue(simulator, path, key="sim-fal-key-1", method="GET", **options):
    url = path if path.startswith("http") else f"{simulator.urls['FAL_QUEUE_BASE_URL']}/{path}"
    return requests.request(
        method, url, headers={"Authorization": f"Key {key}"} | options.pop("headers", {}), timeout=600, **options
    )


@pytest.mark.parametrize("model", ["fal-ai/flux/schnell", "fal-ai/flux/dev", "fal-ai/flux-pro/v1.1"])
def test_run_answers_pictures_on_the_media_host(fal, model):
    answer = fal.run(model, arguments={"prompt": "a cat", "num_images": 2, "seed": 7})
    fetched = [requests.get(image["url"], timeout=600) for image in answer["images"]]
    assert (answer["seed"], answer["prompt"], answer["has_nsfw_concepts"]) == (7, "a cat", [False, False])
    assert [got.headers["content-type"] for got in fetched] == ["image/jpeg"] * 2
    assert fetched[0].content == catalogue.image("jpeg", 1024, 768, 7)
    assert answer["images"][0]["url"] != answer["images"][1]["url"]


@pytest.mark.parametrize(("size", "pixels"), [("square", (512, 512)), ({"width": 40, "height": 24}, (40, 24))])
def test_png_and_sizes_are_as_asked(fal, size, pixels):
    answer = fal.run(MODEL, arguments={"prompt": "a cat", "image_size": size, "output_format": "png"})
    body = requests.get(answer["images"][0]["url"], timeout=600).content
    assert parse.picture(body, "png").size == pixels


def test_sync_mode_answers_a_data_uri(fal):
    answer = fal.run(MODEL, arguments={"prompt": "a cat", "sync_mode": True})
    assert answer["images"][0]["url"].startswith("data:image/jpeg;base64,/9j/")


def test_subscribe_goes_through_the_queue(fal, control):
    seen = []
    answer = fal.subscribe(MODEL, arguments={"prompt": "a dog"}, with_logs=True, on_queue_update=seen.append)
    assert answer["prompt"] == "a dog"
    assert isinstance(seen[-1], fal_client.Completed)
    assert seen[-1].logs[0]["level"] == "INFO"
    assert control.paid("fal") == {"a dog": 1}


def test_an_unknown_key_and_an_exhausted_balance_are_told_apart(fal_sdk, fal, control):
    with pytest.raises(FalClientHTTPError, match="No user found") as unknown:
        fal_sdk("nobodys-key").run(MODEL, arguments={"prompt": "x"})
    control.fault(vendor="fal", error="quota_exhausted", count=1)
    with pytest.raises(FalClientHTTPError, match="Exhausted balance") as locked:
        fal.run(MODEL, arguments={"prompt": "x"})
    assert (unknown.value.status_code, locked.value.status_code) == (401, 403)


@pytest.mark.parametrize(
    "change",
    [{"image_size": "huge"}, {"num_images": 9}, {"num_inference_steps": 13}, {"seed": "x"}, {"output_format": "gif"}],
)
def test_bad_input_is_refused_at_submit(fal, control, change):
    with pytest.raises(FalClientHTTPError) as caught:
        fal.submit(MODEL, arguments={"prompt": "x"} | change)
    assert caught.value.status_code == 422
    assert caught.value.response.json()["detail"][0]["loc"] == ["body", next(iter(change))]
    assert control.paid() == {}


def test_the_sdk_gets_over_a_429_of_the_sync_host(fal, control):
    control.fault(vendor="fal", operation="image", error="concurrency_limited", count=1)
    assert fal.run(MODEL, arguments={"prompt": "x"})["images"]
    assert control.stats()["by_outcome"] == {"concurrency_limited": 1, "ok": 1}


def test_the_sync_host_refuses_beyond_the_accounts_concurrency_and_the_queue_waits(simulator, control):
    slow = {"fal": {"queue_run": {"kind": "fixed", "seconds": 60}}}
    control.configure({"vendors": {"fal": {"one": {"keys": ["k1", "k2"], "concurrency": 1}}}, "latency": slow})
    jobs = [queue(simulator, MODEL, "k1", "POST", json={"prompt": f"job {n}"}).json() for n in range(3)]
    states = [queue(simulator, job["status_url"], "k2") for job in jobs]
    assert [answer.status_code for answer in states] == [202] * 3
    assert [answer.json()["status"] for answer in states] == ["IN_PROGRESS", "IN_QUEUE", "IN_QUEUE"]
    assert [answer.json().get("queue_position") for answer in states] == [None, 0, 1]
    refused = requests.post(
        f"{simulator.urls['FAL_BASE_URL']}/{MODEL}",
        json={"prompt": "x"},
        headers={"Authorization": "Key k2"},
        timeout=600,
    )
    assert refused.status_code == 429


@pytest.mark.parametrize("model", ["fal-ai/flux/schnell", "fal-ai/flux-pro/v1.1"])
def test_queue_urls_are_absolute_and_without_the_sub_path(simulator, model):
    answer = queue(simulator, model, method="POST", json={"prompt": "x"}).json()
    base = f"{simulator.urls['FAL_QUEUE_BASE_URL']}/{'/'.join(model.split('/')[:2])}/requests/{answer['request_id']}"
    assert (answer["status"], answer["queue_position"]) == ("IN_QUEUE", 0)
    assert answer["response_url"] == base
    assert answer["status_url"] == f"{base}/status"
    assert answer["cancel_url"] == f"{base}/cancel"


def test_the_status_stream_ends_with_completion(simulator):
    job = queue(simulator, MODEL, method="POST", json={"prompt": "x"}).json()
    stream = queue(simulator, job["status_url"] + "/stream")
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert '"COMPLETED"' in stream.text.strip().splitlines()[-1]
    done = queue(simulator, job["status_url"])
    assert (done.status_code, done.json()["logs"]) == (200, None)


def test_a_queued_job_can_be_cancelled_and_is_not_billed(simulator, control):
    control.configure({"latency": {"fal": {"queue_run": {"kind": "fixed", "seconds": 60}}}})
    job = queue(simulator, MODEL, method="POST", json={"prompt": "x"}).json()
    early = queue(simulator, job["response_url"])
    assert (early.status_code, early.json()) == (400, {"detail": "Request is still in progress"})
    assert control.paid() == {"x": 1}
    first, again = (queue(simulator, job["cancel_url"], method="PUT") for _ in range(2))
    assert (first.status_code, first.json()) == (202, {"status": "CANCELLATION_REQUESTED"})
    assert (again.status_code, again.json()) == (400, {"status": "ALREADY_COMPLETED"})
    assert control.paid() == {}


def test_a_failed_job_is_completed_with_an_error_and_not_billed(fal, control):
    control.fault(vendor="fal", operation="queue_run", error="runner_disconnected")
    handle = fal.submit(MODEL, arguments={"prompt": "x"})
    *_, last = handle.iter_events(interval=0.02)
    assert (last.error, last.error_type) == ("Runner disconnected", "runner_disconnected")
    with pytest.raises(FalClientHTTPError) as caught:
        handle.get()
    assert caught.value.status_code == 503
    assert control.paid() == {}


def test_what_the_model_refuses_is_told_by_the_result_alone(fal, control):
    control.fault(vendor="fal", operation="queue_run", error="content_rejected")
    handle = fal.submit(MODEL, arguments={"prompt": "x"})
    *_, last = handle.iter_events(interval=0.02)
    assert (last.error, last.error_type) == (None, None)
    with pytest.raises(FalClientHTTPError) as caught:
        handle.get()
    assert caught.value.status_code == 422
    assert control.paid() == {}


def test_a_job_that_starts_too_late_times_out_as_its_user_asked(simulator, control):
    slow = {"fal": {"queue_run": {"kind": "fixed", "seconds": 60}}}
    control.configure({"vendors": {"fal": {"one": {"keys": ["k1"], "concurrency": 1}}}, "latency": slow})
    queue(simulator, MODEL, "k1", "POST", json={"prompt": "first"})
    deadline = {"X-Fal-Request-Timeout": "0.05"}
    job = queue(simulator, MODEL, "k1", "POST", json={"prompt": "second"}, headers=deadline).json()
    queue(simulator, job["status_url"] + "/stream", "k1")
    result = queue(simulator, job["response_url"], "k1")
    assert (result.status_code, result.headers["x-fal-error-type"]) == (504, "request_timeout")
    assert result.headers["x-fal-request-timeout-type"] == "user"
    assert control.paid() == {"first": 1}


def test_requests_of_one_account_are_hidden_from_another(simulator):
    job = queue(simulator, MODEL, "sim-fal-key-1", "POST", json={"prompt": "x"}).json()
    assert queue(simulator, job["status_url"], "sim-fal-key-2").ok
    assert queue(simulator, job["status_url"], "sim-fal-key-3").status_code == 404


def test_the_media_host_refuses_and_counts_credentials(fal, control):
    url = fal.run(MODEL, arguments={"prompt": "x"})["images"][0]["url"]
    leak = requests.get(url, headers={"Authorization": "Key sim-fal-key-1"}, timeout=600)
    assert leak.status_code == 400
    assert requests.get(url, timeout=600).ok
    stats = control.stats()
    assert (stats["leaked_credentials"], stats["media_fetched"]) == (1, 1)


def test_a_safety_filtered_picture_is_a_black_success(fal, control):
    control.fault(vendor="fal", operation="image", error="nsfw", count=1)
    answer = fal.run(MODEL, arguments={"prompt": "x"})
    assert answer["has_nsfw_concepts"] == [True]
    body = requests.get(answer["images"][0]["url"], timeout=600).content
    assert set(parse.picture(body, "jpeg").get_flattened_data()) == {(0, 0, 0)}


def test_a_webhook_is_posted_until_accepted_and_only_to_this_machine(simulator):
    got, signed, done = [], [], threading.Event()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(self.rfile.read(int(self.headers["content-length"])))
            signed.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(500 if len(got) == 1 else 200)
            self.end_headers()
            if len(got) == 2:
                done.set()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            hook = f"http://127.0.0.1:{server.server_port}/hook"
            job = queue(simulator, f"{MODEL}?fal_webhook={hook}", method="POST", json={"prompt": "x"}).json()
            assert done.wait(600)
        finally:
            server.shutdown()
            thread.join()
    body = httpx.Response(200, content=got[1]).json()
    assert (body["request_id"], body["status"], body["payload"]["prompt"]) == (job["request_id"], "OK", "x")
    call = signed_call(signed[1], got[1], now=time.time())
    (key,) = public_keys(requests.get(simulator.urls["FAL_JWKS_URL"], timeout=600).content)
    assert call is not None
    assert call.request_id == job["request_id"]
    assert verify(key, call.message, call.signature)
    outside = queue(simulator, f"{MODEL}?fal_webhook=http://192.0.2.1/hook", method="POST", json={"prompt": "x"})
    assert outside.status_code == 422
