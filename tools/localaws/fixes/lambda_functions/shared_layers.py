"""A layer is unpacked once, and every worker reads it there.

AWS: a layer is at /opt, where a function may read and not write. (Lambda developer guide, "Managing Lambda dependencies
with layers")
Stock: each worker unpacks its function's layers for itself.
Matters: that is most of a worker's start, and a deployed template starts dozens of them.
"""

import hashlib
import io
import os
import tempfile
import threading
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

from tools.localaws.anchors import expect_attributes, expect_function, replace_once
from tools.localaws.upstream import lambda_runtime, lambda_service

# Where the worker looks for them, as stock tells it.
VARIABLE = "_LAMBDA_LAYERS_DIRS"

_unpacking = threading.Lock()


def apply() -> None:
    """Have a worker of Python begin without layers of its own, and tell it where they are."""
    spawn = expect_function(lambda_runtime.Worker, "_spawn", "self")
    resolve = expect_function(lambda_service, "_resolve_layer_zip", "attachment")
    expect_attributes(lambda_runtime, "_RESERVED_RUNTIME_ENV_VARS")
    replace_once(lambda_runtime._PYTHON_WORKER_SCRIPT, f'os.environ.get("{VARIABLE}", "")', "")

    def spawn_beside_its_layers(self: Any) -> None:
        own = self.config
        if str(own.get("Runtime", "")).startswith("python"):
            self.config = _with_layers_beside(own, resolve)
        try:
            spawn(self)
        finally:
            self.config = own

    lambda_runtime.Worker._spawn = spawn_beside_its_layers


def _with_layers_beside(config: dict[str, Any], resolve: Any) -> dict[str, Any]:
    archives = [resolve(layer) for layer in config.get("Layers", [])]
    folders = [str(unpacked(archive)) for archive in archives if archive]
    variables = config.get("Environment", {}).get("Variables", {})
    environment = {"Variables": {**variables, **({VARIABLE: os.pathsep.join(folders)} if folders else {})}}
    return {**config, "Layers": [], "Environment": environment}


def unpacked(archive: bytes) -> Path:
    """Returns the folder of what an archive holds, which is among the server's temporary files."""
    with _unpacking:
        return _unpack(archive)


@cache
def _unpack(archive: bytes) -> Path:
    folder = Path(tempfile.gettempdir()) / f"layer-{hashlib.sha256(archive).hexdigest()}"
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        packed.extractall(folder)  # which leaves no way out of the folder
    return folder
