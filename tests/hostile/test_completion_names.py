"""Names of a hostile project at TAB and Enter: the shell reads back the name, and runs nothing of it.

`kamal` is a program here that asks the real one for completions and otherwise notes its arguments.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.shells import KAMAL, SHELLS, TAB, Terminal, environment

pytestmark = pytest.mark.hostile

MARK = "fired"
RUN = f"touch {MARK}"

PAYLOADS = {
    "substitution": f"$({RUN})",
    "back-ticks": f"`{RUN}`",
    "separators": f";{RUN};&{RUN}&|{RUN}",
    "quotes": f"'$({RUN})'\"$({RUN})\"\\$({RUN})",
    "expansion": f"${{x:-$({RUN})}}{{1,2}}*?[a]~",
    "history": "!!!$ !{RUN}",
    "process": f"<({RUN})>({RUN})",
    "blanks": f" {RUN} #",
    "end of a quote": "'",
    "end of another": '"',
}
ALL = f"$({RUN})`{RUN}`;{RUN};'\"$({RUN})!! \\"
"""One name with everything, which a file may have too."""

POSITIONS = {
    "accessory": ("kamal accessory boot ", ""),
    "host": ("kamal app boot -h ", ""),
    "host behind =": ("kamal app boot ", "--hosts="),
    "second host": ("kamal app boot -h ", "web-1,"),
    "role": ("kamal app boot -r ", ""),
    "destination": ("kamal app boot -d ", ""),
    "file": ("kamal app boot -c ", ""),
    "version": ("kamal rollback ", ""),
    "version behind option": ("kamal app boot --version ", ""),
    "alias": ("kamal ", ""),
    "sandbox": ("kamal sandbox down --name ", ""),
}
"""The line in front of the name, and what the word has in front of it; the name begins with `x`."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which everything has the name `x` with all payloads, and accessories with one payload each."""
    folder = tmp_path_factory.mktemp("names")
    name = f"x{ALL}"
    accessories: dict[str, dict[str, str]] = {
        f"{number}{payload}": {} for number, payload in enumerate(PAYLOADS.values())
    }
    config = {
        "service": "app",
        "servers": {name: [name, "web-1"]},
        "accessories": {name: {"image": f"\x1b]52;c;aGk=\x07\u202e\x9b31m%F{{red}}$({RUN})`{RUN}`"}, **accessories},
        "aliases": {name: "app exec"},
    }
    (folder / "config").mkdir()
    (folder / "config" / "deploy.yml").write_text(json.dumps(config))
    (folder / "config" / f"deploy.{name}.yml").write_text("{}")
    (folder / f"{name}.yml").write_text("{}")
    (folder / ".cache" / "pykamal" / "versions").mkdir(parents=True)
    (folder / ".cache" / "pykamal" / "versions" / "app").write_text(f"{name.replace(' ', '')}\n")
    (folder / "sandboxes" / name).mkdir(parents=True)
    program = folder / "programs" / "kamal"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh
case $1 in __complete | completion) exec {KAMAL} "$@" ;; esac
printf '%s\\0' "$@" > {folder}/arguments
"""
    )
    program.chmod(0o755)
    return folder


@pytest.fixture(scope="module", params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def terminal(shell: str, project: Path) -> Iterator[Terminal]:
    environ = {
        **environment(project, path=str(project / "programs")),
        "XDG_CACHE_HOME": str(project / ".cache"),
        "PYKAMAL_SANDBOX_HOME": str(project / "sandboxes"),
    }
    terminal = Terminal(shell, project, environ=environ)
    yield terminal
    terminal.close()


def entered(terminal: Terminal, project: Path, line: str) -> str:
    """The last argument that kamal gets when a line is typed and Enter pressed."""
    arguments = project / "arguments"
    arguments.unlink(missing_ok=True)
    terminal.enter(line)
    assert not fired(project), terminal.seen
    return arguments.read_text().split("\0")[-2]


def fired(project: Path) -> bool:
    mark = project / MARK
    there = mark.exists()
    mark.unlink(missing_ok=True)
    return there


@pytest.mark.parametrize("position", POSITIONS)
def test_a_name_that_a_shell_would_run(position: str, terminal: Terminal, project: Path) -> None:
    """Completion inserts every name of the project so that it stays a name."""
    before, inside = POSITIONS[position]
    name = {"file": f"x{ALL}.yml"}.get(position, f"x{ALL}")
    expected = name.replace(" ", "") if "version" in position else name
    assert entered(terminal, project, f"{before}{inside}x{TAB}") == f"{inside}{expected}"


@pytest.mark.parametrize("quote", ["", "'", '"'])
@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_name_within_quotes(payload: str, quote: str, terminal: Terminal, project: Path) -> None:
    """Behind an open quote the rules are others, and the name is the same."""
    number = list(PAYLOADS).index(payload)
    assert entered(terminal, project, f"kamal accessory boot {quote}{number}{TAB}") == f"{number}{PAYLOADS[payload]}"


def test_a_name_that_is_put_in_as_it_is(terminal: Terminal, project: Path) -> None:
    """The check finds it: typed without quotes, the same name leaves its mark."""
    terminal.enter(f"kamal accessory boot x$({RUN})")
    assert fired(project)


def test_a_completion_that_does_not_quote(project: Path) -> None:
    """The check finds it: with a completion function that hands on the bare name, TAB and Enter leave the mark."""
    careless = f"_careless() {{ COMPREPLY=('x$({RUN})'); }}; complete -F _careless kamal"
    terminal = Terminal("bash", project, source=careless)
    terminal.enter(f"kamal accessory boot x{TAB}")
    terminal.close()
    assert fired(project)


def test_what_is_said_about_a_name(terminal: Terminal, project: Path) -> None:
    """Descriptions come from the project too; they run nothing, and the terminal gets no control character of them."""
    terminal.line(f"kamal accessory boot {TAB}{TAB}")
    for character in ("\x1b]52", "\x07\u202e", "\u202e", "\x9b"):
        assert character not in terminal.seen.rpartition("[[")[0], repr(terminal.seen)
    assert not fired(project)
