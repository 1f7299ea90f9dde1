"""Git lines, run in real repositories."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from pykamal.commands import git
from pykamal.commands.command import Command, Effect
from tests.unit.commands.shell import run

pytestmark = pytest.mark.unit


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    root = tmp_path / "shop"
    root.mkdir()
    setup = "git init -q && git config user.name 'Jane Dö' && git config user.email jane@example.com"
    commit = "echo one > a && git add a && git commit -q -m one"
    assert run(f"{setup} && {commit}", directory=root).returncode == 0
    return root


def test_lines() -> None:
    """spec/cli.md 15.2 and 15.5: lines of the work tree and of the clone."""
    assert git.root().display_text() == "git rev-parse --show-toplevel"
    assert git.revision().display_text() == "git rev-parse HEAD"
    assert git.revision("/b/").display_text() == "git -C /b/ rev-parse HEAD"
    assert git.uncommitted().display_text() == "git status --porcelain"
    assert git.uncommitted("/b/").display_text() == "git -C /b/ status --porcelain"
    assert git.modified_files().display_text() == "git -c core.quotePath=false ls-files --modified"
    assert git.untracked_files().display_text() == "git -c core.quotePath=false ls-files --others"
    assert git.clone("/src/shop", "/tmp/c").display_text() == "git -C /tmp/c clone /src/shop --recurse-submodules"
    assert [line.display_text() for line in git.reset("/src/shop", "/tmp/c/shop/", "abc").values()] == [
        "git -C /tmp/c/shop/ remote set-url origin /src/shop",
        "git -C /tmp/c/shop/ fetch origin",
        "git -C /tmp/c/shop/ reset --hard abc",
        "git -C /tmp/c/shop/ clean -fdx",
        "git -C /tmp/c/shop/ submodule update --init",
        "git -C /tmp/c/shop/ gc --auto --quiet",
    ]
    assert (git.revision().effect, git.clone("a", "b").effect) == (Effect.READ, Effect.CHANGE)


def test_directories() -> None:
    """spec/cli.md 15.2: 13 hex digits of the working directory's SHA-256; a trailing slash at the root."""
    digest = hashlib.sha256(b"/src/shop/api").hexdigest()[:13]
    clone = git.clone_directory("/cache", "shop", "/src/shop/api")
    assert clone == f"/cache/shop-{digest}"
    assert git.build_directory(clone, "/src/shop", "/src/shop/api") == f"{clone}/shop/api"
    assert git.build_directory(clone, "/src/shop", "/src/shop") == f"{clone}/shop/"


@pytest.mark.process
def test_facts_of_a_work_tree(repository: Path) -> None:
    """spec/cli.md 8.1 and 3.1: who and what."""
    assert run(git.user_name(), directory=repository).stdout.decode() == "Jane Dö\n"
    assert run(git.user_email(), directory=repository).stdout == b"jane@example.com\n"
    assert run(git.root(), directory=repository).stdout.decode().strip() == str(repository)
    assert run(git.uncommitted(), directory=repository).stdout == b""
    (repository / "b").write_text("new")
    (repository / "a").write_text("changed")
    assert run(git.uncommitted(), directory=repository).stdout == b" M a\n?? b\n"


@pytest.mark.process
def test_files_of_a_work_tree(repository: Path) -> None:
    """spec/cli.md 15.5: what `build dev` warns of; names beyond ASCII as they are, ignored files too."""
    (repository / "grün").write_text("new")
    (repository / "a").write_text("changed")
    (repository / ".git/info/exclude").write_text("secret\n")
    (repository / "secret").write_text("x")
    assert run(git.modified_files(), directory=repository).stdout == b"a\n"
    assert run(git.untracked_files(), directory=repository).stdout.decode() == "grün\nsecret\n"


@pytest.mark.process
def test_clone_follows_the_repository(repository: Path, tmp_path: Path) -> None:
    """spec/cli.md 15.2: an old clone cannot be cloned into, and a reset brings it to the revision and cleans it."""
    clones = tmp_path / "clones"
    clones.mkdir()
    assert run(git.clone(str(repository), str(clones))).returncode == 0
    again = run(git.clone(str(repository), str(clones)))
    assert b"already exists and is not an empty directory" in again.stderr
    run("echo two > a && git commit -qam two", directory=repository)
    revision = run(git.revision(), directory=repository).stdout.decode().strip()
    build = git.build_directory(str(clones), str(repository), str(repository))
    (clones / "shop/litter").write_text("x")
    for step in git.reset(str(repository), build, revision).values():
        assert run(step).returncode == 0
    assert run(git.revision(build)).stdout.decode().strip() == revision
    assert run(git.uncommitted(build)).stdout == b""
    assert sorted(path.name for path in (clones / "shop").iterdir()) == [".git", "a"]


CALLS = [
    git.root(),
    git.revision("/b/"),
    git.uncommitted(),
    git.latest_commits(1),
    git.modified_files(),
    git.untracked_files(),
    git.user_name(),
    git.user_email(),
    git.tracked_files("/src/shop"),
    git.commit_of("main"),
    git.is_shallow(),
    git.objects_since("abc"),
    git.contents(),
    git.introducing("abc"),
    git.clone("/src/shop", "/tmp/c"),
    *git.reset("/src/shop", "/tmp/c/shop/", "abc").values(),
]


@pytest.mark.parametrize("call", CALLS, ids=Command.display_text)
def test_every_call_overrides_what_a_repository_may_set(call: Command) -> None:
    """A repository may name programs in its configuration; none of them counts, nor a transport for what only reads."""
    line = call.shell_text()
    for setting in ("safe.bareRepository=explicit", "log.showSignature=false", "core.fsmonitor=false"):
        assert f" -c {setting} " in line
    assert " --no-pager " in line
    if call.effect is Effect.READ:
        assert line.startswith("env GIT_ALLOW_PROTOCOL= GIT_NO_LAZY_FETCH=1 git --no-optional-locks ")
        assert " -c core.hooksPath=/dev/null " in line
