"""The clone that images are built from, with real Git (spec/cli.md 15.2)."""

from __future__ import annotations

import asyncio
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from pykamal.config.models import Ssh
from pykamal.core.errors import BuildError
from pykamal.events import Bus, Event, Log, Message, Tone
from pykamal.operations.context import Context
from pykamal.operations.images import clone
from pykamal.transport.fleet import Fleet
from pykamal.transport.local import LocalSession
from tests.unit import samples

pytestmark = [pytest.mark.unit, pytest.mark.process]


class Repository:
    """A work tree `shop` and the context of a run in it. `told` are the log lines and messages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[Log | Message] = []
        folder.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Ada")
        self.git("config", "user.email", "ada@example.com")
        self.commit("one")

    def git(self, *arguments: str, at: Path | None = None) -> str:
        done = subprocess.run(["git", *arguments], cwd=at or self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, text: str) -> str:
        (self.folder / "a").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", text)
        return self.git("rev-parse", "HEAD")

    def context(self, *, directory: Path | None = None, clones: bool = True) -> Context:
        def tell(event: Event) -> None:
            if isinstance(event, Log | Message):
                self.told.append(event)

        made = samples.context(samples.config(samples.role("web", "10.0.0.1")))
        bus = Bus(tell)
        local_context = replace(
            made.local_context,
            directory=str(directory or self.folder),
            git_root=str(self.folder),
            revision=self.git("rev-parse", "HEAD"),
            clones=clones,
        )
        return replace(made, bus=bus, local=LocalSession(bus), fleet=Fleet(Ssh(), bus), local_context=local_context)

    def prepare(self, context: Context) -> Path:
        """The build directory, once the clone is ready."""
        asyncio.run(clone.prepare(context))
        return Path(clone.build_directory(context))

    @property
    def lines(self) -> list[str]:
        return [event.text for event in self.told]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = Repository(tmp_path / "shop")
    monkeypatch.chdir(made.folder)
    return made


def test_a_first_clone(repository: Repository) -> None:
    """The commit and nothing else; its folder ends in a slash at the root of the repository."""
    (repository.folder / "new").write_text("not committed")
    context = repository.context()
    directory = repository.prepare(context)
    assert clone.build_directory(context).endswith("/shop/")
    assert sorted(path.name for path in directory.iterdir()) == [".git", "a"]
    assert repository.lines == [
        "Building from a local git clone, so ignoring these uncommitted changes:\n ?? new",
        f"Cloning repo into build directory `{directory}/`...",
    ]
    assert isinstance(repository.told[0], Message)
    assert repository.told[0].tone is Tone.WARNING


def test_an_old_clone_is_reset(repository: Repository) -> None:
    """It is brought to the new commit, and litter of the last build goes away."""
    directory = repository.prepare(repository.context())
    (directory / "litter").write_text("x")
    (directory / "a").write_text("changed")
    repository.commit("two")
    repository.told.clear()
    assert repository.prepare(repository.context()) == directory
    assert (directory / "a").read_text() == "two"
    assert not (directory / "litter").exists()
    assert repository.lines == [f"Resetting local clone as `{directory}/` already exists..."]


def test_a_folder_of_the_repository(repository: Repository) -> None:
    """The working directory's place in the clone; the checks are those of the whole repository."""
    folder = repository.folder / "apps" / "web"
    folder.mkdir(parents=True)
    (folder / "b").write_text("b")
    repository.commit("with a folder")
    directory = repository.prepare(repository.context(directory=folder))
    assert directory.parts[-3:] == ("shop", "apps", "web")
    assert (directory / "b").read_text() == "b"


def test_a_clone_that_stays_dirty_is_replaced(repository: Repository) -> None:
    """`git clean` leaves repositories inside, so the second attempt begins with a new clone."""
    directory = repository.prepare(repository.context())
    (directory / "inner").mkdir()
    repository.git("init", "-q", at=directory / "inner")
    (directory / "inner" / "file").write_text("x")
    repository.told.clear()
    repository.prepare(repository.context())
    assert not (directory / "inner").exists()
    assert repository.lines == [
        f"Resetting local clone as `{directory}/` already exists...",
        f"Error preparing clone: Clone in {directory}/ is dirty, ?? inner/, deleting and retrying...",
        f"Cloning repo into build directory `{directory}/`...",
    ]


@pytest.mark.parametrize("broken", ["HEAD", "objects"])
def test_a_broken_clone_is_replaced(repository: Repository, broken: str) -> None:
    """The remains of a killed build are replaced by a new clone."""
    directory = repository.prepare(repository.context())
    part = directory / ".git" / broken
    part.rename(part.with_name("away"))
    repository.told.clear()
    repository.prepare(repository.context())
    assert (directory / "a").read_text() == "one"
    assert repository.lines[1].startswith("Error preparing clone: Failed to clone repo: ")
    assert repository.lines[1].endswith(", deleting and retrying...")


def test_a_commit_on_no_branch(repository: Repository) -> None:
    """Fetching brings branches only: a detached HEAD needs a new clone."""
    directory = repository.prepare(repository.context())
    repository.git("checkout", "-q", "--detach")
    repository.commit("aside")
    repository.prepare(repository.context())
    assert (directory / "a").read_text() == "aside"


def test_a_second_failure_is_final(repository: Repository) -> None:
    """A commit made meanwhile is not what is deployed."""
    context = repository.context()
    expected = context.local_context.revision
    found = repository.commit("meanwhile")
    with pytest.raises(BuildError) as caught:
        repository.prepare(context)
    assert caught.value.message.endswith(
        f"shop/ is not on the correct revision, expected `{expected}` but got `{found}`"
    )
    assert sum(line.startswith("Error preparing clone: ") for line in repository.lines) == 1


def test_a_repository_without_a_commit(repository: Repository) -> None:
    """design.md, rule 5: said at once, instead of what Git makes of it."""
    unborn = repository.context()
    repository.git("update-ref", "-d", "HEAD")
    unborn.local_context = replace(unborn.local_context, revision="HEAD")
    for attempt in (lambda: asyncio.run(clone.prepare(unborn)), lambda: clone.phases(unborn)):
        with pytest.raises(BuildError, match="has no commit yet") as caught:
            attempt()
        assert "git commit" in (caught.value.hint or "")


def test_without_a_clone(repository: Repository) -> None:
    """With builder/context the working directory itself is built, changes included (config.md 7.4)."""
    (repository.folder / "a").write_text("changed")
    context = repository.context(clones=False)
    assert repository.prepare(context) == Path()
    assert clone.build_directory(context) == "."
    assert repository.lines == ["Building with uncommitted changes:\n M a"]
