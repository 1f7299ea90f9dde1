"""This machine for reading the configuration at TAB: files are read, nothing is run."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pykamal.operations.local.outside import LocalOutside


class _Silent(LocalOutside):
    def run_shell(self, line: str, environment: Mapping[str, str]) -> str:  # noqa: ARG002 - nothing is run
        return ""


def silent() -> LocalOutside:
    """An `Outside` whose shell lines give nothing and which asks no real Ruby."""
    return _Silent(environment={key: value for key, value in os.environ.items() if key != "KAMAL_ERB"})
