"""The texts of help and of the tree (cli.md 18.4)."""

from __future__ import annotations

import re

import pytest

from pykamal.cli.help import topic_text, tree_text
from pykamal.cli.table import COMMANDS, GROUPS, command_row, within

pytestmark = pytest.mark.unit


def listed(text: str) -> list[str]:
    return re.findall(r"^  kamal (.+?)  +# ", text, re.MULTILINE)


def test_everything() -> None:
    """Every group and visible command of the top level, sorted, then the global options and the exit codes."""
    text = topic_text(None)
    expected = sorted([*GROUPS, *(command.usage for command in within(None) if not command.hidden)])
    assert listed(text) == expected
    assert text.startswith("Commands:\n")
    assert "\nOptions:\n  -v, --verbose " in text
    assert "Exit codes: 0 done, 1 failed, 2 usage error, 3 a bug" in text


@pytest.mark.parametrize("group", GROUPS)
def test_a_group(group: str) -> None:
    """Its visible commands with what they take, its own help and tree; hidden ones are not there."""
    commands = [command.usage for command in within(group) if not command.hidden]
    assert listed(topic_text(group)) == sorted([*commands, f"{group} help [COMMAND]", f"{group} tree"])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.path)
def test_a_command(command) -> None:  # type: ignore[no-untyped-def]
    """Help shows usage, the command's options before the common ones, defaults, choices and a description."""
    text = topic_text(command.path)
    usage, _, rest = text.partition("\n\n")
    assert usage == f"Usage:\n  kamal {command.usage}"
    assert rest.startswith(f"{command.summary}.\n")
    own, _, inherited = rest.partition("Options of every command:\n")
    for option in command.all_options:
        assert option.forms[-1] in (own if option in command.options else inherited)
    assert "[900]" in inherited


def test_required_options_and_choices() -> None:
    """They are told as such."""
    assert "(required)" in topic_text("lock acquire")
    assert "kamal lock acquire --message TEXT" in topic_text("lock acquire")
    assert "(text or json) [text]" in topic_text("audit")


def test_the_tree() -> None:
    """Every group under its Ruby name, every visible command once; without those that every group has."""
    text = tree_text()
    assert text.startswith("kamal:cli:main\n  ├─ accessory (")
    for group in GROUPS:
        assert f"\n  kamal:cli:{group}\n" in text
    named = re.findall(r"[├└]─ ([a-z_]+) ", text)
    visible = [command.name for command in COMMANDS if not command.hidden and command.handler]
    assert sorted(named) == sorted([*visible, *GROUPS])
    assert tree_text("lock").splitlines()[-1] == f"  └─ status ({command_row('lock status').summary})"


@pytest.mark.parametrize("columns", ["20", "80", "200", "nonsense"])
def test_the_width_of_the_terminal(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text is wrapped, never cut, in a terminal that is too narrow or unknown as well."""
    monkeypatch.setenv("COLUMNS", columns)
    for command in COMMANDS:
        words = " ".join(topic_text(command.path).split())
        assert all(option.help in words for option in command.all_options)
    for group in GROUPS:
        words = " ".join(topic_text(group).split())
        assert all(command.summary in words for command in within(group) if not command.hidden)
