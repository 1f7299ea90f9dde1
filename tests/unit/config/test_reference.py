"""The reference in the documentation is the schema's."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts.docs.configuration import with_reference

from pykamal.config.schema import bundle

pytestmark = pytest.mark.unit

_DOCUMENT = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_reference_is_current() -> None:
    """`python -m scripts.docs.configuration docs/configuration.md` would change nothing."""
    text = _DOCUMENT.read_text(encoding="utf-8")
    assert with_reference(text) == text


def test_a_change_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A description that changes in the schema makes the document stale."""
    text = _DOCUMENT.read_text(encoding="utf-8")
    setting = bundle()["$defs"]["proxy"]["properties"]["app_port"]
    monkeypatch.setitem(setting, "description", "Something else.")
    assert with_reference(text) != text


def test_reference_has_every_root_key() -> None:
    """The file has keys that are nested, and those of sections."""
    text = _DOCUMENT.read_text(encoding="utf-8")
    for key in ("`service`", "`healthcheck/path`", "`ssh/host_key_policy`", "`key_data`", "`cache/type`"):
        assert f"| {key} |" in text
