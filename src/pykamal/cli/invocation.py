"""A command line that was parsed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pykamal.cli.table.row import Effect
from pykamal.events import Bus


@dataclass(frozen=True, slots=True)
class Invocation:
    """The command line of a user, and the bus that shows the events of its run.

    `options` holds every option of the command by key (`skip_push`), defaults filled in. The last `literal` arguments
    stood behind `--`. Options of ours behind the first word of a command line to run have `advice`, for they may have
    been meant for that; `misread` tells that words of it follow, which makes it likely.
    """

    command: str
    arguments: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    effect: Effect = Effect.LOOKS
    bus: Bus = field(default_factory=Bus)
    literal: int = 0
    advice: str | None = None
    misread: bool = False

    @property
    def verbosity(self) -> str:
        """Quiet wins over verbose; `--raw` is quiet (spec/cli.md 1.4, 4.2)."""
        if self.options.get("quiet") or self.options.get("raw"):
            return "quiet"
        return "verbose" if self.options.get("verbose") else "normal"

    @property
    def json(self) -> bool:
        return self.options.get("output") == "json"

    @property
    def tracebacks(self) -> bool:
        return bool(self.options.get("debug") or self.options.get("verbose") or os.environ.get("VERBOSE"))

    def own(self, *keys: str) -> dict[str, Any]:
        """The options of these keys, to hand on to an operation."""
        return {key: self.options[key] for key in keys}
