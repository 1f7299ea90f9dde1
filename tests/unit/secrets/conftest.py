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


@pytest.fixture(autouse=True)
def no_credentials_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process is one run of kamal, and tests share one."""
    monkeypatch.setattr("pykamal.secrets.credentials._KNOWN", {})
