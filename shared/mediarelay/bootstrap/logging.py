"""Logging for the functions: Powertools JSON lines, for its logger and for every module of this package."""

from __future__ import annotations

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers


def package_logger() -> Logger:
    """Return the function's logger; modules of the package log through it by the standard library."""
    logger = Logger(use_rfc3339=True)
    copy_config_to_registered_loggers(source_logger=logger, include={"mediarelay"}, ignore_log_level=False)
    return logger
