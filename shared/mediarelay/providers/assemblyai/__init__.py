"""AssemblyAI: speech in OpenAI's shape."""

from __future__ import annotations

from mediarelay.providers.assemblyai.speech import AssemblyAiTts
from mediarelay.providers.credentials import ApiKeys
from mediarelay.providers.vendor import Vendor

# No probe: its one free call, the list of models, answers whatever the key is.
VENDOR = Vendor(
    name="assemblyai",
    credentials=ApiKeys("ASSEMBLYAI_API_KEYS", ("ASSEMBLYAI_API_KEY",)),
    base_url="https://tts.us.assemblyai.com/v1/openai",
    providers=(AssemblyAiTts(),),
    notes={"assemblyai-tts": "`mp3`, `wav` and `pcm`; English, at the voice's own pace"},
)
