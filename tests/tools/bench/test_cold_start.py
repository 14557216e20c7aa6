"""The minimal handler beside which a start is measured makes the clients that the function makes, and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tools.bench.cold_start import MINIMAL
from tools.bench.lambda_environment import ENVIRONMENT
from tools.local.project import ROOT

# In a process of its own, since a function makes its clients when it is imported.
_MADE = """
import importlib, json, sys
import botocore.session
make, made = botocore.session.Session.create_client, []
def noted(self, name, *args, **fields):
    made.append(name)
    return make(self, name, *args, **fields)
botocore.session.Session.create_client = noted
by_function = {}
for function in sys.argv[1:]:
    made.clear()
    importlib.import_module(f"functions.{function}.app")
    by_function[function] = sorted(made)
print(json.dumps(by_function))
"""


def test_a_minimal_handler_makes_the_clients_of_its_function() -> None:
    environment = {**ENVIRONMENT, "PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'shared'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", _MADE, *MINIMAL]
    run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == {function: sorted(minimal.clients) for function, minimal in MINIMAL.items()}
