"""`kamal-proxy`: `run` starts the server, every other subcommand is a client of it."""

from __future__ import annotations

import sys

from pykamal.proxy.arguments import Call, parse
from pykamal.proxy.errors import ProxyError, UsageProblem


def main(argv: list[str] | None = None) -> int:
    """Runs one command line and returns its exit status (0 or 1)."""
    try:
        call = parse(sys.argv[1:] if argv is None else argv)
        if isinstance(call, str):
            print(call)
            return 0
        return _perform(call)
    except ProxyError as problem:
        print(f"Error: {problem}", file=sys.stderr)
        if isinstance(problem, UsageProblem) and problem.second_line:
            print(problem.second_line, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1


def _perform(call: Call) -> int:
    if call.command.words == "run":
        from pykamal.proxy.supervisor import run

        return run(call)
    from pykamal.proxy.client import call_server

    output = call_server(call)
    if output:
        sys.stdout.write(output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
