"""Source text for MiniStack's Python worker: how it reports a function's errors. Runs inside the worker."""

ENCODERS = """
import json as _json, sys as _sys, traceback as _traceback

def _describe(error, kind=None, message=None):
    frames = _traceback.extract_tb(error.__traceback__)[1:]
    return {
        "errorMessage": str(error) if message is None else message,
        "errorType": kind or type(error).__name__,
        "stackTrace": _traceback.format_list(frames),
    }

def _encode_failure(error, kind=None, message=None):
    failure = _describe(error, kind, message)
    print("[ERROR] %s: %s" % (failure["errorType"], failure["errorMessage"]), file=_sys.stderr)
    print("Traceback (most recent call last):\\n" + "".join(failure["stackTrace"]), file=_sys.stderr, flush=True)
    # "ok" is about the worker, which keeps serving after a handled exception as on AWS.
    return _json.dumps({"status": "ok", "result": None, "failure": failure})

def _encode_result(result):
    try:
        return _json.dumps({"status": "ok", "result": result})
    except (TypeError, ValueError) as error:
        return _encode_failure(error, "Runtime.MarshalError", "Unable to marshal response: %s" % error)

def _encode_init_failure(error, module, handler):
    kind = message = None
    if isinstance(error, ImportError):
        kind, message = "Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module, error)
    elif isinstance(error, SyntaxError):
        kind, message = "Runtime.UserCodeSyntaxError", "Syntax error in module '%s': %s" % (module, error)
    elif isinstance(error, AttributeError) and module in _sys.modules:
        kind, message = "Runtime.HandlerNotFound", "Handler '%s' missing on module '%s'" % (handler, module)
    return _json.dumps(_describe(error, kind, message))
"""

STOCK_REPLY = r"""
            _real_stdout.write(json.dumps({"status": "ok", "result": result}) + "\n")
        except Exception as e:
            _real_stdout.write(json.dumps({"status": "error", "error": str(e), "trace": traceback.format_exc()}) + "\n")
"""

REPLY = r"""
            _reply = _encode_result(result)
        except Exception as e:
            _reply = _encode_failure(e)
        _real_stdout.write(_reply + "\n")
"""

STOCK_INIT = r'"error": str(e)}) + "\n")'
INIT = r'"error": _encode_init_failure(e, module_name, handler_name)}) + "\n")'
