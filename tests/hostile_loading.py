"""Loads files, each in a process of its own, and tells what that took: `python -m tests.hostile_loading FILE...`.

Prints one JSON object a line: `name`; `outcome` (`accepted`, `refused`, the name of an exception that should not have
come out, or `killed`); `seconds` of the processor and `mebibytes` of memory beyond what was in use before. What is
imported on the way is imported before.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pykamal.config import load
from pykamal.core.errors import ConfigurationError
from pykamal.operations.local.local_system import LocalSystem

_MEBIBYTE: Final = 1024 * 1024
_MOST_MEMORY: Final = 1024 * _MEBIBYTE
_MOST_SECONDS: Final = 10
_SMALL: Final = "x-a: <%= [/a/.nil?] %>\nservice: a\nvolums: []\n"


def main() -> None:
    with TemporaryDirectory() as folder:
        small = Path(folder) / "deploy.yml"
        small.write_text(_SMALL)
        _load(small)
    for name in sys.argv[1:]:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, json.dumps(_measured(Path(name))).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as answer:
            result: dict[str, Any] = json.loads(answer.read() or '{"outcome": "killed"}')
        os.waitpid(child, 0)
        sys.stdout.write(json.dumps({"name": Path(name).name, **result}) + "\n")


def _measured(file: Path) -> dict[str, Any]:
    """Behind limits of the operating system, so that a measured bomb does not become one."""
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS, _MOST_SECONDS))
    before, started = _peak(), time.process_time()
    outcome = _load(file)
    return {
        "outcome": outcome,
        "seconds": round(time.process_time() - started, 2),
        "mebibytes": round((_peak() - before) / 1024, 1),
    }


def _load(file: Path) -> str:
    try:
        load(file, system=LocalSystem(file.parent, {**os.environ, "A": "va"}))
    except ConfigurationError:
        return "refused"
    except BaseException as error:
        return type(error).__name__
    return "accepted"


def _peak() -> int:
    """In KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
