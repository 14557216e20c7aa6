"""An invocation's log is complete, and costs no waiting.

AWS: what a function prints belongs to the invocation that printed it; printing nothing costs nothing.
Stock: waits 50 ms for a first line from a function that prints none, and takes 5 ms of silence as the end of the log so
that late lines end up in the next invocation's log.
Matters: benches, and metrics that travel as log lines.
"""

import queue
import time
from typing import Any

from tools.localaws.anchors import expect_function, replace_once
from tools.localaws.upstream import lambda_runtime

END_MARK = "\0mediarelay-end-of-log"
LONGEST_WAIT_SECONDS = 2.0

STOCK_END_OF_LOOP = "        _real_stdout.flush()\n\nrun()"
MARKED_END_OF_LOOP = f"""        _real_stdout.flush()
        sys.__stderr__.write({END_MARK!r} + chr(10))
        sys.__stderr__.flush()

run()"""


def apply() -> None:
    """Have the Python worker mark the end of each invocation's output, and read up to the mark."""
    lambda_runtime._PYTHON_WORKER_SCRIPT = replace_once(
        lambda_runtime._PYTHON_WORKER_SCRIPT, STOCK_END_OF_LOOP, MARKED_END_OF_LOOP
    )
    worker = lambda_runtime.Worker
    drain = expect_function(worker, "_drain_stderr_bounded", "self", "first_line_wait", "idle_confirm", "hard_cap")

    def drain_to_mark(self: Any, *args: float, **kwargs: float) -> str:
        python = str(self.config.get("Runtime", "python")).startswith("python")
        # A worker that has been ended wrote no mark.
        if not python or self._proc is None:
            log: str = drain(self, *args, **kwargs)
            return log
        return _read_to_mark(self._stderr_queue)

    worker._drain_stderr_bounded = drain_to_mark


def _read_to_mark(lines: "queue.Queue[str]") -> str:
    read: list[str] = []
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        try:
            line = lines.get(timeout=left)
        except queue.Empty:
            break
        if line.endswith(END_MARK):
            # The function's last line may have had no newline of its own.
            read += [line.removesuffix(END_MARK)] if line != END_MARK else []
            break
        read.append(line)
    return "\n".join(read)
