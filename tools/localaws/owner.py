"""A server that belongs to a test run or a demo ends with it, however that ends."""

import os
import signal
import threading
import time

OWNER_VARIABLE = "MEDIARELAY_LOCAL_OWNER"
POLL_SECONDS = 1.0


def follow_owner() -> None:
    """End this process group once the process named in the environment is no longer its parent; without one, never."""
    owner = os.environ.pop(OWNER_VARIABLE, None)
    if owner is not None:
        threading.Thread(target=_follow, args=(int(owner),), name="owner", daemon=True).start()


def _follow(owner: int) -> None:
    while os.getppid() == owner:
        time.sleep(POLL_SECONDS)
    print("mediarelay: the process that started this one is gone; ending", flush=True)
    # It leads a group of its own; the launcher's holds the Lambda workers.
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
