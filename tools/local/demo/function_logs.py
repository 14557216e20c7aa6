"""What the functions logged, on disk: the first thing to read when a request did not end as intended."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def save_function_logs(logs: Any, path: Path) -> Path:
    """Write every log line of every function, group by group, oldest first."""
    with path.open("w", encoding="utf-8") as file:
        for group in logs.describe_log_groups()["logGroups"]:
            file.write(f"=== {group['logGroupName']}\n")
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
                file.writelines(f"{event['message']}\n" for event in page["events"])
    return path
