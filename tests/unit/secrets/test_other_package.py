"""The adapter of docs/secrets.md in a package of others: installed, used by name, and run through the suite."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.unit, pytest.mark.process]

DOCUMENT = (Path(__file__).parents[3] / "docs/secrets.md").read_text()
KAMAL = Path(sys.executable).with_name("kamal")
METADATA = "drawer_adapter-1.0.dist-info"


def block(language: str, beginning: str) -> str:
    """The example of the documentation that begins so."""
    found: list[str] = [
        text for text in re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL) if text.startswith(beginning)
    ]
    assert len(found) == 1
    return found[0]


def install(folder: Path, adapter: str) -> dict[str, str]:
    """Build a wheel of the package, install it into a folder of its own, and return an environment that has it."""
    (name,) = re.findall(r'^(\w+ = )"(.*)"$', block("toml", "[project.entry-points"), re.MULTILINE)
    contents = {
        "drawer_adapter.py": adapter,
        f"{METADATA}/METADATA": "Metadata-Version: 2.1\nName: drawer-adapter\nVersion: 1.0\n",
        f"{METADATA}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{METADATA}/entry_points.txt": f"[pykamal.secrets]\n{''.join(name)}\n",
    }
    contents[f"{METADATA}/RECORD"] = "".join(f"{path},,\n" for path in (*contents, f"{METADATA}/RECORD"))
    wheel = folder / "drawer_adapter-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in contents.items():
            archive.writestr(path, text)
    words = ["install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", "--target"]
    subprocess.run([sys.executable, "-m", "pip", *words, folder / "installed", wheel], check=True, timeout=120)
    return {**os.environ, "PYTHONPATH": str(folder / "installed"), "PYTHONDONTWRITEBYTECODE": "1"}


def run(folder: Path, environment: dict[str, str], *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_the_adapter_of_the_documentation_conforms(tmp_path: Path) -> None:
    """Its harness of a few lines runs the whole suite; cases that cannot apply are skipped with their reasons."""
    environment = install(tmp_path, block("python", "# drawer_adapter.py"))
    (tmp_path / "drawer.json").write_text('{"a": "1", "b": "2"}')
    environment["DRAWER"] = str(tmp_path / "drawer.json")
    done = run(tmp_path, environment, KAMAL, "secrets", "fetch", "--adapter", "drawer", "b", "a")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"b": "2", "a": "1"}), done.stderr

    (tmp_path / "test_drawer_adapter.py").write_text(block("python", "# test_drawer_adapter.py"))
    done = run(tmp_path, environment, sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert re.search(r"13 passed, 10 skipped", done.stdout), done.stdout
    assert "missing tool: there is no program" in done.stdout


def test_a_fault_of_the_adapter_is_found(tmp_path: Path) -> None:
    """The same package with the cause kept, which holds the text of the file, fails one case."""
    whole = block("python", "# drawer_adapter.py")
    kept = whole.replace(
        "except ValueError:\n            values = None",
        "except ValueError as error:\n            "
        'raise KamalError("The drawer is no JSON", hint="write it anew") from error',
    )
    assert kept != whole
    environment = install(tmp_path, kept)
    (tmp_path / "test_drawer_adapter.py").write_text(block("python", "# test_drawer_adapter.py"))
    done = run(tmp_path, environment, sys.executable, "-m", "pytest", "-rf", "-p", "no:cacheprovider")
    assert re.search(r"1 failed, 12 passed, 10 skipped", done.stdout), done.stdout
    assert "test_conformance[half an answer]" in done.stdout
    assert "is in `doc` of what led to the error, JSONDecodeError" in done.stdout
