"""The console: one self-contained page, with a policy that lets nothing but its own script and style run."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Final

_INLINE: Final = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


@cache
def console(results_origin: str) -> tuple[str, dict[str, str]]:
    """Return the page and its headers. It holds no data: its script asks the API, with its reader's token, and shows
    files of the results bucket, whose origin is given.
    """
    text = (Path(__file__).parent / "console.html").read_text(encoding="utf-8")
    policy = content_security_policy(text, results_origin)
    digest = hashlib.sha256(f"{policy}\n{text}".encode()).hexdigest()[:20]
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-cache",
        "ETag": f'"{digest}"',
        "Vary": "Accept-Encoding",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    return text, headers


def content_security_policy(page: str, results_origin: str) -> str:
    """Return a policy that allows what the page holds, by hash, calls to its own origin, and results as media."""
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for element, text in _INLINE.findall(page):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        hashes[element].append(f"'sha256-{digest}'")
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(hashes['script'])}",
            f"style-src {' '.join(hashes['style'])}",
            "connect-src 'self'",
            f"img-src 'self' data: {results_origin}",
            f"media-src {results_origin}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )
