from tests.harness.functions import deployed

__all__ = ["deployed"]
