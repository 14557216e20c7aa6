"""Vendor options: which pass, what is said of the others, and what they do to the price."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mediarelay.options.parsing import AllowedOption, ListedOptions, OptionPrice
from mediarelay.providers.api import ProviderCall, SpeaksInContext
from mediarelay.providers.catalogue import Model, models
from mediarelay.providers.registry import ALL_PROVIDERS
from mediarelay.request.model import AudioInput, ImageInput, TtsInput, VideoInput
from mediarelay.routing.options import parse_options, priced, refusal
from mediarelay.vocabulary.kinds import Kind
from tests.builders.calls import calling

EVERY_MODEL = [model for name in ALL_PROVIDERS for model in models(name).values()]
LISTED = [model for model in EVERY_MODEL if model.options]
UNKNOWN = {"fidelity_of_tomorrow": 2}

# Each of these would change what was checked and paid for, or keep the result from being delivered.
NEVER: list[tuple[str, dict[str, Any], str]] = [
    ("openai-tts", {"model": "tts-1"}, "model: set model.openai-tts instead"),
    ("openai-tts", {"input": "longer"}, "input: set input.text instead"),
    ("openai-tts", {"response_format": "pcm"}, "response_format: set input.format instead"),
    ("openai-tts", {"stream_format": "sse"}, "stream_format: the answer is read as audio"),
    ("groq-tts", {"speed": 2}, "speed: groq-tts has no field for the pace"),
    ("openai-image", {"n": 10}, "n: set input.n instead"),
    ("openai-image", {"prompt": "other"}, "prompt: set input.prompt instead"),
    ("openai-image", {"model": "other"}, "model: set model.openai-image instead"),
    ("openai-image", {"size": "3840x2160"}, "size: set input.size instead"),
    ("openai-image", {"response_format": "url"}, "response_format: GPT image models refuse it"),
    ("openai-image", {"style": "vivid"}, "style: GPT image models refuse it"),
    ("openai-image", {"output_format": "svg"}, "output_format: set input.format instead"),
    ("openai-image", {"stream": True}, "stream: "),
    ("openai-image", {"frame_count": 16}, "frame_count: "),
    ("elevenlabs-tts", {"text": "other"}, "text: set input.text instead"),
    ("elevenlabs-tts", {"model_id": "eleven_v3"}, "model_id: set model.elevenlabs-tts instead"),
    ("elevenlabs-tts", {"voice_settings": {"speed": 0.7}}, "voice_settings.speed: set input.speed instead"),
    ("elevenlabs-audio", {"composition_plan": {}}, "composition_plan: "),
    ("elevenlabs-audio", {"output_format": "pcm_44100"}, "output_format: "),
    ("deepgram-tts", {"callback": "https://example.com"}, "callback: "),
    ("deepgram-tts", {"sample_rate": 8000}, "sample_rate: "),
    ("gemini-tts", {"model": "other"}, "model: set model.gemini-tts instead"),
    ("gemini-tts", {"contents": []}, "contents: set input.text instead"),
    ("gemini-tts", {"generationConfig": {"responseModalities": ["TEXT"]}}, "generationConfig.responseModalities: "),
    ("gemini-tts", {"generationConfig": {"candidate_count": 2}}, "generationConfig.candidate_count: one "),
    ("gemini-tts", {"generation_config": {"candidateCount": 2}}, "generation_config.candidateCount: one "),
    ("google-tts", {"input": {"text": "x"}}, "input.text: set input.text instead"),
    ("google-tts", {"audioConfig": {"audio_encoding": "ALAW"}}, "audioConfig.audio_encoding: set input.format instead"),
    ("google-tts", {"audio_config": {"audioEncoding": "ALAW"}}, "audio_config.audioEncoding: set input.format "),
    ("polly-tts", {"Engine": "standard"}, "Engine: set model.polly-tts instead"),
    ("polly-tts", {"VoiceId": "Amy"}, "VoiceId: write voice instead"),
    ("qwen-tts", {"text": "x"}, "text: "),
    ("qwen-tts", {"model": "x"}, "model: "),
    ("replicate-tts", {"voice_id": "x"}, "voice_id: "),
    ("replicate-tts", {"text": "x"}, "text: "),
    ("replicate-video", {"duration": 10}, "duration: "),
    ("replicate-video", {"start_image": "x"}, "start_image: "),
    ("kling-video", {"external_task_id": "mine"}, "external_task_id: "),
    ("kling-video", {"callback_url": "https://example.com"}, "callback_url: "),
    ("kling-video", {"Model_Name": "kling-v3"}, "Model_Name: set model.kling-video instead"),
    ("fal-flux", {"num_images": 4}, "num_images: set input.n instead"),
    ("fal-flux", {"prompt": "other"}, "prompt: set input.prompt instead"),
    ("fal-flux", {"output_format": "jpeg"}, "output_format: set input.format instead"),
    ("fal-flux", {"sync_mode": True}, "sync_mode: pictures are fetched by URL"),
    ("fal-flux-2", {"model": "x"}, "model: "),
    ("fal-kling", {"duration": "10"}, "duration: "),
    ("fal-kling", {"multi_prompt": [{"prompt": "x", "duration": "15"}]}, "multi_prompt: "),
    ("fal-stable-audio", {"sync_mode": True}, "sync_mode: "),
    ("fal-sound-effects", {"output_format": "pcm_44100"}, "output_format: "),
]
# Nor would these, which no list names: they change a field that is sent anyway, or have somebody called.
BREAKING: list[tuple[str, dict[str, Any]]] = [
    ("deepgram-tts", {"my_webhook": "https://example.com"}),
    ("fal-kling", {"webhookUrl": "https://example.com"}),
    ("gemini-tts", {"generation_config": {"temperature": 1}}),
    ("google-tts", {"audio_config": {"pitch": 2}}),
    ("openai-image", {"quality": "beyond"}),
    ("fal-flux", {"image_size": {"width": 4096}}),
    ("elevenlabs-tts", {"output_format": "pcm_44100"}),
]


def call(provider: str, options: Mapping[str, Any] | None = None, model: Model | None = None) -> ProviderCall:
    chosen = model or next(each for each in models(provider).values() if each.default)
    match ALL_PROVIDERS[provider].kind:
        case Kind.TTS:
            return calling(chosen, TtsInput(text="Good morning."), options)
        case Kind.IMAGE:
            return calling(chosen, ImageInput(prompt="A lighthouse."), options)
        case Kind.VIDEO:
            return calling(chosen, VideoInput(prompt="A lighthouse.", mode="pro"), options)
        case _:
            wanted = "sfx" if chosen.serves == "sfx" else "music"
            return calling(chosen, AudioInput(prompt="Waves.", type=wanted, duration=5), options)


def refused(provider: str, options: Mapping[str, Any], *, passing: bool = False) -> str | None:
    return refusal(ALL_PROVIDERS[provider], call(provider, options), passing=passing)


def estimate(provider: str, options: Mapping[str, Any] | None = None, model: Model | None = None) -> float:
    return ALL_PROVIDERS[provider].estimate_usd(call(provider, options, model))


@pytest.mark.parametrize("passing", [False, True])
@pytest.mark.parametrize(("provider", "options", "words"), NEVER)
def test_what_would_change_what_is_checked_and_paid_for_never_passes(provider, options, words, passing):
    assert f"options.{provider}.{words}" in (refused(provider, options, passing=passing) or "")


@pytest.mark.parametrize(("provider", "options"), BREAKING)
def test_what_no_list_names_and_would_break_delivery_does_not_pass_either(provider, options):
    assert refused(provider, options)
    assert "may not change what is made of the request" in (refused(provider, options, passing=True) or "")


@pytest.mark.parametrize("model", LISTED, ids=lambda model: f"{model.provider} {model.id}")
def test_what_is_not_listed_is_refused_with_what_is_or_counts_as_the_most_that_a_call_costs(model):
    asked, provider = call(model.provider, UNKNOWN, model), ALL_PROVIDERS[model.provider]
    said = refusal(provider, asked, passing=False)
    assert said is not None
    assert f"options.{model.provider}.fidelity_of_tomorrow: not an option of {model.id} (allowed: " in said
    assert all(option.name in said for option in parse_options(model).allowed)
    assert refusal(provider, asked, passing=True) is None
    assert provider.estimate_usd(asked) >= model.most_usd > 0
    assert asked.least_usd == model.most_usd


def test_all_slips_are_told_at_once_and_by_what_is_allowed():
    said = refused("fal-flux", {"seed": 1.5, "acceleration": "warp", "num_inference_steps": 13, "sed": 1}) or ""
    assert "options.fal-flux.seed: takes a whole number from 0 to 9007199254740991; " in said
    assert 'options.fal-flux.acceleration: takes one of "none", "regular", "high"; ' in said
    assert "options.fal-flux.num_inference_steps: takes a whole number from 1 to 12; " in said
    assert "options.fal-flux.sed: not an option of fal-ai/flux/schnell (allowed: acceleration, " in said


def test_however_many_slips_there_are_the_message_fits_a_record_and_an_event():
    many = {f"x{number}": 0 for number in range(400)}
    said = refused("fal-flux", many) or ""
    assert "options.fal-flux.x0: not an option of " in said
    assert len(said) < 2000
    assert (refused("fal-stable-audio", many) or "").endswith("; and 396 more")


def test_who_may_let_an_option_pass_is_said_where_that_would_help():
    assert "OptionsPolicy=pass of the deployment" in (refused("elevenlabs-tts", UNKNOWN) or "")
    for options in ({"callback": "https://example.com"}, {"text": "other"}):
        assert "OptionsPolicy" not in (refused("deepgram-tts", options) or "")


def test_a_model_whose_dearest_call_is_not_known_lets_nothing_pass():
    asked = call("openai-image", UNKNOWN, models("openai-image")["dall-e-2"])
    assert "OptionsPolicy" not in (refusal(ALL_PROVIDERS["openai-image"], asked, passing=True) or "OptionsPolicy")


@pytest.mark.parametrize(
    ("provider", "options"),
    [
        ("elevenlabs-tts", {"voice_settings": {"stability": 0.4, "style": 1}, "seed": 7, "voice": "x"}),
        ("elevenlabs-tts", {"previous_text": "So far.", "previous_request_ids": ["a", "b"]}),
        ("elevenlabs-tts", {"pronunciation_dictionary_locators": [{"pronunciation_dictionary_id": "x"}]}),
        ("elevenlabs-tts", {"output_format": "mp3_44100_192", "enable_logging": False}),
        ("gemini-tts", {"serviceTier": "priority", "generationConfig": {"seed": 4}, "safetySettings": []}),
        ("polly-tts", {"TextType": "ssml", "LexiconNames": ["places"]}),
        ("openai-image", {"quality": "high", "background": "opaque", "output_compression": 40}),
        ("fal-flux", {"image_size": {"width": 512, "height": 512}, "enable_safety_checker": True}),
        ("fal-flux", {"image_size": "square_hd"}),
        ("fal-kling", {"generate_audio": True, "negative_prompt": "fog", "cfg_scale": 0.5}),
        ("kling-video", {"sound": "on", "negative_prompt": "fog"}),
        ("replicate-tts", {"emotion": "calm", "pitch": -2, "bitrate": 64000}),
    ],
)
def test_what_is_listed_passes(provider, options):
    assert refused(provider, options) is None
    assert call(provider, options).least_usd == 0


def test_whoever_speaks_in_context_is_allowed_what_parts_of_a_long_text_say_of_it():
    around = {"previous_text": "So far.", "next_text": "And on."}
    told = [(name, each) for name, each in ALL_PROVIDERS.items() if isinstance(each, SpeaksInContext)]
    assert told
    for name, provider in told:
        for model in models(name).values():
            takes = provider.takes_context(model.id)
            assert (refusal(provider, call(name, around, model), passing=False) is None) == takes


@pytest.mark.parametrize(
    ("provider", "options", "times"),
    [
        ("fal-kling", {"generate_audio": True}, 2.0),
        ("fal-kling", {"generate_audio": False}, 1.0),
        ("kling-video", {"sound": "on"}, 2.0),
        ("kling-video", {"sound": "off"}, 1.0),
        ("gemini-tts", {"serviceTier": "priority"}, 1.8),
        ("gemini-tts", {"serviceTier": "standard"}, 1.0),
        ("elevenlabs-tts", {"seed": 3}, 1.0),
    ],
)
def test_what_an_option_does_to_the_price(provider, options, times):
    assert estimate(provider, options) == pytest.approx(times * estimate(provider))


def test_what_the_vendor_reports_is_priced_with_the_options_as_well():
    usual, dear = call("gemini-tts"), call("gemini-tts", {"serviceTier": "priority"})
    assert dear.model.prices == pytest.approx({unit: usd * 1.8 for unit, usd in usual.model.prices.items()})


@st.composite
def option_lists(draw: st.DrawFn) -> tuple[Model, dict[str, Any]]:
    """A model, and values of some of its options, allowed ones."""
    model = draw(st.sampled_from([model for model in LISTED if parse_options(model).allowed]))
    options: dict[str, Any] = {}
    for option in draw(st.sets(st.sampled_from(parse_options(model).allowed).map(lambda each: each.name))):
        entry = next(each for each in parse_options(model).allowed if each.name == option)
        *outer, name = option.split(".")
        place = options
        for step in outer:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):  # one of the names that a size may go by
                break
        else:
            place.setdefault(name, draw(values(entry)))
    return model, options


def values(option: AllowedOption) -> st.SearchStrategy[Any]:
    if option.values is not None:
        return st.sampled_from(option.values)
    least, most = option.least or 0, option.most or 1
    return {
        "boolean": st.booleans(),
        "integer": st.integers(int(least), int(most)),
        "number": st.floats(least, most),
        "text": st.text(max_size=min(20, int(most))),
        "texts": st.lists(st.text(max_size=5), max_size=int(most)),
        "objects": st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5)), max_size=int(most)),
    }[str(option.type)]


def least_known(model: Model, options: Mapping[str, Any]) -> float:
    """The least that the vendor is known to take: a plain call's price, times what each option multiplies it by."""
    plain = {name: value for name, value in options.items() if name in ("quality", "image_size")}
    usd = ALL_PROVIDERS[model.provider].estimate_usd(
        dataclasses.replace(call(model.provider, None, model), options=plain)
    )
    match model.provider, options:
        case "fal-kling", {"generate_audio": True}:
            return usd * model.prices["per_second_with_sound"] / model.prices["per_second"]
        case "kling-video", {"sound": "on"}:
            return usd * model.prices["pro_per_second_with_sound"] / model.prices["pro_per_second"]
        case "gemini-tts", {"serviceTier": "priority"}:
            return usd * 1.8
        case _:
            return usd


@given(option_lists())
def test_no_list_of_options_makes_an_estimate_lower_than_what_the_vendor_takes(drawn):
    model, options = drawn
    asked, provider = call(model.provider, options, model), ALL_PROVIDERS[model.provider]
    assert refusal(provider, asked, passing=False) is None
    assert provider.estimate_usd(asked) >= least_known(model, options) * (1 - 1e-9)
    dearest = call(model.provider, {**options, **UNKNOWN}, model)
    assert provider.estimate_usd(dearest) >= max(provider.estimate_usd(asked) * (1 - 1e-9), model.most_usd)


@given(st.sampled_from(LISTED), st.dictionaries(st.text(max_size=12), st.integers() | st.text(max_size=3), max_size=3))
def test_no_name_whatever_lowers_an_estimate(model, options):
    options.pop("voice", None)
    assert estimate(model.provider, options, model) >= estimate(model.provider, None, model) * (1 - 1e-9)


def largest(model: Model) -> Iterator[Any]:
    """The largest inputs that one call of the model takes."""
    limits = model.limits
    match ALL_PROVIDERS[model.provider].kind:
        case Kind.TTS:
            long = "x" * (limits.get("text_characters") or limits["text_bytes"])
            yield from (TtsInput(text=long), TtsInput(text=long, speed=0.25))
        case Kind.IMAGE:
            size = "2048x2048" if "most_pixels" not in limits else "3840x2160"
            prompt = "x" * limits.get("prompt_characters", 1000)
            yield ImageInput(prompt=prompt, n=limits["n"], size=size, quality="high")
        case Kind.VIDEO:
            yield VideoInput(prompt="x", duration=limits["longest_ms"] // 1000, mode="pro")
        case _:
            yield AudioInput(prompt="x", duration=limits["longest_ms"] / 1000, type=model.serves or "music")


@pytest.mark.parametrize("model", LISTED, ids=lambda model: f"{model.provider} {model.id}")
def test_the_most_that_a_call_costs_is_no_less_than_the_dearest_one_that_is_listed(model):
    provider = ALL_PROVIDERS[model.provider]
    for asked in largest(model):
        plain = dataclasses.replace(call(model.provider, None, model), input=asked)
        dearest = dataclasses.replace(priced(dataclasses.replace(plain, options=UNKNOWN)), least_usd=0.0)
        assert model.most_usd >= provider.estimate_usd(dearest) * 0.999


@pytest.mark.parametrize(
    "written",
    [
        {"allowed": [{"name": "a"}]},
        {"allowed": [{"name": "a", "type": "boolean", "values": [1]}]},
        {"allowed": [{"name": "a", "type": "boolean"}, {"name": "a", "type": "text"}]},
        {"allowed": [{"name": "a", "type": "boolean"}], "refused": {"a": "leave it out"}},
        {"allowed": [{"name": "a", "type": "boolean", "price": {"true": {"times": 0.5}}}]},
        {"allowed": [{"name": "a", "type": "boolean", "price": {"true": {"prices": {"per_call": "nothing"}}}}]},
        {"allowed": [{"name": "a", "type": "boolean", "price": {"true": {"prices": {"per_call": "cheaper"}}}}]},
        {"allowed": [], "known": True},
        # A price of what can't be asked for.
        {"allowed": [{"name": "a", "type": "boolean", "price": {"True": {"times": 2}}}]},
        {"allowed": [{"name": "a", "type": "integer", "most": 2, "price": {"3": {"times": 2}}}]},
        {"allowed": [{"name": "a", "type": "number", "price": {"2.0": {"times": 2}}}]},
        {"allowed": [{"name": "a", "type": "number", "price": {"two": {"times": 2}}}]},
        {"allowed": [{"name": "a", "type": "text", "most": 3, "price": {"four": {"times": 2}}}]},
        {"allowed": [{"name": "a", "values": ["off", "on"], "price": {"On": {"times": 2}}}]},
    ],
)
def test_a_list_with_a_slip_is_none(written):
    prices = {"per_call": 2.0, "cheaper": 1.0}
    with pytest.raises(ValidationError):
        ListedOptions.model_validate({"source": "a page", **written}, context=prices)
    ListedOptions.model_validate({"source": "a page"}, context=prices)


@pytest.mark.parametrize("value", [2, 2.0])
def test_a_number_has_its_price_however_a_request_writes_it(value):
    of_values = AllowedOption.model_validate({"name": "a", "values": [1, 2], "price": {"2": {"times": 3}}})
    of_a_range = AllowedOption.model_validate({"name": "a", "type": "number", "price": {"2": {"times": 3}}})
    for option in (of_values, of_a_range):
        assert option.takes(value)
        assert option.effect(value) == OptionPrice(times=3)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"values": [32000, 0.5, "on", True]}, 'one of 32000, 0.5, "on", true'),
        ({"type": "text"}, "a text"),
        ({"type": "text", "most": 8}, "a text of at most 8 characters"),
        ({"type": "texts"}, "a list of texts"),
        ({"type": "number", "most": 2}, "a number to 2"),
        ({"type": "integer", "least": 0, "most": 9}, "a whole number from 0 to 9"),
    ],
)
def test_what_is_allowed_is_said_as_a_request_would_write_it(written, words):
    assert AllowedOption.model_validate({"name": "a", **written}).allowed() == words


@pytest.mark.parametrize("model", [model for model in EVERY_MODEL if model.prices], ids=lambda model: model.id)
def test_each_model_with_a_price_has_a_list_and_says_what_a_call_costs_at_most(model):
    assert parse_options(model).checked is not None
    assert model.most_usd
