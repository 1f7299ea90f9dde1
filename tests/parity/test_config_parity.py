"""`kamal config` of this tool and of Ruby Kamal 2.11.0 on the same files: the same bytes, or the same refusal.

A sample runs always; the whole catalogue is marked `long`, because each run of Ruby Kamal takes most of a second.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pykamal.commands.flags import log_flags
from pykamal.commands.words import render
from pykamal.config import load
from pykamal.config.show import config_document
from pykamal.core.errors import ConfigurationError
from pykamal.operations.local_outside import LocalOutside
from tests.config_catalogue import ACCEPTED, OWN_KEYS, REFUSED, changed
from tests.config_template_table import ENVIRONMENT, EXPRESSIONS, FILES, TRIMMED
from tests.parity.oracle import ruby_output

pytestmark = pytest.mark.parity

_DATA = Path(__file__).parents[1] / "data" / "config"
_VERSION = "1.4.2"

# Rows of the error catalogue that Ruby Kamal 2.11.0 does not know yet (spec/config.md 21).
_NEW_IN_2_12 = {48, 49, 107, 123, 124, 125}
_NEW_KEYS = ("stop_timeout", "output", "forward_agent")

# Rows that crash in Ruby, for which this tool has words of its own (spec/config.md 22).
_OWN_WORDS = {29, 66, 114, 119, 131}

_ANOTHER_VERSION = ("minimum_version: 100",)
_COMPARABLE = [row for row in REFUSED if row[0] not in _NEW_IN_2_12 and not any(key in row[1] for key in _NEW_KEYS)]
_SAMPLE = 16


def _case(index: int, change: str) -> object:
    return pytest.param(change, marks=() if index % _SAMPLE == 0 else pytest.mark.long, id=change)


def _ours(directory: Path, destination: str | None, environment: dict[str, str]) -> str:
    outside = LocalOutside(directory, {**os.environ, **environment})
    try:
        config = load(destination=destination, outside=outside)
    except ConfigurationError as error:
        return f"ERROR ({error.label}): {error.message}"
    return config_document(config, _VERSION, [render(word, shown=True) for word in log_flags(config.logging)])


def _rubys(directory: Path, destination: str | None, environment: dict[str, str]) -> str:
    arguments = ["config", *(["-d", destination] if destination else [])]
    status, output = ruby_output(arguments, directory, {"VERSION": _VERSION, **environment})
    refusal = re.search(r"ERROR \(.*(?=\x1b\[0m)", output, re.DOTALL)
    assert (status == 0) is (refusal is None), output
    return refusal.group() if refusal else output


def _both(
    directory: Path, files: dict[str, str], destination: str | None = None, environment: dict[str, str] | None = None
) -> tuple[str, str]:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, newline="")
    given = environment or {}
    return _ours(directory, destination, given), _rubys(directory, destination, given)


@pytest.mark.parametrize(
    "change", [_case(index, row[1]) for index, row in enumerate(_COMPARABLE) if row[0] not in _OWN_WORDS]
)
def test_refusals(change: str, tmp_path: Path) -> None:
    """Section 20: the same class and the same words, of the same one of several errors."""
    ours, rubys = _both(tmp_path, {"config/deploy.yml": changed(change)})
    if change.startswith(_ANOTHER_VERSION):
        rubys = rubys.replace("2.11.0", "2.12.0")
    assert ours == rubys


@pytest.mark.parametrize("change", [_case(index, row[1]) for index, row in enumerate(REFUSED) if row[0] in _OWN_WORDS])
def test_crashes(change: str, tmp_path: Path) -> None:
    """Section 22: where Ruby crashes both refuse, with the same class and other words."""
    ours, rubys = _both(tmp_path, {"config/deploy.yml": changed(change)})
    assert ours.partition(":")[0] == rubys.partition(":")[0]


@pytest.mark.parametrize("change", [_case(index, change) for index, change in enumerate(ACCEPTED)])
def test_accepted(change: str, tmp_path: Path) -> None:
    """What both accept prints the same bytes."""
    ours, rubys = _both(tmp_path, {"config/deploy.yml": changed(change)})
    assert ours == rubys


@pytest.mark.parametrize(
    ("name", "destination"), [("minimal", None), ("roles", None), ("staging", "staging"), ("scalars", None)]
)
def test_files(name: str, destination: str | None, tmp_path: Path) -> None:
    """The worked examples of section 19.3, and a file with every kind of scalar: the same bytes."""
    files = {"config/deploy.yml": (_DATA / f"{name}.yml").read_text()}
    if destination is not None:
        files[f"config/deploy.{destination}.yml"] = (_DATA / f"{name}.{destination}.yml").read_text()
    ours, rubys = _both(tmp_path, files, destination)
    assert ours == rubys == (_DATA / f"{name}.shown").read_text()


def test_templates(tmp_path: Path) -> None:
    """Section 1.3: every expression and template of the table renders as Ruby renders it."""
    lines = [f"    e{index}: |\n      [<%= {expression} %>]\n" for index, (expression, _) in enumerate(EXPRESSIONS)]
    text = changed("builder: -") + "builder:\n  arch: amd64\n  args:\n" + "".join(lines)
    ours, rubys = _both(tmp_path, {**FILES, "config/deploy.yml": text}, None, dict(ENVIRONMENT))
    assert not ours.startswith("ERROR")
    assert ours == rubys


@pytest.mark.parametrize(
    "source", [_case(index, source) for index, (source, _) in enumerate(TRIMMED) if "\r" not in source]
)
def test_trimming(source: str, tmp_path: Path) -> None:
    """Section 1.3: tags and the white space around them leave the same text."""
    body = source.replace("\n", "\n      ")
    text = changed("builder: -") + f"builder:\n  arch: amd64\n  args:\n    t: |\n      .{body}\n      .\n"
    ours, rubys = _both(tmp_path, {**FILES, "config/deploy.yml": text}, None, dict(ENVIRONMENT))
    assert ours == rubys


def test_own_keys_do_not_disturb_ruby(tmp_path: Path) -> None:
    """A file that uses all of `x-pykamal` is loaded by Ruby Kamal, with the same result."""
    ours, rubys = _both(tmp_path, {"config/deploy.yml": changed("service: app") + OWN_KEYS})
    assert not rubys.startswith("ERROR")
    assert ours == rubys
