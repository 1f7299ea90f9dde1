"""`kamal config schema` in an editor, through the language server that editors use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from pykamal.cli.dispatch import dispatch
from pykamal.config.schema import section
from tests.language_server import LanguageServer

pytestmark = [pytest.mark.unit, pytest.mark.process, pytest.mark.timeout(60)]

_MODELINE = "# yaml-language-server: $schema=schema.json\n"


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageServer]:
    """With the schema where docs/configuration.md says to put it, beside the documents for short names."""
    folder = tmp_path_factory.mktemp("editor")
    with (folder / "schema.json").open("w") as file, redirect_stdout(file):
        assert dispatch(["config", "schema"]) == 0
    with LanguageServer(folder) as server:
        yield server


def test_completion_of_root_keys(editor: LanguageServer) -> None:
    """Every root key is offered in an empty file."""
    offered = editor.completions(editor.open("empty.yml", f"{_MODELINE}\n"), 1, 0)
    assert {"service", "servers", "proxy", "accessories", "x-pykamal"} <= set(offered)
    assert set(section("deploy")["properties"]) <= set(offered)


def test_completion_inside_a_section(editor: LanguageServer) -> None:
    """Below `proxy:` its own keys are offered, and nothing of the root; what is written already is left out."""
    text = f"{_MODELINE}service: shop\nproxy:\n  host: a.example.com\n  \n"
    offered = set(editor.completions(editor.open("proxy.yml", text), 4, 2))
    assert {"app_port", "healthcheck", "ssl"} <= offered
    assert not offered & {"host", "service", "servers"}


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("servers:\n  web:\n    hosts: [a]\n    \n", {"cmd", "labels", "proxy"}),
        ("accessories:\n  db:\n    image: a\n    \n", {"host", "directories", "env"}),
        ("x-pykamal:\n  ssh:\n    \n", {"host_key_policy"}),
        ("env:\n  clear:\n    A: b\n  \n", {"secret", "tags"}),
    ],
    ids=["role", "accessory", "own", "env"],
)
def test_completion_everywhere(text: str, offered: set[str], editor: LanguageServer) -> None:
    """Roles and accessories have names of their own above their keys; `env` has two forms."""
    lines = f"{_MODELINE}{text}".split("\n")
    place = len(lines) - 2
    document = editor.open(f"{min(offered)}.yml", "\n".join(lines))
    assert offered <= set(editor.completions(document, place, len(lines[place])))


def test_hover(editor: LanguageServer) -> None:
    """A key tells what it means, in the schema's words."""
    document = editor.open("hover.yml", f"{_MODELINE}service: shop\nproxy:\n  app_port: 3000\n")
    assert section("proxy")["properties"]["app_port"]["description"] in editor.hover(document, 3, 4)
    assert section("deploy")["properties"]["service"]["description"] in editor.hover(document, 1, 2)


def test_diagnostics(editor: LanguageServer) -> None:
    """An unknown key and a value of the wrong type are marked on their lines, and nothing else is."""
    text = f"{_MODELINE}service: shop\nvolums: []\nproxy:\n  app_port: '3000'\n"
    found = sorted(editor.diagnostics(editor.open("wrong.yml", text)))
    assert [line for line, _ in found] == [2, 4]
    assert "volums" in found[0][1]
    assert "integer" in found[1][1]


def test_nothing_to_say_about_valid_files(editor: LanguageServer) -> None:
    """The worked examples of spec/config.md 19.3 that have no template."""
    data = Path(__file__).parents[2] / "data" / "config"
    for name in ("minimal", "roles"):
        document = editor.open(f"{name}.yml", _MODELINE + (data / f"{name}.yml").read_text())
        assert editor.diagnostics(document) == [], name
