"""A stack as its clients see it: a queue, queues of replies, the API and its files, all in this process."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from mediarelay_client.settings import Settings

TOKEN = "a-token-of-the-tests"  # opens nothing
PREFIX = "stack-reply-"
CONTENT = b"\xff\xfb\x90\x00 sound"
QUEUE = "https://sqs.eu-central-1.amazonaws.com/1/stack-RequestQueue-x"

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def succeeded(_: dict[str, Any]) -> dict[str, Any]:
    return {"status": "succeeded"}


class ClientStack:
    """Serves each message at once, as `answer` says; None leaves it open."""

    def __init__(self, answer: Callable[[dict[str, Any]], dict[str, Any] | None] = succeeded) -> None:
        self.answer = answer
        self.published: list[dict[str, Any]] = []
        self.bought: list[str] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        self.queues: dict[str, deque[str]] = {}
        self.deleted: list[str] = []
        self.topic: list[str] = []
        self.replies = True
        self.copies = 1
        self.batched = True
        self.asked: dict[str, int] = defaultdict(int)
        self.expired_links: set[str] = set()
        self.content = CONTENT
        self.told: dict[str, Any] = {}
        self.waits = False
        self.waited: list[str | None] = []
        self._messages = itertools.count(1)
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def settings(self, **changed: str | None) -> Settings:
        known = {"queue_url": QUEUE, "api_url": self.url, "api_token": TOKEN, "reply_prefix": PREFIX}
        made = Settings()
        made.add({**known, **changed}, "given")
        return made

    # --- serving ----------------------------------------------------------------------------------------------------

    def settle(self, body: dict[str, Any], message_id: str) -> None:
        request_id = body["request_id"]
        known = self.jobs.get(request_id)
        if known is not None and known["status"] not in {"queued", "rejected"}:
            return  # a duplicate
        if body.get("strategy") == "all":
            group = {"request_id": request_id, "received_at": 0, "tenant": body.get("tenant"), "status": "running"}
            self.jobs[request_id] = {**group, "links": [], "branches": body["providers"]}
            for provider in body["providers"]:
                self.settle({**body, "strategy": "ordered", "request_id": f"{request_id}#{provider}"}, message_id)
            return
        came = self.answer(body)
        now = round(time.time() * 1000)
        record = {"request_id": request_id, "received_at": now, "message_id": message_id, "kind": body.get("kind")}
        record |= {"tenant": body.get("tenant"), "metadata": body.get("metadata", {})}
        if came is None:
            self.jobs[request_id] = {**record, "status": "running", "links": []}
            return
        links = []
        if came["status"] == "succeeded":
            self.bought.append(request_id)
            links = [self.link(request_id)]
        self.jobs[request_id] = {
            **record,
            "settled_at": now,
            "queue_ms": 5,
            "latency_ms": 20,
            "provider": "openai-tts",
            "model": "m",
            "cost_usd": 0.001 if links else 0.0,
            "links": links,
            **came,
        }
        if self.replies and body.get("reply_to") in self.queues:
            self.queues[body["reply_to"]].extend([json.dumps(self.event(request_id))] * self.copies)

    def link(self, request_id: str) -> dict[str, Any]:
        return {
            "s3_uri": f"s3://bucket/{request_id}.mp3",
            "url": f"{self.url}files/{quote(request_id)}?{time.time_ns()}",
            "content_type": "audio/mpeg",
            "bytes": len(self.content),
            "sha256": hashlib.sha256(self.content).hexdigest(),
        }

    def event(self, request_id: str) -> dict[str, Any]:
        job = self.jobs[request_id]
        known = ("kind", "status", "provider", "model", "tenant", "queue_ms", "latency_ms", "cost_usd", "message_id")
        return {
            **{name: job.get(name) for name in known},
            "event_id": f"{request_id}@{job['settled_at']}",
            "request_id": request_id.partition("#")[0],
            "job_id": request_id,
            "outputs": job["links"],
            "url_expires_at": None,
            "attempts": [],
            "key_rotations": 0,
            "error": job.get("error"),
            "warnings": [],
            "metadata": job["metadata"],
            "settled_at": job["settled_at"],
        }

    # --- as boto3's session and its client of SQS ---------------------------------------------------------------------

    def client(self, _service: str, **_options: Any) -> ClientStack:
        return self

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 # boto3's name
        assert QueueUrl == QUEUE
        sent = []
        with self._lock:
            for entry in Entries:
                body = json.loads(entry["MessageBody"])
                message_id = f"message-{next(self._messages)}"
                self.published.append(body)
                sent.append({"Id": entry["Id"], "MessageId": message_id})
                if "cancel" in body:
                    self.jobs.get(body["cancel"], {}).update(cancelled_at=1)
                    continue
                self.settle(body, message_id)
        return {"Successful": sent}

    def create_queue(self, *, QueueName: str, **_options: Any) -> dict[str, Any]:  # noqa: N803 # boto3's name
        self.queues[QueueName] = deque()
        return {"QueueUrl": QueueName}

    def receive_message(self, *, QueueUrl: str, WaitTimeSeconds: int, **_options: Any) -> dict[str, Any]:  # noqa: N803 # boto3's name
        ends_at = time.monotonic() + min(WaitTimeSeconds, 0.2)
        while True:
            with self._lock:
                queue = self.queues.get(QueueUrl, deque())
                bodies = [queue.popleft() for _ in range(min(10, len(queue)))]
            if bodies or time.monotonic() > ends_at:
                return {"Messages": [{"Body": body, "ReceiptHandle": "h"} for body in bodies]}
            threading.Event().wait(0.01)

    def delete_message_batch(self, **_options: Any) -> dict[str, Any]:
        return {}

    def delete_queue(self, *, QueueUrl: str) -> None:  # noqa: N803 # boto3's name
        self.queues.pop(QueueUrl, None)
        self.deleted.append(QueueUrl)

    def get_caller_identity(self) -> dict[str, str]:
        return {"Arn": "arn:aws:iam::1:user/tests"}

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str], **_options: Any) -> dict[str, Any]:  # noqa: N803 # boto3's name
        return {"Attributes": dict.fromkeys(AttributeNames, "0") | {"QueueArn": QueueUrl}}

    def subscribe(self, *, Endpoint: str, **_options: Any) -> dict[str, str]:  # noqa: N803 # boto3's name
        self.queues[Endpoint].extend(self.topic)
        return {"SubscriptionArn": Endpoint}

    def unsubscribe(self, **_options: Any) -> None:
        """It ends with its queue."""

    def tag_queue(self, **_options: Any) -> None:
        """Nobody sweeps here."""

    # --- HTTP -------------------------------------------------------------------------------------------------------

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stack = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                self._answer(None)

            def do_DELETE(self) -> None:
                stack.deleted.append(self.path)
                self.send_response(204)
                self.end_headers()

            def do_POST(self) -> None:
                self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

            def _answer(self, body: Any) -> None:
                with stack._lock:
                    status, content = stack._http(self.path, self.headers.get("authorization", ""), body)
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json" if data is not content else "audio/mpeg")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        return Handler

    def _http(self, address: str, authorization: str, body: Any) -> tuple[int, Any]:  # noqa: PLR0911 # a route each
        parts = urlsplit(address)
        if parts.path.startswith("/files/"):
            gone = f"{self.url.rstrip('/')}{address}" in self.expired_links
            return (403, {}) if gone else (200, CONTENT)
        if authorization != f"Bearer {TOKEN}":
            return 401, {"message": "Unauthorized"}
        route = parts.path.removeprefix("/api/v1/")
        if route in self.told:
            answer = self.told[route]
            return 200, answer.pop(0) if isinstance(answer, list) else answer
        if route == "providers/health":
            return 200, {"now": time.time(), "providers": []}
        if route == "requests":
            self.published.append(body)
            self.settle(body, f"message-{next(self._messages)}")
            return 202, {"request_id": body["request_id"]}
        if route == "jobs/lookup" and body is not None and self.batched:
            found = [job for name in body["ids"] for job in self._jobs_of(name)]
            return 200, {"jobs": found, "missing": [name for name in body["ids"] if name not in self.jobs]}
        return self._of_jobs(route, parse_qs(parts.query))

    def _of_jobs(self, route: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        if route == "jobs":
            return 200, self._page(query)
        if route.endswith("/wait") and self.waits:
            return self._waited(unquote(route.removeprefix("jobs/").removesuffix("/wait")), query)
        if route.startswith("jobs/"):
            name = unquote(route.removeprefix("jobs/"))
            self.asked[name] += 1
            tenant = query.get("tenant", [None])[0]
            jobs = [job for job in self._jobs_of(name) if tenant in (None, job["tenant"])]
            if jobs:
                return 200, {"request_id": name, "jobs": jobs}
        return 404, {"code": "not_found", "message": "there is none"}

    def _waited(self, name: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        """A job changes while it is waited for the second time."""
        after = query.get("after", [None])[0]
        self.waited.append(after)
        if after is not None:
            self.answer = succeeded
            self.jobs.pop(name)
            self.settle(self.published[-1], "message-late")
        found = self._jobs_of(name)
        return 200, {"request_id": name, "version": found[0]["status"], "jobs": found}

    def _page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        """Two at a time."""
        begin, wanted = int(query.get("cursor", ["0"])[0]), query.get("status")
        found = [job for job in reversed(self.jobs.values()) if wanted is None or job["status"] in wanted]
        more = len(found) > begin + 2
        return {"items": found[begin : begin + 2], "has_more": more, "next_cursor": str(begin + 2) if more else None}

    def _jobs_of(self, name: str) -> list[dict[str, Any]]:
        """A request's jobs: one, or with strategy all their common record and then each provider's."""
        group = self.jobs.get(name)
        return [group, *(self.jobs[f"{name}#{each}"] for each in group.get("branches", ()))] if group else []
