"""How often each function has run in a chain of requests, as a trace header tells. Pure: no MiniStack in it."""

import hashlib
import re
import secrets
import time
from collections.abc import Iterable, Mapping

# "approximately 16 times", says the Lambda guide.
LONGEST_CHAIN = 16
LINEAGE = re.compile(r"(?:^|;)Lineage=([^;]*)")
HOP = re.compile(r"\d+:([0-9a-f]{8}):(\d+)")


def fingerprint(function: str) -> str:
    """Returns the name that a function has in a lineage."""
    return hashlib.sha256(function.encode()).hexdigest()[:8]


def longest(headers: Iterable[str | None]) -> dict[str, int]:
    """Returns each function's count in the longest of several chains: those of one batch go on as one."""
    counts: dict[str, int] = {}
    for header in headers:
        for name, count in HOP.findall("".join(LINEAGE.findall(header or ""))):
            counts[name] = max(counts.get(name, 0), int(count))
    return counts


def trace_header(counts: Mapping[str, int], function: str, *, sampled: bool) -> str:
    """Returns the trace header of a function's invocation, which is one more in the chain."""
    name = fingerprint(function)
    hops = {**counts, name: counts.get(name, 0) + 1}
    lineage = "|".join(f"1:{name}:{count}" for name, count in hops.items())
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled={int(sampled)};Lineage={lineage}"
