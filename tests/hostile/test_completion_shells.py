"""The completion scripts in the shells themselves: keys are pressed in a terminal, and the line is read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.shells import KAMAL, TAB, Terminal, fish_candidates

pytestmark = pytest.mark.hostile

CONFIG = """\
service: app
image: me/app
servers:
  web: [web-1.example.com, web-2.example.com]
  jobs: ["fd00::1"]
registry: {server: "localhost:5555"}
builder: {arch: amd64}
accessories:
  db: {image: "mysql:8", host: 10.0.0.4}
aliases: {console: "app exec -i --reuse bash"}
"""

LINES = [
    ("kamal red", "kamal redeploy "),
    ("kamal app cont", "kamal app containers "),
    ("kamal app stale-", "kamal app stale-containers "),
    ("kamal con", "kamal con"),
    ("kamal cons", "kamal console "),
    ("kamal deploy --skip-p", "kamal deploy --skip-push "),
    ("kamal app boot -h web-", "kamal app boot -h web-"),
    ("kamal app boot -h 10", "kamal app boot -h 10.0.0.4 "),
    ("kamal app boot --hosts=10", "kamal app boot --hosts=10.0.0.4 "),
    ("kamal app boot --hosts=10.0.0.4,web-1", "kamal app boot --hosts=10.0.0.4,web-1.example.com "),
    ("kamal app boot -h fd", "kamal app boot -h fd00::1 "),
    ("kamal app boot -h fd00:", "kamal app boot -h fd00::1 "),
    ("kamal app boot -h fd00::1,10", "kamal app boot -h fd00::1,10.0.0.4 "),
    ("kamal console -r jo", "kamal console -r jobs "),
    ("kamal accessory logs d", "kamal accessory logs db "),
    ("kamal deploy -d sta", "kamal deploy -d staging "),
    ("kamal deploy -c conf", "kamal deploy -c config/"),
    ("VERSION=1 kamal red", "VERSION=1 kamal redeploy "),
    ("true; kamal red", "true; kamal redeploy "),
    ("bin/kamal red", "bin/kamal redeploy "),
    ("~/bin/kamal red", "~/bin/kamal redeploy "),
]
"""The words before TAB, and the line afterwards."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "config").mkdir()
    (folder / "config" / "deploy.yml").write_text(CONFIG)
    (folder / "config" / "deploy.staging.yml").write_text("{}\n")
    (folder / "bin").mkdir()
    (folder / "bin" / "kamal").symlink_to(KAMAL)
    return folder


@pytest.fixture(scope="module")
def bash(project: Path) -> Iterator[Terminal]:
    terminal = Terminal("bash", project)
    yield terminal
    terminal.close()


@pytest.fixture(scope="module")
def zsh(project: Path) -> Iterator[Terminal]:
    terminal = Terminal("zsh", project)
    yield terminal
    terminal.close()


@pytest.mark.parametrize(("typed", "expected"), LINES)
def test_bash(typed: str, expected: str, bash: Terminal) -> None:
    """One candidate is put in, with a space unless more follows; of several their common beginning."""
    assert bash.line(typed) == expected


@pytest.mark.parametrize(("typed", "expected"), LINES)
def test_zsh(typed: str, expected: str, zsh: Terminal) -> None:
    """As in bash."""
    assert zsh.line(typed) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_what_there_is_to_choose_from(shell: str, request: pytest.FixtureRequest) -> None:
    """The candidates are listed; zsh shows what each is about."""
    terminal: Terminal = request.getfixturevalue(shell)
    terminal.line("kamal app st" + TAB)
    assert {"stale_containers", "start", "stop"} <= set(terminal.seen.split())
    assert ("Stop the app's container" in terminal.seen) == (shell == "zsh")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("kamal red", ["redeploy"]),
        ("kamal app st", ["stale_containers", "start", "stop"]),
        ("kamal deploy --skip-p", ["--skip-push"]),
        ("kamal app boot --hosts=10", ["--hosts=10.0.0.4"]),
        ("kamal app boot -h fd00::1,10", ["fd00::1,10.0.0.4"]),
        ("kamal console -r ", ["jobs", "web"]),
        ("kamal deploy -c conf", ["config/"]),
        ("VERSION=1 kamal red", ["redeploy"]),
        ("true; kamal red", ["redeploy"]),
        ("bin/kamal red", ["redeploy"]),
        ("~/bin/kamal red", ["redeploy"]),
        ("kamal app exec ", []),
    ],
)
def test_fish(typed: str, expected: list[str], project: Path) -> None:
    """The same candidates, in the same order, with descriptions."""
    found = fish_candidates(typed, project)
    assert [candidate[0] for candidate in found] == expected


def test_fish_shows_what_a_candidate_is_about(project: Path) -> None:
    """The summary of a command, the hosts of a role."""
    assert fish_candidates("kamal app sto", project) == [["stop", "Stop the app's container"]]
    assert fish_candidates("kamal deploy -r w", project) == [["web", "web-1.example.com, web-2.example.com"]]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_nothing_is_said_where_nothing_is_known(shell: str, request: pytest.FixtureRequest, project: Path) -> None:
    """A configuration that is missing or cannot be read is no reason to write into somebody's command line."""
    terminal: Terminal = request.getfixturevalue(shell)
    (project / "broken.yml").write_text("servers: [a\n")
    for line in ("kamal app boot -c nowhere.yml -h x", "kamal app boot -c broken.yml -h x", "kamal nonsense x"):
        assert terminal.line(line) == line
        assert "rror" not in terminal.seen
