"""The constants of templates: ENV, File, Dir, Dotenv, JSON and their like, and the few functions without a receiver."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pykamal.core.ruby import Symbol
from pykamal.erb.errors import RubyError
from pykamal.erb.indexing import MAXIMUM_FILE_BYTES
from pykamal.erb.system import System
from pykamal.erb.values import as_json, inspected, shell_escaped, text, true

LIBRARIES: Final = frozenset(
    [
        "dotenv",
        "dotenv/load",
        "json",
        "yaml",
        "erb",
        "uri",
        "date",
        "time",
        "shellwords",
        "open3",
        "base64",
        "cgi",
        "digest",
    ]
)
_CONSTANTS: Final = frozenset(
    ["ENV", "File", "Dir", "Dotenv", "JSON", "YAML", "Base64", "Shellwords", "CGI", "ERB::Util", "IO"]
)


@dataclass(frozen=True, slots=True)
class Extensions:
    """What the caller adds: functions and values by constant, and its YAML parser.

    A function and the parser raise RubyError for what a template may be told.
    """

    functions: Mapping[tuple[str, str], Callable[..., Any]] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    parse_yaml: Callable[[str], Any] | None = None


NO_EXTENSIONS: Final = Extensions()


def _form_encoded(value: str) -> str:
    from urllib.parse import quote_plus

    return quote_plus(value)


def _url_encoded(value: str) -> str:
    from urllib.parse import quote

    return quote(value, safe="")


def _with_symbols(pairs: list[tuple[str, Any]]) -> dict[Any, Any]:
    return {Symbol(name): value for name, value in pairs}


class Builtins:
    """Methods are looked up by constant and name in one table; nothing else can be reached."""

    def __init__(self, environment: dict[str, str], system: System, extensions: Extensions = NO_EXTENSIONS) -> None:
        self.environment = environment
        self.system = system
        self._extensions = extensions
        self._functions: dict[tuple[str, str], Callable[..., Any]] = {
            ("ENV", "[]"): self._variable,
            ("ENV", "fetch"): self._fetch,
            ("ENV", "key?"): lambda name: name in environment,
            ("ENV", "has_key?"): lambda name: name in environment,
            ("ENV", "include?"): lambda name: name in environment,
            ("ENV", "values_at"): lambda *names: [environment.get(name) for name in names],
            ("ENV", "to_h"): lambda: dict(environment),
            ("ENV", "keys"): lambda: list(environment),
            ("ENV", "delete"): lambda name: environment.pop(name, None),
            ("ENV", "slice"): lambda *names: {name: environment[name] for name in names if name in environment},
            ("File", "read"): self._read,
            ("IO", "read"): self._read,
            ("File", "readlines"): self._read_lines,
            ("File", "exist?"): self._exists,
            ("File", "file?"): self._is_file,
            ("File", "directory?"): self._is_directory,
            ("Dir", "exist?"): self._is_directory,
            ("File", "basename"): self._base_name,
            ("File", "dirname"): lambda path: str(Path(path).parent),
            ("File", "extname"): lambda path: Path(path).suffix,
            ("File", "join"): lambda *parts: "/".join(parts).replace("//", "/"),
            ("File", "expand_path"): self._expanded,
            ("Dir", "pwd"): lambda: str(system.working_directory),
            ("Dir", "home"): lambda: environment.get("HOME", ""),
            ("Dotenv", "load"): self._load_dotenv,
            ("Dotenv", "overload"): lambda *files: self._load_dotenv(*files, overwrite=True),
            ("JSON", "parse"): self._parse_json,
            ("JSON", "generate"): as_json,
            ("Base64", "strict_encode64"): lambda value: base64.b64encode(value.encode()).decode(),
            ("Base64", "decode64"): lambda value: base64.b64decode(value).decode("utf-8", "replace"),
            ("YAML", "load_file"): lambda path, **_options: self._parse_yaml(self._read(path)),
            ("YAML", "load"): self._parse_yaml,
            ("YAML", "safe_load"): self._parse_yaml,
            ("Shellwords", "escape"): shell_escaped,
            ("CGI", "escape"): _form_encoded,
            ("ERB::Util", "url_encode"): _url_encoded,
            **extensions.functions,
        }

    def knows(self, constant: str) -> bool:
        return constant in _CONSTANTS or any(constant == known for known, _ in self._extensions.functions)

    def function(self, constant: str, name: str) -> Any:
        """The function, None when templates may not call it."""
        return self._functions.get((constant, name))

    def require(self, library: str) -> bool | None:
        """None for a library that this tool has nothing of."""
        if library not in LIBRARIES:
            return None
        if library == "dotenv/load":
            self._load_dotenv()
        return True

    def set_variable(self, name: Any, value: Any) -> None:
        if not isinstance(name, str) or not (value is None or isinstance(value, str)):
            raise RubyError(f"no implicit conversion of {inspected(value)} into String", "TypeError")
        if value is None:
            self.environment.pop(name, None)
        else:
            self.environment[name] = value

    def _variable(self, name: str) -> str | None:
        return self.environment.get(name)

    def _fetch(self, name: str, *default: Any, block: Any = None) -> Any:
        if name in self.environment:
            return self.environment[name]
        if block is not None:
            return block(name)
        if default:
            return default[0]
        raise RubyError(f"key not found: {inspected(name)}", "KeyError")

    def _path(self, path: str) -> Path:
        return self.system.working_directory / path

    def _content(self, path: str) -> str:
        content = self.system.read_bytes(self._path(path), MAXIMUM_FILE_BYTES + 1)
        if len(content) > MAXIMUM_FILE_BYTES:
            raise RubyError(f"{path} is larger than {MAXIMUM_FILE_BYTES} bytes", "RuntimeError")
        return content.decode("utf-8", "replace")

    def _read(self, path: str) -> str:
        try:
            return self._content(path)
        except FileNotFoundError:
            raise RubyError(f"No such file or directory @ rb_sysopen - {path}", "Errno::ENOENT") from None
        except OSError as error:
            raise RubyError(f"{path} cannot be read: {error.strerror}", "Errno::EACCES") from None

    def _read_lines(self, path: str, chomp: bool = False) -> list[str]:
        return self._read(path).splitlines(keepends=not chomp)

    def _parse_yaml(self, content: str, **_options: Any) -> Any:
        parse = self._extensions.parse_yaml
        if parse is None:
            raise RubyError("YAML cannot be read in this template", "NameError")
        return parse(content)

    def _exists(self, path: str) -> bool:
        return self._is_file(path) or self._is_directory(path)

    def _is_file(self, path: str) -> bool:
        try:
            self.system.read_bytes(self._path(path), 1)
        except OSError:
            return False
        return True

    def _is_directory(self, path: str) -> bool:
        try:
            self.system.read_bytes(self._path(path), 1)
        except IsADirectoryError:
            return True
        except OSError:
            return False
        return False

    def _base_name(self, path: str, suffix: str = "") -> str:
        name = Path(path).name
        return Path(name).stem if suffix == ".*" else name.removesuffix(suffix)

    def _expanded(self, path: str, base: str = "") -> str:
        return str((self.system.working_directory / base / Path(path).expanduser()).resolve())

    def _load_dotenv(self, *files: str, overwrite: Any = False) -> dict[str, str]:
        """Variables that are set already win unless `overwrite`; files that do not exist are skipped."""
        loaded: dict[str, str] = {}
        for file in files or (".env",):
            try:
                content = self._content(file)
            except OSError:
                continue
            loaded |= self.system.parse_dotenv(content, self.environment)
        for name, value in loaded.items():
            if true(overwrite) or name not in self.environment:
                self.environment[name] = value
        return loaded

    def _parse_json(self, content: str, symbolize_names: Any = False, **_options: Any) -> Any:
        try:
            return json.loads(content, object_pairs_hook=_with_symbols if true(symbolize_names) else None)
        except (ValueError, RecursionError):
            raise RubyError(f"unexpected token at '{text(content)[:40]}'", "JSON::ParserError") from None
