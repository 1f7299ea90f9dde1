"""`kamal-proxy`: `run` starts the server, every other subcommand is a client of it."""

from __future__ import annotations

import contextlib
import os
import sys

from pykamal.proxy.arguments import Call, parse
from pykamal.proxy.errors import ProxyError, UsageProblem

_OUTPUT, _ERRORS = 1, 2


def main(argv: list[str] | None = None) -> int:
    """Runs one command line and returns its exit status (0 or 1)."""
    try:
        call = parse(sys.argv[1:] if argv is None else argv)
        if not isinstance(call, str):
            return _perform(call)
        _print(call + "\n")
        return 0
    except ProxyError as problem:
        second_line = problem.second_line if isinstance(problem, UsageProblem) else ""
        with contextlib.suppress(OSError):  # the status tells it too
            _write(_ERRORS, f"Error: {problem}\n" + (f"{second_line}\n" if second_line else ""))
        return 1
    except KeyboardInterrupt:
        return 1


def _perform(call: Call) -> int:
    if call.command.words == "run":
        from pykamal.proxy.supervisor import run

        return run(call)
    from pykamal.proxy.client import call_server

    _print(call_server(call))
    return 0


def _print(text: str) -> None:
    try:
        _write(_OUTPUT, text)
    except OSError as problem:
        raise ProxyError(f"write /dev/stdout: {os.strerror(problem.errno or 0).lower()}") from None


def _write(descriptor: int, text: str) -> None:
    """In UTF-8, whatever the locale says, and to the end: what does not arrive raises OSError here."""
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(text.encode(errors="backslashreplace"))


if __name__ == "__main__":
    sys.exit(main())
