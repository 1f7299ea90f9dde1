"""The functions of File, Dir and IO, through the caller's System."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from pykamal.erb.budget import MAXIMUM_FILE_BYTES, check_items
from pykamal.erb.errors import RubyError, Unsupported
from pykamal.erb.system import System
from pykamal.erb.values import Block, in_message, inspected

_DEEPEST_PATTERN: Final = 20


class Files:
    """The functions of File and Dir. `home` returns the home directory according to ENV."""

    def __init__(self, system: System, home: Callable[[], str | None]) -> None:
        self._system = system
        self._home = home

    def functions(self) -> dict[tuple[str, str], Callable[..., Any]]:
        read = {(constant, "read"): self.read for constant in ("File", "IO")}
        return {
            **read,
            ("File", "readlines"): self._lines,
            ("File", "foreach"): self._each_line,
            ("IO", "readlines"): self._lines,
            ("File", "exist?"): lambda path: self._is_file(path) or self._is_directory(path),
            ("File", "file?"): self._is_file,
            ("File", "readable?"): lambda path: self._is_file(path) or self._is_directory(path),
            ("File", "directory?"): self._is_directory,
            ("File", "size"): lambda path: len(self.content(path)),
            ("File", "zero?"): lambda path: self._is_file(path) and not self.content(path),
            ("File", "empty?"): lambda path: self._is_file(path) and not self.content(path),
            ("File", "basename"): _base_name,
            ("File", "dirname"): lambda path: posixpath.dirname(_path(path).rstrip("/")) or _root_or_here(path),
            ("File", "extname"): lambda path: posixpath.splitext(_path(path))[1],
            ("File", "join"): _joined,
            ("File", "split"): lambda path: [posixpath.dirname(_path(path)) or ".", posixpath.basename(_path(path))],
            ("File", "expand_path"): self._expanded,
            ("File", "absolute_path"): lambda path, base="": self._expanded(
                f"./{path}" if path[:1] == "~" else path, base
            ),
            ("Dir", "exist?"): self._is_directory,
            ("Dir", "empty?"): lambda path: self._is_directory(path) and not self._names(path),
            ("Dir", "pwd"): lambda: str(self._system.working_directory),
            ("Dir", "getwd"): lambda: str(self._system.working_directory),
            ("Dir", "home"): self._home_directory,
            ("Dir", "children"): self._names,
            ("Dir", "entries"): lambda path: [".", "..", *self._names(path)],
            ("Dir", "glob"): self._globbed,
            ("Dir", "[]"): self._globbed,
        }

    def content(self, path: Any) -> bytes:
        """Read a whole file. Raises OSError, and RubyError for one that is too large."""
        content = self._system.read_bytes(self._place(path), MAXIMUM_FILE_BYTES + 1)
        if len(content) > MAXIMUM_FILE_BYTES:
            raise RubyError(f"{path} is larger than {MAXIMUM_FILE_BYTES:,} bytes", "RuntimeError")
        return content

    def read(self, path: Any, *rest: Any, **_options: Any) -> str:
        if rest:
            raise Unsupported("reading a part of a file")
        try:
            return self.content(path).decode("utf-8", "replace")
        except FileNotFoundError:
            raise RubyError(f"No such file or directory @ rb_sysopen - {path}", "Errno::ENOENT") from None
        except IsADirectoryError:
            raise RubyError(f"Is a directory @ io_fread - {path}", "Errno::EISDIR") from None
        except NotADirectoryError:
            raise RubyError(f"Not a directory @ rb_sysopen - {path}", "Errno::ENOTDIR") from None
        except OSError as error:
            raise RubyError(f"{path} cannot be read: {error.strerror or error}", "Errno::EACCES") from None

    def _place(self, path: Any) -> Path:
        return self._system.working_directory / _path(path)

    def _lines(self, path: Any, chomp: Any = False) -> list[str]:
        lines = re.findall(r"[^\n]*\n|[^\n]+", self.read(path))
        check_items(len(lines))
        return [line.removesuffix("\n").removesuffix("\r") if chomp is True else line for line in lines]

    def _each_line(self, path: Any, chomp: Any = False, block: Block | None = None) -> Any:
        lines = self._lines(path, chomp)
        if block is None:
            return lines
        for line in lines:
            block(line)
        return None

    def _is_file(self, path: Any) -> bool:
        try:
            self._system.read_bytes(self._place(path), 1)
        except (OSError, ValueError):
            return False
        return True

    def _is_directory(self, path: Any) -> bool:
        try:
            self._system.read_bytes(self._place(path), 1)
        except IsADirectoryError:
            return True
        except (OSError, ValueError):
            return False
        return False

    def _home_directory(self, *user: Any) -> str:
        home = self._home()
        if user or home is None:
            raise Unsupported("Dir.home of another user, or without HOME")
        return home

    def _expanded(self, path: Any, base: Any = "") -> str:
        shown = _path(path)
        if shown == "~" or shown.startswith("~/"):
            shown = f"{self._home_directory()}{shown[1:]}"
        elif shown.startswith("~"):
            raise Unsupported("the home directory of another user")
        return posixpath.normpath(self._system.working_directory / _path(base) / shown)

    def _names(self, path: Any) -> list[str]:
        if not self._is_directory(path):
            raise RubyError(f"No such file or directory @ dir_initialize - {path}", "Errno::ENOENT")
        names = list(self._system.file_names(self._place(path)))
        check_items(len(names))
        return sorted(names)

    def _globbed(self, *patterns: Any, **_options: Any) -> list[str]:
        """Return sorted names that match `*`, `?` and `[]` within one component of a path, and `{a,b}`."""
        given = [each for pattern in patterns for each in (pattern if isinstance(pattern, list) else [pattern])]
        return [found for pattern in given for each in _alternatives(_path(pattern)) for found in self._matching(each)]

    def _matching(self, pattern: str) -> list[str]:
        steps = pattern.split("/")
        if "**" in pattern or len(steps) > _DEEPEST_PATTERN:
            raise Unsupported("** in Dir.glob")
        found = [""]
        for number, step in enumerate(steps):
            last = number == len(steps) - 1
            found = [each for base in found for each in self._step(base, step, last=last)]
            check_items(len(found))
        return found

    def _step(self, base: str, step: str, *, last: bool) -> list[str]:
        if not re.search(r"[*?\[]", step):
            path = f"{base}{step}"
            there = self._is_directory(path or "/") or (last and self._is_file(path))
            return [path if last else f"{path}/"] if there else []
        if not self._is_directory(base or "."):
            return []
        names = [name for name in self._names(base or ".") if fnmatchcase(name, step)]
        visible = [name for name in names if step.startswith(".") or not name.startswith(".")]
        return [f"{base}{name}" if last else f"{base}{name}/" for name in visible]


def _alternatives(pattern: str) -> list[str]:
    match = re.search(r"\{([^{}]*)\}", pattern)
    if match is None:
        return [pattern]
    if pattern.count("{") > 2:
        raise Unsupported("so many {} in Dir.glob")
    before, after = pattern[: match.start()], pattern[match.end() :]
    return [each for choice in match[1].split(",") for each in _alternatives(f"{before}{choice}{after}")]


def _path(value: Any) -> str:
    if not isinstance(value, str):
        raise RubyError(f"no implicit conversion of {in_message(value)} into String", "TypeError")
    if "\0" in value:
        raise RubyError(f"string contains null byte: {inspected(value)}", "ArgumentError")
    return value


def _root_or_here(path: str) -> str:
    return "/" if path.startswith("/") else "."


def _base_name(path: Any, suffix: str = "") -> str:
    name = posixpath.basename(_path(path).rstrip("/")) or ("/" if _path(path).startswith("/") else "")
    if suffix == ".*":
        return posixpath.splitext(name)[0]
    return name.removesuffix(suffix) if suffix and name != suffix else name


def _joined(*parts: Any) -> str:
    joined = ""
    for number, part in enumerate(each for given in parts for each in (given if isinstance(given, list) else [given])):
        step = _path(part)
        joined = step if number == 0 else f"{joined.rstrip('/')}/{step.lstrip('/')}"
    return joined
