"""Qwen: speech by Alibaba Cloud's Model Studio (DashScope).

Keys belong to a region. The address is the international one in Singapore; another region's, or a workspace's own
(`https://{workspace}.{region}.maas.aliyuncs.com/api/v1`), takes its place by QWEN_BASE_URL or `PROVIDER_BASE_URLS`.
"""

from __future__ import annotations

from mediarelay.providers.credentials import ApiKeys
from mediarelay.providers.probe import Probe
from mediarelay.providers.qwen.errors import qwen_failure
from mediarelay.providers.qwen.speech import QwenTts
from mediarelay.providers.vendor import Vendor

VENDOR = Vendor(
    name="qwen",
    credentials=ApiKeys("DASHSCOPE_API_KEYS", ("DASHSCOPE_API_KEY",)),
    base_url="https://dashscope-intl.aliyuncs.com/api/v1",
    providers=(QwenTts(),),
    # The list of models, as the vendor's SDK asks for it (dashscope 2.0.2, `Models.list`).
    probe=Probe("/models", qwen_failure, params={"page_no": "1", "page_size": "1"}),
    notes={
        "qwen-tts": "`wav`, at the voice's own pace; ten languages, 600 characters at a time; keys of the Singapore "
        "region, unless `ProviderBaseUrls` names the address of another"
    },
)
