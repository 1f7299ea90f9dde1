"""Makes and checks directories that no other user of this machine can write to or exchange.

A path is walked from the root, and each directory is looked at before the next name in it: it belongs to this user or
to root, and others may not write to it. Directories with the sticky bit, as `/tmp`, may be written to by all, but what
is this user's in them stays so. A symbolic link counts as the directory that holds it; where it leads is walked as
well. So nobody else can change a path between the look and the use of it.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from pykamal.core.errors import UnsafeDirectory

_MOST_LINKS: Final = 40  # the kernel's own limit


def user_cache(*names: str) -> Path:
    """Return the path of a cache of pykamal, below `$XDG_CACHE_HOME` or `~/.cache`, without making it.

    Raises `UnsafeDirectory` for a user without a home directory.
    """
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(chosen if os.path.isabs(chosen) else os.path.expanduser("~/.cache"))  # noqa: PTH111, PTH117
    if not base.is_absolute():
        raise UnsafeDirectory("This user has no home directory", hint=_hint())
    return base.joinpath("pykamal", *names)


def check_private(path: Path) -> None:
    """Check every existing directory of an absolute path. Raises `UnsafeDirectory`."""
    _walk(path, make=False)


def make_private(path: Path) -> Path:
    """Make the directory and those on the way to it, with mode 0700; one that exists is closed to others' reading.

    Raises `UnsafeDirectory`.
    """
    directory = _walk(path, make=True)
    found = directory.lstat()
    if found.st_uid != os.geteuid():
        raise UnsafeDirectory(f"{directory} belongs to {_user(found.st_uid)}", hint=_hint("remove it, or "))
    if stat.S_IMODE(found.st_mode) & 0o077:
        directory.chmod(0o700)
    return path


def _walk(path: Path, *, make: bool) -> Path:
    """Check the path from the root and return its last existing directory."""
    directory, names, links = Path("/"), list(reversed(path.parts[1:])), 0
    while names:
        name = names.pop()
        if name == "..":  # from a link: the directory before it is no link itself
            directory = directory.parent
            continue
        entry = directory / name
        found = _found(entry, make=make)
        if found is None:
            break
        _require_owner(entry, found)
        if stat.S_ISLNK(found.st_mode):
            links += 1
            target = entry.readlink()
            if links > _MOST_LINKS:
                raise UnsafeDirectory(f"{path} leads through too many symbolic links", hint=_hint())
            directory = Path("/") if target.is_absolute() else directory
            names += reversed(target.parts[1:] if target.is_absolute() else target.parts)
            continue
        _require_closed(entry, found)
        directory = entry
    return directory


def _found(entry: Path, *, make: bool) -> os.stat_result | None:
    try:
        with suppress(FileNotFoundError):
            return entry.lstat()
        if not make:
            return None
        with suppress(FileExistsError):  # made by somebody a moment ago: it is looked at like any other
            entry.mkdir(mode=0o700)
        return entry.lstat()
    except OSError as error:
        raise UnsafeDirectory(f"{entry} cannot be used: {error.strerror}", hint=_hint()) from error


def _require_owner(entry: Path, found: os.stat_result) -> None:
    if found.st_uid not in (0, os.geteuid()):
        kind = "symbolic link of" if stat.S_ISLNK(found.st_mode) else "directory of"
        raise UnsafeDirectory(
            f"{entry} is a {kind} {_user(found.st_uid)}, who could exchange what is kept below it",
            hint=_hint("" if _holds_home(entry) else "remove it, or "),
        )


def _require_closed(entry: Path, found: os.stat_result) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafeDirectory(f"{entry} is not a directory", hint=_hint("remove it, or "))
    open_to_all = mode & stat.S_IWOTH
    open_to_group = mode & stat.S_IWGRP and not _is_alone_in(found.st_gid)
    if (open_to_all or open_to_group) and not mode & stat.S_ISVTX:
        raise UnsafeDirectory(
            f"{entry} can be written to by other users (mode {mode:04o}), who could exchange what is kept below it",
            hint=_hint(f"chmod go-w {entry}, or "),
        )


def _is_alone_in(group: int) -> bool:
    """Return True for a group of this user and root alone, such as the user's own group on many systems."""
    import grp
    import pwd

    try:
        named = {pwd.getpwnam(member).pw_uid for member in grp.getgrgid(group).gr_mem}
    except KeyError:
        return False
    return named | {user.pw_uid for user in pwd.getpwall() if user.pw_gid == group} <= {0, os.geteuid()}


def _user(identifier: int) -> str:
    import pwd

    try:
        return f"user {pwd.getpwuid(identifier).pw_name}"
    except KeyError:
        return f"user {identifier}"


def _holds_home(entry: Path) -> bool:
    """Return True for the home directory that the environment names, which in CI is often another user's."""
    return Path(os.path.expanduser("~")).is_relative_to(entry)  # noqa: PTH111 - it may be no path at all


def _hint(before: str = "") -> str:
    import pwd

    with suppress(KeyError):
        own = Path(pwd.getpwuid(os.geteuid()).pw_dir, ".cache")
        return (
            f"{before}set XDG_CACHE_HOME to a directory that is yours alone, for example: export XDG_CACHE_HOME={own}"
        )
    return f"{before}set XDG_CACHE_HOME to a directory that is yours alone"
