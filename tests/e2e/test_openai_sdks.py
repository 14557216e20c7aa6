"""OpenAI's own SDKs, unchanged, on the deployed template: Python's, and JavaScript's in Node."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from tests.harness.deployed import Relay
from tools.local.provider_secret import store_tokens

pytestmark = [
    pytest.mark.stack,
    pytest.mark.filterwarnings("ignore:The Sora API"),  # the only shape of clips that the SDKs have
]

ROOT = Path(__file__).parents[2]
NODE = os.environ.get("NODE", "/usr/bin/node")
# As `make` installs it.
SDK = Path(os.environ.get("OPENAI_SDK", ROOT / ".venvs" / "openai-js"))
TOKEN = "sdk-token-" * 3
VOICE: dict[str, Any] = {"model": "gpt-4o-mini-tts", "voice": "alloy"}


class CutOnce(httpx2.HTTPTransport):
    """Loses the first answer, after it has come."""

    lost = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = super().handle_request(request)
        if not self.lost:
            self.lost += 1
            answer.read()
            raise httpx2.ReadError("the connection was cut", request=request)
        return answer


@pytest.fixture(scope="module")
def url(relay: Relay) -> str:
    store_tokens(relay.stack.client("secretsmanager"), [("sdk", TOKEN, time.time() + 3600)])
    return relay.stack.openai_url


@pytest.fixture
def sdk(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=url, api_key=TOKEN) as client:
        yield client


def bought(relay: Relay, text: str) -> int:
    return relay.simulator.client.paid().get(text, 0)


def test_python_makes_speech_a_picture_and_a_clip(relay: Relay, sdk: openai.OpenAI) -> None:
    spoken = sdk.audio.speech.create(**VOICE, input="python says hello")
    assert spoken.content[:2] in (b"\xff\xf3", b"\xff\xfb", b"ID")
    (picture,) = sdk.images.generate(model="gpt-image-2", prompt="a lighthouse by python").data or ()
    assert base64.b64decode(picture.b64_json or "").startswith(b"\x89PNG")
    clip = sdk.videos.create_and_poll(prompt="waves by python", model="sora-2", seconds="4")
    assert (clip.status, clip.seconds, clip.error) == ("completed", "5", None)
    assert sdk.videos.download_content(clip.id).content[4:8] == b"ftyp"
    assert [bought(relay, f"{what} by python") for what in ("a lighthouse", "waves")] == [1, 1]


def test_pythons_errors_are_its_own(url: str, sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="speed"):
        sdk.audio.speech.create(**VOICE, input="x", speed=9.0)
    with pytest.raises(openai.NotFoundError) as unknown:
        sdk.audio.speech.create(**{**VOICE, "model": "whisper-1"}, input="x")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=url, api_key="nobody").models.list()


def test_a_connection_cut_after_the_purchase_is_no_second_one_in_python(relay: Relay, url: str) -> None:
    wire = CutOnce()
    with openai.OpenAI(base_url=url, api_key=TOKEN, http_client=openai.DefaultHttpx2Client(transport=wire)) as client:
        assert client.audio.speech.create(**VOICE, input="cut in python").content
    assert (wire.lost, bought(relay, "cut in python")) == (1, 1)


JAVASCRIPT = """
const sdk = await import(`${process.env.SDK}/index.mjs`);
const { default: OpenAI, NotFoundError, BadRequestError, AuthenticationError } = sdk;
const client = new OpenAI();
const told = {};
const voice = { model: "gpt-4o-mini-tts", voice: "alloy" };
const begins = async (answer, from, to) => {
  return Buffer.from(await answer.arrayBuffer()).subarray(from, to).toString("latin1");
};
told.speech = await begins(await client.audio.speech.create({ ...voice, input: "javascript says hello" }), 0, 1);
const drawn = await client.images.generate({ model: "gpt-image-2", prompt: "a lighthouse by javascript" });
told.picture = Buffer.from(drawn.data[0].b64_json, "base64").subarray(1, 4).toString();
let clip = await client.videos.create({ prompt: "waves by javascript", model: "sora-2", seconds: "4" });
while (!["completed", "failed"].includes(clip.status)) {
  await new Promise((resolve) => setTimeout(resolve, 300));
  clip = await client.videos.retrieve(clip.id);
}
told.clip = [clip.status, clip.seconds, await begins(await client.videos.downloadContent(clip.id), 4, 8)];
let lost = 0;
const cut = async (...given) => {
  const answer = await fetch(...given);
  if (lost) return answer;
  lost += 1;
  throw new TypeError("the connection was cut");
};
await (await new OpenAI({ fetch: cut }).audio.speech.create({ ...voice, input: "cut in javascript" })).arrayBuffer();
told.lost = lost;
const refusal = async (promise, kind) => promise.then(() => "none", (error) => [error instanceof kind, error.code]);
told.errors = [
  await refusal(client.audio.speech.create({ ...voice, input: "x", speed: 9 }), BadRequestError),
  await refusal(client.audio.speech.create({ ...voice, model: "whisper-1", input: "x" }), NotFoundError),
  await refusal(new OpenAI({ apiKey: "nobody" }).models.list(), AuthenticationError),
];
console.log(JSON.stringify(told));
"""


def test_javascript_does_the_same(relay: Relay, url: str) -> None:
    environment = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": TOKEN, "SDK": str(SDK), "PATH": os.environ["PATH"]}
    command = [NODE, "--input-type=module", "--eval", JAVASCRIPT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["speech"] in ("\xff", "I"), told["picture"], told["clip"]) == (True, "PNG", ["completed", "5", "ftyp"])
    assert (told["lost"], bought(relay, "cut in javascript")) == (1, 1)
    assert [bought(relay, f"{what} by javascript") for what in ("a lighthouse", "waves")] == [1, 1]
    invalid, unknown, unauthorised = told["errors"]
    assert (invalid, unknown, unauthorised) == (
        [True, "invalid_request"],
        [True, "model_not_found"],
        [True, "invalid_api_key"],
    )
