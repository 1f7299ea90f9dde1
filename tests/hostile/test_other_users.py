"""Another user of the operator's machine, who was there first: nothing of theirs is built, and they see nothing.

The other user is a process of uid 65534. Every arrangement is tried on a careless variant too, `mkdir -p`, where the
other user must win: an attack that cannot succeed would prove nothing.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Self

import pytest

from pykamal.cli.dispatch import dispatch
from pykamal.core.errors import UnsafeDirectory
from pykamal.core.private_directories import check_private, make_private, user_cache
from pykamal.events.log_file import LogFile
from pykamal.operations.images import clone
from tests.unit.operations.test_build_clone import Repository

pytestmark = [
    pytest.mark.hostile,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user"),
]

NOBODY = 65534


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory like /tmp: everybody may write to it, and it has the sticky bit."""
    above = Path(tempfile.mkdtemp())
    above.chmod(0o755)
    directory = above / "shared"
    directory.mkdir()
    directory.chmod(0o1777)
    yield directory
    shutil.rmtree(above)


def as_nobody(line: str) -> bool:
    """Run a shell line as the other user; whether it ended well."""
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "sh", "-c", line]
    return subprocess.run(become, capture_output=True, check=False).returncode == 0


def careless(path: Path) -> Path:
    """The place as most programs make it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def can_exchange(directory: Path) -> bool:
    """The other user puts a directory of their own in the place of one in which something was just built."""
    (directory / "clone").mkdir(mode=0o700, exist_ok=True)
    (directory / "clone" / "Dockerfile").write_text("FROM ours\n")
    as_nobody(f"cd {directory} && mv clone away && mkdir clone && echo FROM theirs > clone/Dockerfile")
    if (directory / "clone" / "Dockerfile").read_text() == "FROM ours\n":
        above = directory.parent
        as_nobody(f"cd {above} && mv {directory.name} away && mkdir -p {directory}/clone && cd {directory}/clone && "
                  "echo FROM theirs > Dockerfile")  # fmt: skip
    return (directory / "clone" / "Dockerfile").read_text() == "FROM theirs\n"


def own(path: Path) -> None:
    as_nobody(f"mkdir -m 755 {path}")


def open_to_all(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


def open_to_a_group(path: Path) -> None:
    path.mkdir()
    os.chown(path, 0, NOBODY)
    path.chmod(0o770)


def link_to_theirs(path: Path) -> None:
    as_nobody(f"mkdir -m 777 {path}-theirs && ln -s {path}-theirs {path}")


def our_link_to_theirs(path: Path) -> None:
    as_nobody(f"mkdir -m 777 {path}-theirs")
    path.symlink_to(f"{path}-theirs")


def link_through_theirs(path: Path) -> None:
    """Our own link leads to our own directory, by way of one that the other user can exchange."""
    ours = path.parent / "ours"
    ours.mkdir(mode=0o700)
    as_nobody(f"ln -s {ours} {path}-way")
    path.symlink_to(f"{path}-way/../ours")


ARRANGEMENTS: tuple[Callable[[Path], None], ...] = (
    own,
    open_to_all,
    open_to_a_group,
    link_to_theirs,
    our_link_to_theirs,
)


@pytest.mark.parametrize("arrange", ARRANGEMENTS)
@pytest.mark.parametrize("depth", ["pykamal", "pykamal/clones"])
def test_a_directory_that_another_user_can_exchange_is_refused(
    shared: Path, arrange: Callable[[Path], None], depth: str
) -> None:
    """Every component of the path counts, and the error names the one that is wrong and what to do."""
    target = shared / "pykamal" / "clones"
    if depth != "pykamal":
        (shared / "pykamal").mkdir()
        (shared / "pykamal").chmod(0o1777)
    arrange(shared / depth)
    for use in (make_private, check_private):
        with pytest.raises(UnsafeDirectory) as caught:
            use(target)
        assert str(shared / depth) in caught.value.message
        assert "XDG_CACHE_HOME" in (caught.value.hint or "")
    assert can_exchange(careless(target)), "the careless variant must fall for it"


def test_the_home_of_another_user_is_refused_with_a_remedy(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers of CI run as root with the home directory of another user, which nobody would want to remove."""
    own(shared / "home")
    monkeypatch.setenv("HOME", str(shared / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(UnsafeDirectory) as caught:
        make_private(user_cache("clones"))
    assert f"{shared / 'home'} is a directory of user nobody" in caught.value.message
    remedy = caught.value.hint or ""
    assert "remove" not in remedy
    (place,) = re.findall(r"export XDG_CACHE_HOME=(\S+)$", remedy)
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    check_private(user_cache("clones"))


def test_what_is_made_is_out_of_reach(shared: Path) -> None:
    """Mode 0700 from the first directory on, also below a directory that everybody may write to."""
    target = shared / "pykamal" / "clones"
    assert make_private(target) == target
    assert [path.stat().st_mode & 0o777 for path in (target, target.parent)] == [0o700, 0o700]
    assert not can_exchange(target)
    assert not as_nobody(f"ls {target.parent}")


def test_links_that_only_this_user_and_root_can_change_are_followed(shared: Path) -> None:
    """A cache on another disk, as people have it; where it leads is checked as well."""
    disk = shared / "disk"
    disk.mkdir(mode=0o700)
    (shared / "cache").symlink_to("disk/../disk")
    make_private(shared / "cache" / "pykamal")
    assert (disk / "pykamal").stat().st_mode & 0o777 == 0o700
    link_through_theirs(shared / "link")
    with pytest.raises(UnsafeDirectory, match="link-way"):
        make_private(shared / "link" / "pykamal")
    (shared / "loop").symlink_to("loop")
    with pytest.raises(UnsafeDirectory, match="too many"):
        make_private(shared / "loop" / "pykamal")


def test_the_moment_between_look_and_making_is_no_opening(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another user makes just before ours is checked like any other."""
    target = shared / "pykamal"
    make = Path.mkdir

    def late(path: Path, *arguments: int, **named: int) -> None:
        if path == target:
            own(target)
        make(path, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", late)
    with pytest.raises(UnsafeDirectory, match="directory of"):
        make_private(target)


def test_a_directory_that_others_can_only_read_is_closed(shared: Path) -> None:
    """One of an earlier version, say: clones hold source code that may not be for everybody."""
    target = shared / "pykamal"
    target.mkdir()
    target.chmod(0o755)
    make_private(target)
    assert target.stat().st_mode & 0o777 == 0o700


def test_a_group_of_this_user_alone_is_no_stranger(shared: Path) -> None:
    """Many systems give each user a group, and directories that the group may write to."""
    target = shared / "pykamal"
    target.mkdir()
    target.chmod(0o770)
    assert make_private(target / "clones").exists()
    os.chown(target, 0, NOBODY)
    with pytest.raises(UnsafeDirectory, match="can be written to by other users"):
        make_private(target / "clones")


@pytest.fixture
def repository(tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared))
    made = Repository(tmp_path / "shop")
    monkeypatch.chdir(made.folder)
    return made


def test_a_build_uses_no_clone_that_another_user_can_change(repository: Repository, shared: Path) -> None:
    """The clone of a shared temporary directory that another user made first is what Ruby Kamal builds from."""
    context = repository.context()
    own(shared / "pykamal")
    for attempt in (lambda: asyncio.run(clone.prepare(context)), lambda: clone.phases(context)):
        with pytest.raises(UnsafeDirectory, match="user"):
            attempt()
    assert list((shared / "pykamal").iterdir()) == []

    (shared / "pykamal").rmdir()
    directory = repository.prepare(context)
    assert directory.is_relative_to(user_cache("clones"))
    assert (directory / "a").read_text() == "one"
    for place in (directory, *directory.parents):
        if place != shared and shared in place.parents:
            assert not as_nobody(f"touch {place}/theirs || mv {place} {place}-away || cat {directory}/a"), place


LOG_CLOCK = datetime(2026, 11, 22, 9, 30, 57, tzinfo=UTC)


class _StoppedClock(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(LOG_CLOCK.timestamp(), tz)


@pytest.mark.parametrize("arrange", ["umask 0; > {file}", "touch {aim}; ln -s {aim} {file}", "mkfifo -m 666 {file}"])
def test_a_log_is_not_written_to_what_another_user_made(
    shared: Path, monkeypatch: pytest.MonkeyPatch, arrange: str
) -> None:
    """`output/file/path` may be a shared directory, and a log's name is the time and the command: it can be guessed."""
    monkeypatch.setattr("pykamal.events.log_file.datetime", _StoppedClock)
    shared.chmod(0o777)  # the kernel protects those with the sticky bit, as it is set up on most machines

    def open_log() -> LogFile:
        return LogFile(str(shared), command="deploy", destination=None, report=print)

    log = open_log()
    log.close(None, 0.0)
    guessed, aim = log.path, shared / "aim"
    guessed.unlink()
    assert as_nobody(arrange.format(file=guessed, aim=aim))
    with pytest.raises(OSError, match=r"another user|symbolic link|No such device"):
        open_log()
    if not guessed.is_fifo():
        with guessed.open("a") as careless_log:
            careless_log.write("a secret")
        assert as_nobody(f"grep secret {guessed}"), "the careless variant must fall for it"


def test_logs_and_their_folder_are_for_this_user_alone(shared: Path) -> None:
    """Logs may hold secrets in commands' output, so the umask does not matter."""
    before = os.umask(0)
    try:
        log = LogFile(str(shared / "log" / "kamal"), command="deploy", destination=None, report=print)
    finally:
        os.umask(before)
    log.close(None, 1.0)
    assert [path.stat().st_mode & 0o777 for path in (log.path.parent, log.path)] == [0o700, 0o600]
    assert not as_nobody(f"cat {log.path}")


def test_init_writes_secrets_for_this_user_alone(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`.kamal` and `.kamal/secrets`, whatever the umask is; hooks can be run."""
    monkeypatch.chdir(shared)
    before = os.umask(0)
    try:
        assert dispatch(["init"]) == 0
    finally:
        os.umask(before)
    assert [Path(name).stat().st_mode & 0o777 for name in (".kamal", ".kamal/secrets")] == [0o700, 0o600]
    assert not as_nobody("cat .kamal/secrets")
    assert os.access(".kamal/hooks/pre-deploy.sample", os.X_OK)
