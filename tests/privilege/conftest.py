from tests.functional.conftest import deployed, vendors

__all__ = ["deployed", "vendors"]
