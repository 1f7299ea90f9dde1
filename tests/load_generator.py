"""Sends steady traffic to the sandbox's servers while something is deployed to them.

    with Load(["http://10.88.1.11/", "http://10.88.1.12/"], rate=100) as load:
        ...                          # deploy
    assert load.summary.failed == 0

or `python -m tests.load_generator --rate 100 --seconds 10 URL...`, which prints the summary as JSON.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pykamal.core.errors import SandboxError
from tests import load_worker


@dataclass(frozen=True, slots=True)
class Failure:
    """`at` counts seconds from the beginning; `reason` is `status 502`, `timed out`, `ConnectionRefusedError`, ..."""

    at: float
    target: str
    reason: str
    kept_alive: bool
    slow: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """A value of the header X-Version, with the seconds of its first and last answer."""

    version: str
    first: float
    last: float
    count: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The results of all requests. Latencies leave out slow requests; `failures` holds the first few hundred."""

    sent: int
    ok: int
    failed: int
    in_flight: int
    seconds: float
    cpu_seconds: float
    statuses: dict[str, int]
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    failures: tuple[Failure, ...]
    versions: dict[str, tuple[Seen, ...]]
    """By target, in the order of the first answer."""

    @classmethod
    def read(cls, path: Path) -> Summary:
        content: dict[str, Any] = json.loads(path.read_text())
        targets = content.pop("targets")
        return cls(
            **content
            | {
                "failures": tuple(Failure(**failure) for failure in content["failures"]),
                "versions": {
                    url: tuple(Seen(**seen) for seen in target["versions"]) for url, target in targets.items()
                },
            }
        )


class Load:
    """A load generator in a process of its own, so that the caller's work does not delay its requests.

    `rate` is requests a second for each URL. Of these `slow_fraction` ask `/slow?seconds=slow_seconds`; of the others
    `keep_alive_fraction` use connections that are kept, the rest a new one each.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        rate: float = 100.0,
        seconds: float | None = None,
        keep_alive_fraction: float = 0.5,
        slow_fraction: float = 0.0,
        slow_seconds: float = 2.0,
        timeout_seconds: float = 10.0,
        host_header: str | None = None,
    ) -> None:
        self._settings: dict[str, Any] = {
            "urls": list(urls),
            "rate": rate,
            "seconds": seconds,
            "keep_alive_fraction": keep_alive_fraction,
            "slow_fraction": slow_fraction,
            "slow_seconds": slow_seconds,
            "timeout_seconds": timeout_seconds,
            "host_header": host_header,
            "seed": 1,
        }
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._last: Summary | None = None

    def start(self) -> Self:
        """Begin to send. Raises `SandboxError` when the generator does not start."""
        self._folder = tempfile.TemporaryDirectory(prefix="pykamal-load-")
        settings = Path(self._folder.name, "settings.json")
        settings.write_text(json.dumps({**self._settings, "summary": str(self._path)}))
        program = [sys.executable, "-I", "-S", load_worker.__file__, str(settings)]
        self._process = subprocess.Popen(program, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not self._path.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                self._process.wait()
                self._folder.cleanup()
                raise SandboxError("The load generator does not start")
            time.sleep(0.01)
        return self

    def stop(self) -> Summary:
        """Stop sending, wait for outstanding answers, and return the summary; see `wait`."""
        if self._process is None or self._folder is None:
            raise SandboxError("The load generator was not started")
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> Summary:
        """Wait until its time is over. Raises `SandboxError` for a generator that was not started or failed."""
        if self._process is None or self._folder is None:
            raise SandboxError("The load generator was not started")
        status = self._process.wait()
        if status != 0:
            raise SandboxError(f"The load generator ended with status {status}")
        self._last = Summary.read(self._path)
        self._folder.cleanup()
        self._process = None
        return self._last

    @property
    def summary(self) -> Summary:
        """Return the summary: the final one after `stop`, before that one at most half a second old."""
        return self._last or Summary.read(self._path)

    @property
    def _path(self) -> Path:
        assert self._folder is not None
        return Path(self._folder.name, "summary.json")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *raised: object) -> None:
        if self._process is not None:
            self.stop()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load_generator", description=__doc__)
    parser.add_argument("urls", nargs="+")
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--keep-alive", type=float, default=0.5)
    parser.add_argument("--slow", type=float, default=0.0)
    options = parser.parse_args(arguments)
    load = Load(
        options.urls,
        rate=options.rate,
        seconds=options.seconds,
        keep_alive_fraction=options.keep_alive,
        slow_fraction=options.slow,
    )
    with load:
        summary = load.wait()
    print(json.dumps({name: getattr(summary, name) for name in ("sent", "ok", "failed", "statuses", "cpu_seconds")}))
    print(json.dumps({name: getattr(summary, name) for name in ("p50_ms", "p99_ms", "max_ms")}))
    for failure in summary.failures:
        print(failure, file=sys.stderr)
    return 0 if summary.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
