"""Adapters by name: our own, and those of other packages (CONTRIBUTING.md, "A secret adapter")."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pykamal.core.errors import KamalError
from pykamal.secrets.adapters import MODULES, adapter
from tests.managers import test_conformance as real_managers
from tests.unit.secrets import stand_in_harnesses

pytestmark = pytest.mark.unit

KAMAL = Path(sys.executable).with_name("kamal")

OURS_TO_BE = """\
from pykamal.core.sensitive import Sensitive

class Drawer:
    needs_account = False

    def fetch(self, secrets, *, account, source):
        return {name: Sensitive(f"{source} {name}") for name in secrets}

drawer = Drawer()
no_adapter = 7
"""

ENTRY_POINTS = """\
[pykamal.secrets]
Drawer = drawer_adapter:drawer
broken = drawer_adapter:nothing_there
number = drawer_adapter:no_adapter
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of others with the entry point of an adapter, on the path of imports."""
    (tmp_path / "drawer_adapter.py").write_text(OURS_TO_BE)
    metadata = tmp_path / "drawer_adapter-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: drawer-adapter\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", MODULES)
def test_every_name_leads_to_an_adapter(name: str) -> None:
    """In any case (spec/cli.md 16.3)."""
    assert adapter(name.upper()) is adapter(name)
    assert isinstance(adapter(name).needs_account, bool)


def test_every_adapter_passes_the_conformance_suite() -> None:
    """Each has a harness, over its real manager or over a stand-in; `test` has no manager to break."""
    harnesses = {*real_managers.HARNESSES, *stand_in_harnesses.HARNESSES}
    assert {name for name, module in MODULES.items() if module not in {MODULES[each] for each in harnesses}} == {"test"}


@pytest.mark.process
def test_an_adapter_of_another_package(installed: Path) -> None:
    """An installed package with the entry point is all that an adapter of others needs."""
    done = subprocess.run(
        [KAMAL, "secrets", "fetch", "--adapter", "drawer", "--from", "top", "a", "b"],
        cwd=installed,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, json.loads(done.stdout)) == (0, {"a": "top a", "b": "top b"}), done.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken", "The secrets adapter broken cannot be loaded from drawer_adapter:nothing_there"),
        ("number", "The secrets adapter number has no `fetch`"),
        ("nobody", "Unknown secrets adapter: nobody"),
    ],
)
def test_an_adapter_that_is_none(installed: Path, name: str, message: str) -> None:
    """The error says what is wrong with the adapter, and what to do."""
    with pytest.raises(KamalError, match=message) as caught:
        adapter(name)
    assert caught.value.hint
    if name == "nobody":
        assert "drawer" in caught.value.hint


@pytest.mark.process
def test_no_adapter_is_imported_before_its_use() -> None:
    """Neither are the metadata of installed packages, for a name of ours."""
    program = (
        "import sys\nfrom pykamal.secrets.adapters import adapter\nadapter('test')\n"
        "print(sorted(name for name in sys.modules if name.startswith('pykamal.secrets.adapters.')))\n"
        "print('importlib.metadata' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert (
        done.stdout == f"{[f'pykamal.secrets.adapters.{name}' for name in ('protocol', 'settings', 'test')]}\nFalse\n"
    )
