"""How long the vendors' jobs take, in seconds: as they are for benchmarks, in brief for a server."""

from .latency import Latency, Lognormal

KLING_VIDEO = Lognormal(median=120.0, p99=300.0)
FAL_KLING = Lognormal(median=150.0, p99=400.0)
STABLE_AUDIO = Lognormal(median=15.0, p99=40.0)

# A demo must not take minutes: a simulator's jobs take a thirtieth of their time, unless it is configured otherwise.
BRIEFLY = 1 / 30


def scaled(distribution: Lognormal, factor: float) -> Lognormal:
    """The same shape, quicker or slower."""
    return Lognormal(median=distribution.median * factor, p99=distribution.p99 * factor)


def brief_jobs() -> dict[str, dict[str, Latency]]:
    """Latencies of the work behind each submit, by vendor and operation."""
    return {
        "kling": {"task_run": scaled(KLING_VIDEO, BRIEFLY)},
        "replicate": {"prediction_run": scaled(FAL_KLING, BRIEFLY)},
        "fal": {"video_run": scaled(FAL_KLING, BRIEFLY), "audio_run": scaled(STABLE_AUDIO, BRIEFLY)},
    }
