"""Runs the sandbox without the rest of the tool: `python -m pykamal.sandbox up|status|ssh|down`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pykamal.core.errors import KamalError
from pykamal.sandbox.paths import DEFAULT_NAME
from pykamal.sandbox.sandbox import PROVIDERS, Sandbox, choose_provider


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m pykamal.sandbox", description=__doc__)
    parser.add_argument("--name", default=DEFAULT_NAME)
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up")
    up.add_argument("--hosts", type=int, default=2)
    up.add_argument("--provider", choices=sorted(PROVIDERS))
    verbs.add_parser("status")
    verbs.add_parser("down")
    ssh = verbs.add_parser("ssh")
    ssh.add_argument("host")
    ssh.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    try:
        return _run(Sandbox(options.name), options)
    except KamalError as error:
        print("\n".join([f"ERROR ({error.label}): {error}", *error.details, error.hint or ""]), file=sys.stderr)
        return error.exit_code


def _run(sandbox: Sandbox, options: argparse.Namespace) -> int:
    if options.verb == "up":
        made = sandbox.up(hosts=options.hosts, provider=choose_provider(options.provider), say=print)
        print("up" if made else f"The sandbox {sandbox.name} is up already")
        for file in sandbox.copy_project(Path.cwd()):
            print(f"wrote {file}")
    elif options.verb == "down":
        print("down" if sandbox.down() else f"There is no sandbox {sandbox.name}")
    elif options.verb == "ssh":
        argv = sandbox.ssh_argv(options.host, options.command)
        os.execvp(argv[0], argv)  # noqa: S606 (the terminal goes to ssh)
    status = sandbox.status()
    if status is not None:
        for name, alive in {**status.hosts, **status.services}.items():
            print(f"{name:14} {status.addresses.get(name, ''):14} {'running' if alive else 'dead'}")
        print(f"{'registry':14} {status.registry}\n{'project':14} {status.project}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
