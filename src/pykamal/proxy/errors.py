"""Errors of the proxy's commands; their texts are those of the reference (spec/proxy.md 3)."""

from __future__ import annotations


class ProxyError(Exception):
    """A command failed; shown as `Error: <message>` with exit status 1."""


class UsageProblem(ProxyError):
    """The command line is wrong. `second_line` points to the help, as for an unknown subcommand."""

    def __init__(self, message: str, second_line: str = "") -> None:
        super().__init__(message)
        self.second_line = second_line
