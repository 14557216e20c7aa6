"""The simulated vendors by name: every module and folder here that has a `SIMULATED`. Nothing else lists them."""

import importlib
import pkgutil

from tools.simulator.wire import COMMON_ERRORS, Vendor


def _simulated() -> dict[str, Vendor]:
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    return {module.SIMULATED.name: module.SIMULATED for module in modules if hasattr(module, "SIMULATED")}


VENDORS: dict[str, Vendor] = _simulated()

for _vendor in VENDORS.values():
    if _missing := COMMON_ERRORS - set(_vendor.errors):
        raise TypeError(f"{_vendor.name} does not name its error for {', '.join(sorted(_missing))}")
