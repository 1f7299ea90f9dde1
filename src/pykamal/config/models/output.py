"""The `output` section: logs of commands that change servers (spec/config.md 14)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Output:
    """`file_path` is a folder of log files, `otel_endpoint` the address of a collector without `/v1/logs`."""

    file_path: str | None = None
    otel_endpoint: str | None = None
