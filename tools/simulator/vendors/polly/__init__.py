"""Amazon Polly as of November 2026: SynthesizeSpeech and DescribeVoices, requests by AWS's signature."""

from .api import SIMULATED

__all__ = ["SIMULATED"]
