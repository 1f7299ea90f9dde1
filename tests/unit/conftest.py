"""Unit tests say when they start programs or sleep."""

from __future__ import annotations

import pytest

from tests.process_guard import require_process_marker


def pytest_configure(config: pytest.Config) -> None:
    require_process_marker(config)
