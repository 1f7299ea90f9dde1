"""Tests that get a secret manager's program, real or a stand-in, start it."""

from __future__ import annotations

from pathlib import Path

import pytest

PROGRAM_FIXTURES = {"tool", "programs"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and PROGRAM_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.process)
