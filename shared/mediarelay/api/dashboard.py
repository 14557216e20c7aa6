"""The dashboard: one self-contained page, with a policy that lets nothing but its own script and style run."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


@cache
def dashboard() -> tuple[str, dict[str, str]]:
    """Return the page and its headers. It holds no data: its script asks the API, with its reader's token."""
    page = (Path(__file__).parent / "dashboard.html").read_text(encoding="utf-8")
    return page, {
        "Content-Security-Policy": content_security_policy(page),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


def content_security_policy(page: str) -> str:
    """Return a policy that allows what the page holds, by hash, and calls to its own origin; nothing else."""
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
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
