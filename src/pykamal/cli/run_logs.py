"""Keeps the logs of a run that `output` of deploy.yml asks for (spec/cli.md 11)."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from pykamal import KAMAL_VERSION
from pykamal.cli.invocation import Invocation
from pykamal.cli.report import failed
from pykamal.cli.table.row import Effect
from pykamal.config.models import Config
from pykamal.core.errors import KamalError
from pykamal.core.printable import print_error
from pykamal.events import Result, RunFailed
from pykamal.events.types import Event


class RunLog(Protocol):
    """A subscriber that takes every log line and progress message, whatever the verbosity, and no results.

    Its own troubles never stop the run: it tells of the first one and falls silent.
    """

    def __call__(self, event: Event) -> None: ...

    def close(self, failure: RunFailed | None, seconds: float) -> str | None:
        """End the log and return a remark for people, if any. No event may follow."""
        ...


@contextmanager
def recorded(invocation: Invocation, config: Config) -> Iterator[None]:
    """Keep the logs while the command runs. A log that cannot be kept is reported, and the command goes on."""
    logs = _opened(invocation, config) if invocation.effect >= Effect.LOGGED else []
    for log in logs:
        invocation.bus.subscribe(log)
    started = time.monotonic()
    failure: RunFailed | None = None
    try:
        yield
    except BaseException as error:
        failure = invocation.bus.sanitized(_failure(error, invocation.command))
        raise
    finally:
        seconds = time.monotonic() - started
        for log in logs:
            invocation.bus.unsubscribe(log)
            text = log.close(failure, seconds)
            if text is not None:
                invocation.bus.emit(Result(text=text))


def _opened(invocation: Invocation, config: Config) -> list[RunLog]:
    output = config.output
    kinds: list[Callable[[], RunLog]] = []
    if output.file_path is not None:
        folder = output.file_path
        kinds.append(lambda: _file(invocation, config, folder))
    if output.otel_endpoint is not None:
        endpoint = output.otel_endpoint
        kinds.append(lambda: _otel(invocation, endpoint))
    logs: list[RunLog] = []
    for opened in kinds:
        try:
            logs.append(opened())
        except (OSError, ValueError) as error:
            print_error(f"Output logger setup failed: {type(error).__name__}: {error}")
    return logs


def _file(invocation: Invocation, config: Config, folder: str) -> RunLog:
    from pykamal.events.lines import wants_colour
    from pykamal.events.log_file import LogFile

    return LogFile(
        folder,
        command=invocation.command,
        destination=config.destination,
        report=print_error,
        coloured=wants_colour(sys.stdout, os.environ),
    )


def _otel(invocation: Invocation, endpoint: str) -> RunLog:
    from pykamal.events.otel import OtelLog

    return OtelLog(endpoint, command=invocation.command, tool_version=KAMAL_VERSION, report=print_error)


def _failure(error: BaseException, operation: str) -> RunFailed:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, KamalError):
        return failed(error, operation)
    return RunFailed(operation=operation, identifier="bug", label=type(error).__name__, message=str(error))
