"""Runs the command of a command line and gives its exit code."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pykamal.cli.aliases import expand
from pykamal.cli.command_lookup import Help, Run, Tree, route
from pykamal.cli.help import topic_text, tree_text
from pykamal.core.errors import UsageError
from pykamal.core.printable import print_error, print_line

if TYPE_CHECKING:
    from pykamal.cli.invocation import Invocation
    from pykamal.cli.table.row import CommandRow
    from pykamal.events import Event

INTERRUPTED = 128 + 2
OUTPUT_CLOSED = 128 + 13


def dispatch(words: Sequence[str]) -> int:
    """Run one command and return its exit code.

    The codes are 0 for done, 1 for failed, 2 for not understood, 3 for a bug, 128 and its number for a signal.
    """
    invocation: Invocation | None = None
    try:
        match route(words, expand):
            case Help(topic, note):
                if note is not None:
                    print_error(note)
                print_line(topic_text(topic))
            case Tree(group):
                print_line(tree_text(group))
            case Run(row, rest):
                from pykamal.cli.argument_parser import parse
                from pykamal.cli.renderers import connected

                invocation = connected(parse(row, rest))
                if invocation.misread:
                    print_error(f"warning: {invocation.advice}")
                return _until_terminated(row, invocation)
    except UsageError as error:
        print_error("\n".join(filter(None, [error.message, error.hint])))
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return OUTPUT_CLOSED
    except Exception as error:  # whatever it is, the user gets a message and a code, not a traceback
        from pykamal.cli.report import report
        from pykamal.transport.signals import FULL

        if isinstance(error, OSError) and error.errno in FULL and error.filename is None:
            print_error(f"Standard output cannot be written: {error.strerror}")
            return OUTPUT_CLOSED
        return report(error, invocation)
    return 0


def _until_terminated(row: CommandRow, invocation: Invocation) -> int:
    from pykamal.core.termination import Terminated, terminated_by_signals  # which help does not need

    try:
        with terminated_by_signals():
            return _run(row, invocation)
    except Terminated as signalled:
        return signalled.exit_code


def _run(row: CommandRow, invocation: Invocation) -> int:
    """Run a command. The last event of a run is `RunFinished` or, through an error, `RunFailed`."""
    from pykamal.events import CommandOutput, RunFinished
    from pykamal.transport.signals import output_lost

    if invocation.options["verbose"]:
        os.environ["VERBOSE"] = "1"  # for hooks, as in Ruby Kamal
    _disable_core_dumps()
    started = time.monotonic()
    last: deque[Event] = deque(maxlen=1)
    invocation.bus.subscribe(last.append, ignores=lambda event: isinstance(event, CommandOutput))
    code = _run_handler(row, invocation)
    if last and not isinstance(last[0], RunFinished):
        invocation.bus.emit(RunFinished(operation=invocation.command, seconds=time.monotonic() - started))
    return OUTPUT_CLOSED if code == 0 and output_lost() else code


def _disable_core_dumps() -> None:
    """Keep the memory of this process and of the programs that it starts, which holds secrets, off the disk."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def _run_handler(row: CommandRow, invocation: Invocation) -> int:
    if row.is_flow:
        from pykamal.cli.runner import run_flow

        return run_flow(row, invocation)
    code: int = row.function()(invocation)
    return code
