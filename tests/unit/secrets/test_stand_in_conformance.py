"""The conformance suite of adapters over stand-ins for their managers' programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pykamal.secrets.conformance import CASES, Case
from tests.unit.secrets.stand_in_harnesses import HARNESSES

pytestmark = [pytest.mark.unit, pytest.mark.process]


@pytest.mark.parametrize(
    ("name", "case"),
    [(name, case) for name, harness in HARNESSES.items() for case in CASES if case.name not in harness.not_applicable],
    ids=str,
)
def test_an_adapter_conforms(name: str, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each adapter of spec/cli.md 16.3 passes each case of the suite that can apply to it."""
    case.check(HARNESSES[name](tmp_path, monkeypatch))
