"""The stop of a run: Ctrl-C, SIGTERM, a closed terminal, a reader of our output that went away.

The first request cancels the main task, so that what was begun is taken back and the deploy lock is released in
`finally` blocks (spec/cli.md 8.3 tells what happens otherwise); the second ends the process on the spot.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from pykamal.core.errors import Interrupted
from pykamal.core.printable import print_error
from pykamal.events import Event

if TYPE_CHECKING:
    import asyncio

Result = TypeVar("Result")

_CLOSED: Final = frozenset({errno.EPIPE, errno.EIO, errno.EBADF})
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors of a file that takes no more."""

STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_until_done(main: Coroutine[Any, Any, Result], *, on_stop: Callable[[int], None] | None = None) -> Result:
    """Run the main coroutine in an event loop of its own; its result.

    Raises `Interrupted` with the signal's number once the coroutine has ended after a request to stop (13, SIGPIPE,
    stands for closed output); what it raised itself is the cause. `on_stop` is told of the first request. A second
    signal ends the process at once with status 128 + N.
    """
    import asyncio  # which a command that only prints something does not need

    with asyncio.Runner() as runner:
        run = _Run(runner.get_loop(), main, on_stop)
        with run.listening():
            return run.to_its_end()


def output_closed() -> None:
    """Our output does not arrive any more: stop the run, if there is one, as a signal would."""
    _Run.output_lost = True
    if _Run.current is not None:
        _Run.current.stop(signal.SIGPIPE)


def output_lost() -> bool:
    """True where something could not be written since the last `surviving`."""
    return _Run.output_lost


def surviving(subscriber: Callable[[Event], None]) -> Callable[[Event], None]:
    """The same subscriber of a bus, for one that writes to a terminal, a pipe or a file.

    When nobody reads that any more, or nothing more goes into it, it falls silent and the run is stopped, but in order:
    a flow that is releasing its lock must be able to say so without failing.
    """
    silent = _Run.output_lost = False

    def guarded(event: Event) -> None:
        nonlocal silent
        if silent:
            return
        try:
            subscriber(event)
        except OSError as error:
            if error.errno in FULL:
                print_error(f"Standard output cannot be written: {error.strerror}")
            elif error.errno not in _CLOSED:
                raise
            silent = True
            output_closed()

    return guarded


class _Run(Generic[Result]):
    current: ClassVar[_Run[Any] | None] = None
    output_lost: ClassVar[bool] = False

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        main: Coroutine[Any, Any, Result],
        on_stop: Callable[[int], None] | None,
    ) -> None:
        self._loop = loop
        self._task = loop.create_task(main)
        self._on_stop = on_stop
        self._reason: int | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        _Run.current = self
        # A signal that was ignored when we were started (nohup) stays ignored.
        heard = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
        for number in heard:
            self._loop.add_signal_handler(number, self._signalled, number)
        try:
            yield
        finally:
            _Run.current = None
            for number in heard:
                self._loop.remove_signal_handler(number)

    def to_its_end(self) -> Result:
        import asyncio

        try:
            return self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            if self._reason is None:
                raise
            raise Interrupted(self._reason) from None
        except Exception as error:
            if self._reason is None:
                raise
            raise Interrupted(self._reason) from error

    def stop(self, reason: int) -> None:
        """The first request counts; later ones change nothing."""
        if self._reason is not None:
            return
        self._reason = int(reason)
        self._task.cancel()
        if self._on_stop is not None:
            with suppress(OSError):
                self._on_stop(self._reason)

    def _signalled(self, number: int) -> None:
        if self._reason is None:
            self.stop(number)
            return
        os._exit(128 + number)  # the loop may be stuck in what it is cleaning up
