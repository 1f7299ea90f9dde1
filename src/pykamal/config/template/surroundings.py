"""The constants of templates: ENV, File, Dir, Dotenv, JSON, Kamal::Utils, and the few functions without a receiver."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final

from pykamal.config.document import Symbol
from pykamal.config.limits import MAXIMUM_FILE_BYTES
from pykamal.config.outside import Outside
from pykamal.config.rendered import Rendered
from pykamal.config.template.values import as_json, inspected, shell_escaped, template_value, text, true
from pykamal.core.errors import ConfigurationError

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
    ["ENV", "File", "Dir", "Dotenv", "JSON", "YAML", "Base64", "Shellwords", "CGI", "ERB::Util", "Kamal::Utils", "IO"]
)


class Failure(Exception):
    """An error that Ruby would raise too; `label` is its class."""

    def __init__(self, message: str, label: str) -> None:
        super().__init__(message)
        self.message = message
        self.label = label


def _form_encoded(value: str) -> str:
    from urllib.parse import quote_plus

    return quote_plus(value)


def _url_encoded(value: str) -> str:
    from urllib.parse import quote

    return quote(value, safe="")


def _with_symbols(pairs: list[tuple[str, Any]]) -> dict[Any, Any]:
    return {Symbol(name): value for name, value in pairs}


class Surroundings:
    """Methods are looked up by constant and name in one table; nothing else can be reached."""

    def __init__(self, environment: dict[str, str], outside: Outside) -> None:
        self.environment = environment
        self.outside = outside
        self._functions = {
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
            ("Dir", "pwd"): lambda: str(outside.working_directory),
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
            ("Kamal::Utils", "docker_arch"): self._docker_architecture,
        }

    def knows(self, constant: str) -> bool:
        return constant in _CONSTANTS

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
            raise Failure(f"no implicit conversion of {inspected(value)} into String", "TypeError")
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
        raise Failure(f"key not found: {inspected(name)}", "KeyError")

    def _path(self, path: str) -> Path:
        return self.outside.working_directory / path

    def _content(self, path: str) -> str:
        content = self.outside.read_bytes(self._path(path), MAXIMUM_FILE_BYTES + 1)
        if len(content) > MAXIMUM_FILE_BYTES:
            raise Failure(f"{path} is larger than {MAXIMUM_FILE_BYTES} bytes", "RuntimeError")
        return content.decode("utf-8", "replace")

    def _read(self, path: str) -> str:
        try:
            return self._content(path)
        except FileNotFoundError:
            raise Failure(f"No such file or directory @ rb_sysopen - {path}", "Errno::ENOENT") from None
        except OSError as error:
            raise Failure(f"{path} cannot be read: {error.strerror}", "Errno::EACCES") from None

    def _read_lines(self, path: str, chomp: bool = False) -> list[str]:
        return self._read(path).splitlines(keepends=not chomp)

    def _parse_yaml(self, content: str, **_options: Any) -> Any:
        from pykamal.config.yaml_reader import read_yaml

        try:
            root, _ = read_yaml(Rendered.untouched("YAML", content))
        except ConfigurationError as error:
            raise Failure(error.message, error.label or "ArgumentError") from None
        return False if root is None else template_value(root)

    def _exists(self, path: str) -> bool:
        return self._is_file(path) or self._is_directory(path)

    def _is_file(self, path: str) -> bool:
        try:
            self.outside.read_bytes(self._path(path), 1)
        except OSError:
            return False
        return True

    def _is_directory(self, path: str) -> bool:
        try:
            self.outside.read_bytes(self._path(path), 1)
        except IsADirectoryError:
            return True
        except OSError:
            return False
        return False

    def _base_name(self, path: str, suffix: str = "") -> str:
        name = Path(path).name
        return Path(name).stem if suffix == ".*" else name.removesuffix(suffix)

    def _expanded(self, path: str, base: str = "") -> str:
        return str((self.outside.working_directory / base / Path(path).expanduser()).resolve())

    def _load_dotenv(self, *files: str, overwrite: Any = False) -> dict[str, str]:
        """Variables that are set already win unless `overwrite`; files that do not exist are skipped."""
        loaded: dict[str, str] = {}
        for file in files or (".env",):
            try:
                content = self._content(file)
            except OSError:
                continue
            loaded |= self.outside.parse_dotenv(content, self.environment)
        for name, value in loaded.items():
            if true(overwrite) or name not in self.environment:
                self.environment[name] = value
        return loaded

    def _parse_json(self, content: str, symbolize_names: Any = False, **_options: Any) -> Any:
        try:
            return json.loads(content, object_pairs_hook=_with_symbols if true(symbolize_names) else None)
        except (ValueError, RecursionError):
            raise Failure(f"unexpected token at '{text(content)[:40]}'", "JSON::ParserError") from None

    def _docker_architecture(self) -> str:
        from pykamal.config.validation.cross_rules import docker_architecture

        return docker_architecture(self.outside)
