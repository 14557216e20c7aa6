"""The waiting bench: how many of the slot-seconds that are paid for are used at any mix, and what waiting costs.

A worker process around the shipped handler, with its real threads and clients, waits for a vendor that takes the
catalogue's time, while its queue always has more; pictures take a tenth of theirs, so that the processor has ten times
as much to do. An invocation is shorter than the template's, by a middle part of which it has half: what that part would
have brought is added. Lambda's share of a processor is counted: where a request takes more of it than of the waiting,
that is what it costs. Lone messages are served by turns as now and as before. Pictures that the front passes on are
measured beside a router that would send every message on before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.request import Request, urlopen

from mediarelay.dispatch.batches import ANSWER_SECONDS, FULL, RESERVE_SECONDS
from tests.harness.template import load_template
from tools import aws_facts as aws
from tools.bench.costs import bill
from tools.bench.lambda_environment import printed_by
from tools.bench.result import FOLDER, Measurement
from tools.bench.streams.announce import CALL_SECONDS
from tools.bench.waiting.server import COUNTED, SET
from tools.http_server import serving_apart

ROWS: Final = FOLDER / "waiting-rows.json"
MIXES: Final = (0.0, 0.1, 0.5, 1.0)
USED: Final = 0.85
SPEECH_GOAL: Final = 0.0004
PICTURE_GOAL: Final = 0.01
# What a lone message may take beside what it took before: the two differ by less than a machine does from run to run.
LONE_BAR: Final = 1.05
SPEECH_TAKING: Final = 12.0  # seconds for which further messages are taken
PICTURE_TAKING: Final = 15.0
PICTURE_SCALE: Final = 10.0
SPEECH_MESSAGE_SECONDS: Final = 20.0
# What was measured of a router in front: at this memory, with what a call of SQS takes within the region (`announce`).
ROUTER_MEMORY: Final = 256
MIX_OF_THE_BAR: Final = 0.1
FUNCTIONS: Final = {"dispatch_request": "DispatchRequestFunction", "draw_picture": "DrawPictureFunction"}


@dataclass(frozen=True)
class Load:
    """One function at full load, by message.

    Attributes:
        slots: That it has.
        billed: Seconds of a worker that are paid for.
        used: Seconds of a slot that are used.
        processor: Seconds of a whole processor.
        calls: Of SQS's, by the worker.
    """

    slots: int
    billed: float
    used: float
    processor: float
    calls: float

    @property
    def share(self) -> float:
        """Which part of the slot-seconds is used."""
        return self.used / (self.slots * self.billed)

    def dollars(self, memory: int) -> float:
        """Compute for a thousand, whichever binds: the slots, or the processor's share of so many MB."""
        seconds = max(self.billed, self.processor * aws.MB_OF_A_PROCESSOR.value / memory)
        return bill.THOUSAND * seconds * memory / 1024 * aws.LAMBDA_GB_SECOND.value


def measure() -> Iterator[Measurement]:
    """Used slot-seconds by mix, dollars of compute by kind, and lone messages beside those of before."""
    with serving_apart("tools.bench.waiting.server") as url:
        front = {mix: _busy(url, "dispatch_request", mix) for mix in MIXES}
        pictures = _busy(url, "draw_picture", 1.0)
        lone = {
            "speech": _told(url, "lone", "dispatch_request", "tts"),
            "picture": _told(url, "lone", "dispatch_request", "image"),
        }
        router = _router(url, MIX_OF_THE_BAR)
    rows = [_row(mix, front[mix], pictures) for mix in MIXES]
    FOLDER.mkdir(parents=True, exist_ok=True)
    ROWS.write_text(json.dumps(rows), encoding="utf-8")
    on_calls = bill.THOUSAND * front[1.0].calls * aws.SQS_CALL.value
    passed_on = front[1.0].dollars(_memory("dispatch_request")) + on_calls
    yield Measurement(
        name="waiting-passing-on",
        value=MIX_OF_THE_BAR * passed_on,
        unit=f"dollars to pass on the pictures among 1,000 messages, {MIX_OF_THE_BAR:.0%} of them",
        reference="a router that sends all messages on to the queues of their kinds",
        reference_value=router,
        bar=1.0,
    )
    worst = min(rows, key=lambda row: row["used"])
    yield Measurement(
        name="waiting-used",
        value=worst["used"],
        unit="of the slot-seconds paid for",
        reference=f"the goal; the worst mix, {worst['pictures']:.0%} pictures",
        reference_value=USED,
        bar=1.0,
        more_is_better=True,
    )
    for name, load, goal, before in (
        ("speech", front[0.0], SPEECH_GOAL, _before(bill.SPEECH_SECONDS)),
        ("picture", pictures, PICTURE_GOAL, _before(bill.PICTURE_SECONDS)),
    ):
        yield Measurement(
            name=f"waiting-{name}-dollars",
            value=load.dollars(_memory("dispatch_request" if name == "speech" else "draw_picture")),
            unit="dollars of compute per 1,000 at full load",
            reference=f"the goal; batches of ten and nothing else cost {before:.4f}",
            reference_value=goal,
            bar=1.0,
        )
    for name, times in lone.items():
        yield Measurement(
            name=f"waiting-lone-{name}",
            value=times["now"],
            unit="ms of our own for a lone message, median",
            reference="as served before, by turns in the same worker",
            reference_value=times["before"],
            bar=LONE_BAR,
        )


def table() -> str:
    """Markdown: used slot-seconds and dollars by mix, beside those of batches of ten and nothing else."""
    head = ["pictures", "used", "before", "dollars of compute per 1,000", "before", "SQS calls per 1,000 by workers"]
    rows = [head, ["---:"] * len(head)]
    for row in json.loads(ROWS.read_text(encoding="utf-8")):
        figures = [f"{row['used']:.1%}", f"{row['used_before']:.1%}", f"{row['dollars']:.5f}"]
        rows.append([f"{row['pictures']:.0%}", *figures, f"{row['dollars_before']:.5f}", f"{row['calls']:.0f}"])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _router(url: str, mix: float) -> float:
    """Returns dollars: what a thousand messages cost by way of a router, whose batches Lambda receives and deletes."""
    got = _told(url, str(mix), module="tools.bench.waiting.in_front")
    sends, processor = got["calls"] / got["sent"], got["processor"] / got["served"]
    seconds = processor * aws.MB_OF_A_PROCESSOR.value / ROUTER_MEMORY + sends * CALL_SECONDS
    calls = sends + 2 / FULL
    a_message = (
        seconds * ROUTER_MEMORY / 1024 * aws.LAMBDA_GB_SECOND.value
        + aws.LAMBDA_INVOCATION.value / FULL
        + calls * aws.SQS_CALL.value
    )
    return float(bill.THOUSAND * a_message)


def _row(mix: float, front: Load, pictures: Load) -> dict[str, float]:
    """Returns a thousand messages of a mix: all come to the front, and its pictures are passed on."""
    used = front.used + mix * pictures.used
    paid = front.slots * front.billed + mix * pictures.slots * pictures.billed
    long, short = bill.PICTURE_SECONDS + bill.OWN_SECONDS, bill.SPEECH_SECONDS + bill.OWN_SECONDS
    with_a_picture = 1 - (1 - mix) ** FULL
    lasts = with_a_picture * long + (1 - with_a_picture) * short
    return {
        "pictures": mix,
        "used": used / paid,
        "used_before": (mix * long + (1 - mix) * short) / lasts,
        "dollars": front.dollars(_memory("dispatch_request")) + mix * pictures.dollars(_memory("draw_picture")),
        "dollars_before": _before(lasts - bill.OWN_SECONDS),
        "calls": bill.THOUSAND * (front.calls + mix * pictures.calls),
    }


def _before(seconds: float) -> float:
    """Returns the compute of a thousand in batches of ten that last so long."""
    worker = (seconds + bill.OWN_SECONDS) * _memory("dispatch_request") / 1024 * aws.LAMBDA_GB_SECOND.value
    return bill.THOUSAND / FULL * worker


def _busy(url: str, name: str, mix: float) -> Load:
    drawing = name == "draw_picture"
    scale, taking = (PICTURE_SCALE, PICTURE_TAKING) if drawing else (1.0, SPEECH_TAKING)
    message = float(_timing()["MessageTime"]) / scale if drawing else SPEECH_MESSAGE_SECONDS
    seconds = {"speech_seconds": bill.SPEECH_SECONDS, "picture_seconds": bill.PICTURE_SECONDS / scale}
    timeout = taking + message + ANSWER_SECONDS + RESERVE_SECONDS
    slots = _slots(name)
    variables = {"WORKER_THREADS": str(slots), "MESSAGE_SECONDS": str(message)}
    got = _told(url, "busy", name, str(timeout), str(mix), settings={**seconds, "pictures": mix}, **variables)
    # As long as the template has it taken messages: the middle part goes on for as much longer.
    times = _timing()
    whole = float(times["FunctionTimeout"]) - float(times["MessageTime"]) - ANSWER_SECONDS - RESERVE_SECONDS
    more = whole / scale - taking
    served = got["served"] + got["steady_rate"] * more
    # Its own work does not scale with the vendor's time, and counts as it was measured.
    return Load(
        slots,
        billed=(got["wall"] + more) * scale / served,
        used=(got["used"] + got["steady_slots"] * more) * scale / served,
        processor=got["processor"] / got["served"],
        calls=got["calls"] / got["served"],
    )


def _told(
    url: str,
    *arguments: str,
    settings: Mapping[str, float] | None = None,
    module: str = "tools.bench.waiting.worker",
    **variables: str,
) -> dict[str, float]:
    """Returns what a worker printed, with that server for AWS and the vendors, and how often it called SQS."""
    with urlopen(Request(url + SET, data=json.dumps(settings or {}).encode())):  # noqa: S310 # ours
        pass
    queues = {"REQUEST_QUEUE_URL": f"{url}/000000000000/requests", "PICTURE_QUEUE_URL": f"{url}/000000000000/pictures"}
    told = printed_by(module, *arguments, url=url, **queues, **variables)
    with urlopen(url + COUNTED) as answer:  # noqa: S310 # ours
        calls = sum(json.load(answer).values())
    return {**told, "calls": calls}


def _timing() -> dict[str, Any]:
    times: dict[str, Any] = load_template()["Mappings"]["Timing"]["standard"]
    return times


def _slots(name: str) -> int:
    template = load_template()
    function = template["Resources"][FUNCTIONS[name]]["Properties"]
    parameter = function["Environment"]["Variables"]["WORKER_THREADS"]["Ref"]
    return int(template["Parameters"][parameter]["Default"])


def _memory(name: str) -> int:
    return int(load_template()["Resources"][FUNCTIONS[name]]["Properties"]["MemorySize"])
