import pytest

pytestmark = pytest.mark.stack

HANDLER = """
class QuotaError(Exception):
    pass

count = 0

def handler(event, context):
    global count
    count += 1
    what = event.get("do")
    if what == "raise":
        raise QuotaError("no credit left")
    if what == "exit":
        os._exit(3)
    if what == "set":
        return {1, 2}
    if what == "sleep":
        time.sleep(30)
    return count
"""


def test_an_exception_gives_its_class_name_and_where_it_was_raised(local):
    error = local.function(HANDLER).invoke({"do": "raise"})
    assert error["errorMessage"] == "no credit left"
    if local.fixed:
        assert error["errorType"] == "QuotaError"
        assert 'raise QuotaError("no credit left")' in error["stackTrace"][-1]
        assert error["requestId"]
    else:
        assert error["errorType"] == "Runtime.HandlerError"
        assert "stackTrace" not in error


def test_the_environment_survives_an_exception(local):
    function = local.function(HANDLER)
    function.invoke({"do": "raise"})
    assert function.invoke() == (2 if local.fixed else 1)


def test_a_process_that_ends_is_an_exit_error(local):
    error = local.function(HANDLER).invoke({"do": "exit"})
    assert error["errorType"] == ("Runtime.ExitError" if local.fixed else "Runtime.HandlerError")
    assert error["errorMessage"].endswith("exit status 3" if local.fixed else "Worker process died")


def test_a_result_that_is_not_json_is_a_marshal_error(local):
    error = local.function(HANDLER).invoke({"do": "set"})
    assert error["errorType"] == ("Runtime.MarshalError" if local.fixed else "Runtime.HandlerError")


@pytest.mark.parametrize(
    ("code", "error_type"),
    [
        ("import nothing_of_that_name\ndef handler(event, context): pass\n", "Runtime.ImportModuleError"),
        ("def handler(event, context) pass\n", "Runtime.UserCodeSyntaxError"),
        ("other = 1\n", "Runtime.HandlerNotFound"),
        ("raise KeyError('TABLE')\n", "KeyError"),
    ],
)
def test_a_module_that_does_not_load_says_why(local, code, error_type):
    error = local.function(code).invoke()
    assert error["errorType"] == (error_type if local.fixed else "RuntimeError")


def test_a_timeout_is_reported_as_on_aws_in_stock_too(local):
    error = local.function(HANDLER, timeout=1).invoke({"do": "sleep"})
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Task timed out after 1.00 seconds")
