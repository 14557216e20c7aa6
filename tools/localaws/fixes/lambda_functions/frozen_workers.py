"""A worker finds its connections dead when it is thawed, where MEDIARELAY_LOCAL_CUT_IDLE_CONNECTIONS is set.

AWS: a worker is frozen between invocations. "Lambda purges idle connections over time. Attempting to reuse an idle
connection when invoking a function will result in a connection error." (Lambda developer guide, "Best practices for
working with AWS Lambda functions".)
Stock: freezes nothing.
Matters: clients that make one attempt fail then. Off unless asked for: on AWS it happens after minutes, here before
every invocation. `aws` cuts what goes to AWS, `all` what goes to vendors too: those our workers give up themselves
before anybody purges them, after half a minute.
"""

import os

from tools.localaws.anchors import replace_once
from tools.localaws.upstream import lambda_runtime

VARIABLE = "MEDIARELAY_LOCAL_CUT_IDLE_CONNECTIONS"

# Runs inside the worker. The other end reads one byte and hangs up with the rest unread: so a connection looks alive
# until it is used, and is reset then.
CUT = r"""
def _cut_idle_connections():
    import os, socket, stat, threading, urllib.parse

    aws = urllib.parse.urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).port

    def hang_up(far):
        far.recv(1)
        far.close()

    for number in map(int, os.listdir("/dev/fd")):
        try:
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            with socket.socket(fileno=os.dup(number)) as line:
                if line.family not in (socket.AF_INET, socket.AF_INET6):
                    continue
                if line.getpeername()[1] != aws and not EVERYTHING:
                    continue
                blocking = os.get_blocking(number)
                line.shutdown(socket.SHUT_RDWR)
            near, far = socket.socketpair()
            os.dup2(near.fileno(), number)
            os.set_blocking(number, blocking)
            near.close()
        except OSError:
            continue
        threading.Thread(target=hang_up, args=(far,), daemon=True).start()
"""
STOCK_INVOCATION = "        _ms_msg = json.loads(line)\n"


def apply() -> None:
    """Have the worker cut what is open when an invocation arrives."""
    script = replace_once(
        lambda_runtime._PYTHON_WORKER_SCRIPT, STOCK_INVOCATION, "        _cut_idle_connections()\n" + STOCK_INVOCATION
    )
    wanted = os.environ.get(VARIABLE, "")
    if wanted:
        lambda_runtime._PYTHON_WORKER_SCRIPT = f"EVERYTHING = {wanted == 'all'}\n{CUT}" + script
