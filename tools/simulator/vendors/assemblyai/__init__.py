"""AssemblyAI's speech in OpenAI's shape, as of November 2026: its models, voices and formats; OpenAI's errors."""

from tools.simulator.vendors.openai.shaped import ShapedModel, ShapedSpeech

_MAPPED = ("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx")
_OWN = ("jane", "michael", "charles", "george", "anna", "paul", "mary", "eve")
_MODEL = ShapedModel((*_MAPPED, *(f"aai-{name}" for name in _OWN)), text_characters=5000, million=15.0)

SIMULATED = ShapedSpeech(
    name="assemblyai",
    path="v1/openai",
    models={"assemblyai-tts-en": _MODEL, "assemblyai-tts-1": _MODEL},
    formats=("mp3", "wav", "pcm"),
)
