"""AWS Lambda developer guide, "Best practices for working with AWS Lambda functions": idle connections are purged."""

import pytest

from tools.localaws.ministack_process import MiniStackProcess
from tools.localaws.tests.server import Local, start_server

pytestmark = pytest.mark.stack

# A connection that is kept; `sock` is the same object throughout, so what fails is the connection and not the client.
KEEPS = """
import http.client, select, urllib.parse

KEPT = http.client.HTTPConnection(urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc, timeout=5)
KEPT.connect()

def handler(event, context):
    looked_dead = bool(select.select([KEPT.sock], [], [], 0)[0])
    try:
        KEPT.request("GET", "/_ministack/health")
        KEPT.getresponse().read()
        return {"looked_dead": looked_dead, "failed": None}
    except OSError as error:
        KEPT.close()
        KEPT.connect()
        return {"looked_dead": looked_dead, "failed": type(error).__name__}
"""
ALIVE = {"looked_dead": False, "failed": None}
RESET = {"looked_dead": False, "failed": "ConnectionResetError"}


def test_a_kept_connection_lives_unless_asked_for_otherwise_in_stock_too(local):
    function = local.function(KEEPS)
    assert [function.invoke() for _ in range(3)] == [ALIVE] * 3


@pytest.mark.parametrize("what", ["aws", "all"])
def test_a_kept_connection_is_dead_in_the_next_invocation_and_tells_so_only_when_it_is_used(tmp_path_factory, what):
    settings = {"MEDIARELAY_LOCAL_CUT_IDLE_CONNECTIONS": what}
    with MiniStackProcess.start(tmp_path_factory.mktemp("frozen"), settings=settings) as process:
        server = start_server("fixed", process, tmp_path_factory.mktemp("frozen-logs"))
        with Local(server, "frozen") as local:
            function = local.function(KEEPS)
            assert [function.invoke() for _ in range(3)] == [RESET] * 3
