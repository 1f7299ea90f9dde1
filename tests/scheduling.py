"""The distribution of tests over the processes of a run with `--dist loadgroup`.

Each test goes to the next free process, but those of a file in `_TOGETHER` go to one: what they share is computed once.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

_TOGETHER: Final = {"tests/hostile/test_templates.py", "tests/hostile/test_values.py"}


class _SomeFilesTogether(LoadScopeScheduling):  # type: ignore[misc]
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in _TOGETHER else nodeid


# The marker `xdist_group` has no effect: pytest 9.2 does not let xdist 3.8 change the identifiers of tests.
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    return _SomeFilesTogether(config, log) if config.getvalue("dist") == "loadgroup" else None
