"""Libraries of extras: what is missing is told with the way to install it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pykamal.core.errors import DependencyError
from pykamal.secrets.adapters.extras import import_extra

pytestmark = pytest.mark.unit


def test_a_library_that_is_there() -> None:
    """A module inside of a package is returned itself, not the package."""
    assert import_extra("xml.etree.ElementTree", extra="x").__name__ == "xml.etree.ElementTree"


@pytest.mark.parametrize("module", ["no_such_library", "no_such_library.inner"])
def test_a_library_that_is_missing(module: str) -> None:
    """The error names the package, and the command that brings it."""
    with pytest.raises(DependencyError, match=r"^The Python package no_such_library is not installed$") as caught:
        import_extra(module, extra="drawer")
    assert "pip install 'pykamal[drawer]'" in (caught.value.hint or "")


def test_a_library_whose_first_name_others_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that another package brings is not the library: `azure` does not mean `azure.identity`."""
    (tmp_path / "shared_name").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(DependencyError, match=r"^The Python package shared_name.inner is not installed$"):
        import_extra("shared_name.inner", extra="drawer")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import no_such_part", "No module named 'no_such_part'"),
        ("from sys import no_such_name", "cannot import name 'no_such_name'"),
        ("raise OSError('no libssl')", "no libssl"),
    ],
)
def test_a_library_that_is_broken(text: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that lacks a part of its own is not called missing: the error has the reason."""
    (tmp_path / "broken_library.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(DependencyError, match=f"broken_library cannot be imported: .*{reason}") as caught:
        import_extra("broken_library", extra="drawer")
    assert "pip install 'pykamal[drawer]'" in (caught.value.hint or "")
