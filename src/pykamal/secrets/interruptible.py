"""Work that waits for secret managers, and that no signal waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

Result = TypeVar("Result")

_LOOK_SECONDS: Final = 0.2


def interruptible(work: Callable[[], Result]) -> Result:
    """Do the work in another thread, and return its result or raise its error.

    Ctrl-C and other signals are heeded at once: the programs that the work has started are ended, and the thread is
    left behind.
    """
    from concurrent.futures import Future

    done: Future[Result] = Future()
    threading.Thread(target=_settle, args=(done, work), name="secrets", daemon=True).start()
    try:
        while True:
            # A signal may reach another thread: its handler then runs when this one wakes up.
            with suppress(TimeoutError):
                return done.result(_LOOK_SECONDS)
            if done.done():
                return done.result()
    except BaseException as error:
        if not isinstance(error, Exception):
            from pykamal.transport.program import end_programs

            end_programs()
        raise


def _settle(done: Future[Result], work: Callable[[], Result]) -> None:
    try:
        done.set_result(work())
    except BaseException as error:
        done.set_exception(error)
