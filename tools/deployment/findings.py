"""What a check found: fine, worth knowing, or a fault that ends the command with a failure. One line each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError


class Weight(StrEnum):
    """How much a finding matters."""

    FINE = "fine"
    NOTE = "note"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line; no secret is ever part of it."""

    weight: Weight
    text: str


def fine(text: str) -> Finding:
    """Returns that something was looked at and is well."""
    return Finding(Weight.FINE, text)


def note(text: str) -> Finding:
    """Returns what somebody should know, and what may be meant so."""
    return Finding(Weight.NOTE, text)


def fault(text: str) -> Finding:
    """Returns what has to be mended."""
    return Finding(Weight.FAULT, text)


Check = Callable[[], Iterable[Finding]]


def until_fault(*checks: Check) -> Iterator[Finding]:
    """Make checks of which each stands on those before it: after a fault the others would only repeat it."""
    for check in checks:
        faulty = False
        for found in check():
            yield found
            faulty = faulty or found.weight is Weight.FAULT
        if faulty:
            return


def told(findings: Iterable[Finding]) -> int:
    """Print each finding as it comes, faults to standard error. Returns how many faults there were."""
    faults = 0
    for found in findings:
        if found.weight is Weight.FAULT:
            faults += 1
            print(f"mediarelay: {found.text}", file=sys.stderr, flush=True)
        else:
            print(f"  {found.weight:5} {found.text}", flush=True)
    return faults


def asked(call: Callable[..., Any], **parameters: Any) -> tuple[Any, str]:
    """Ask AWS. Returns its answer, and an error's code in place of one; the code is empty when it answered."""
    try:
        return call(**parameters), ""
    except ClientError as error:
        return {}, str(error.response.get("Error", {}).get("Code") or "an error without a code")
    except BotoCoreError as error:
        return {}, type(error).__name__
