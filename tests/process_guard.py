"""The check that unit tests which start programs or sleep are marked `process`.

A test without the marker fails when a program was started, or time was slept away, while it or its fixtures ran. What a
library does as it is imported does not count: asyncssh runs the linker to look for a library.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Generator
from typing import Any, Final

import pytest

_STARTS: Final = {"subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.system"}


class ProcessGuard:
    """The events of the test that is running, by phase: set-up with fixtures, call, tear-down."""

    def __init__(self) -> None:
        self._seen: list[str] = []
        self._watching = False

    def install(self) -> None:
        """Watch this process from now on. An audit hook cannot be taken out again."""
        sys.addaudithook(self._audit)
        time.sleep = self._reporting(time.sleep)
        asyncio.sleep = self._reporting(asyncio.sleep)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None]:
        return (yield from self._phase(item))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        return (yield from self._phase(item))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None]:
        return (yield from self._phase(item))

    def _phase(self, item: pytest.Item) -> Generator[None]:
        self._seen.clear()
        self._watching = item.get_closest_marker("unit") is not None and item.get_closest_marker("process") is None
        try:
            yield
        finally:
            self._watching = False
        if self._seen:
            pytest.fail(f"needs the marker `process`: {self._seen[0]}", pytrace=False)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._watching and event in _STARTS and not _importing():
            self._seen.append(f"{event} {arguments[:2]}")

    def _reporting(self, sleep: Callable[..., Any]) -> Callable[..., Any]:
        def reporting(seconds: float, *more: Any) -> Any:
            if self._watching and seconds > 0:
                self._seen.append(f"{sleep.__module__}.{sleep.__name__}({seconds})")
            return sleep(seconds, *more)

        return reporting


def _importing() -> bool:
    """Return True while a module is being imported."""
    frame = sys._getframe()
    while frame.f_back is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def require_process_marker(config: pytest.Config) -> None:
    """Watch the tests of this run; they fail where they lack the marker."""
    guard = ProcessGuard()
    guard.install()
    config.pluginmanager.register(guard)
