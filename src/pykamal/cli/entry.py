"""The console script `kamal`."""

from __future__ import annotations

import gc
import io
import os
import sys

from pykamal import KAMAL_VERSION, __version__

TYPE_CHECKING = False  # importing `typing` would take longer than printing the version
if TYPE_CHECKING:
    from pykamal.cli.invocation import Invocation

COMPLETE = "__complete"
"""The word with which shells ask for completions (cli/completion)."""

DEADLINE_SECONDS = 0.25
"""Behind TAB, 0.3 seconds with the start of the interpreter; `KAMAL_COMPLETION_SECONDS` is for slow machines."""

_STOPPED = 128
"""Exit codes above it tell the signal that stopped a run. Standard error is written line by line."""
_VERSION = f"{KAMAL_VERSION} (pykamal {__version__})"


def main() -> None:
    """Run the command line of this process and end it with the command's exit code."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a locale may know fewer characters than hosts print
    # Imported modules live until the end; collecting garbage among them took a tenth of a command's start.
    gc.set_threshold(50_000, 20, 20)
    arguments = sys.argv[1:]
    if arguments in (["version"], ["--version"]):
        # Scripts ask often; nothing is imported for the answer.
        os.write(sys.stdout.fileno(), f"{_VERSION}\n".encode())
        return
    if arguments[:1] == [COMPLETE]:
        start_deadline()
        from pykamal.cli.completion.answer import complete

        complete(arguments[1:])
        return
    from pykamal.cli.dispatch import OUTPUT_CLOSED, dispatch

    code = dispatch(arguments)
    try:
        sys.stdout.flush()
    except OSError:  # nobody reads it any more, or its disk is full
        # The interpreter would flush once more at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = OUTPUT_CLOSED
    if code > _STOPPED:
        # A thread may still wait for a secret manager, and the interpreter would wait for the thread.
        os._exit(code)
    gc.freeze()  # the interpreter would collect garbage once more at its end
    sys.exit(code)


def version(invocation: Invocation) -> int:
    """`kamal version` with options, where `main` does not give its fast answer."""
    from pykamal.events import Result

    invocation.bus.emit(Result(text=_VERSION))
    return 0


def _open_closed_streams() -> None:
    """A standard stream that is closed would become the next file that is opened, and take what is printed."""
    sys.stdin = sys.stdin or os.fdopen(os.open(os.devnull, os.O_RDONLY))
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def start_deadline() -> None:
    """End this process at the deadline, whatever it is doing then. What it has written by then is the answer."""
    import signal

    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # a handler of ours would wait for the end of a long search
    signal.setitimer(signal.ITIMER_REAL, _seconds())


def _seconds() -> float:
    try:
        return min(max(float(os.environ["KAMAL_COMPLETION_SECONDS"]), 0.001), 999)
    except (KeyError, ValueError):
        return DEADLINE_SECONDS
