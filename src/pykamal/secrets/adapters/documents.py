"""Documents that hold secrets, in files and in the output of programs: JSON, YAML and dotenv (docs/secrets.md).

No error has anything of a document: a file of another kind may be one secret from its first letter on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import yaml

from pykamal.core.errors import KamalError
from pykamal.core.file_reading import read_regular
from pykamal.core.sensitive import Sensitive
from pykamal.secrets import dotenv
from pykamal.secrets.adapters.protocol import Values, with_source
from pykamal.secrets.adapters.settings import Settings
from pykamal.secrets.adapters.tool import OncePerRun, value_of

MAX_BYTES: Final = 16 << 20
"""The longest file or output that is read."""

_MAX_DEPTH: Final = 100
_NULL: Final = "tag:yaml.org,2002:null"
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Format(StrEnum):
    JSON = "json"
    YAML = "yaml"
    DOTENV = "dotenv"


_SUFFIXES: Final = {".json": Format.JSON, ".yaml": Format.YAML, ".yml": Format.YAML, ".env": Format.DOTENV}


class Document:
    """A document that was parsed. `origin` names it in errors.

    `tags` gives values of YAML that have one of these tags their meaning.
    """

    def __init__(
        self, content: bytes, origin: str, form: Format, *, tags: Mapping[str, Callable[[str], str]] | None = None
    ) -> None:
        self._origin = origin
        self._tags = tags or {}
        self._root = _parsed(_text(content, origin), origin, form)

    def value(self, key: str) -> Sensitive | None:
        """Return the value at a key, or at the keys of a path, as in `database.hosts.0`; None for null."""
        found: Any = self._root
        rest: str | None = key
        while rest is not None:
            parts = _parts(found)
            first = rest if rest in parts else rest.partition(".")[0]
            if first not in parts:
                raise KamalError(
                    f"{self._origin} has nothing at {key}",
                    hint="a name is a key of the document, or several with dots between them, as in database.password",
                )
            found, rest = parts[first], rest[len(first) + 1 :] if rest != first else None
        if not isinstance(found, yaml.Node):
            return value_of(found)
        if not isinstance(found, yaml.ScalarNode):
            raise KamalError(f"{self._origin} has no value at {key}, but more keys", hint=f"name one, as in {key}.KEY")
        if found.tag in self._tags:
            return Sensitive(self._tags[found.tag](found.value))
        return None if found.tag == _NULL else Sensitive(found.value)


@dataclass(frozen=True, slots=True)
class Reference:
    """A name of a secret in a file: all of the file, or a key of the document in it."""

    name: str
    file: str
    key: str | None


class Files:
    """The files of an adapter, each opened once a run: `whole` gives a file's content, `document` parses it."""

    def __init__(self, whole: Callable[[str], bytes], document: Callable[[str], Document]) -> None:
        self._whole = whole
        self._document = document
        self._contents: OncePerRun[Sensitive] = OncePerRun()
        self._documents: OncePerRun[Document] = OncePerRun()

    def values(self, secrets: Sequence[str], source: str | None) -> Values:
        return {each.name: self._value(each) for each in references(secrets, source)}

    def _value(self, asked: Reference) -> Sensitive | None:
        if asked.key is None:
            return self._contents.get(asked.file, lambda: whole(self._whole(asked.file)))
        return self._documents.get(asked.file, lambda: self._document(asked.file)).value(asked.key)


def references(secrets: Sequence[str], source: str | None) -> list[Reference]:
    """Return what names mean: `FILE` or `FILE#KEY`, in the folder `source`; a key each where `source` is a file."""
    if not secrets:
        raise KamalError("No secrets given to fetch", hint="name them as FILE#KEY, or as FILE for all of a file")
    found = []
    in_file = source is not None and not expanded(source).is_dir()
    for name, shown in zip(secrets, with_source(secrets, source), strict=True):
        file, sign, key = (source or "", "#", name) if in_file else shown.partition("#")
        if not file or (sign and not key):
            raise KamalError(f"{shown} names no file and key", hint="write FILE#KEY, or FILE for all of a file")
        found.append(Reference(shown, str(expanded(file)), key if sign else None))
    return found


def read(file: str) -> bytes:
    """Return the content of a regular file. Raises `KamalError` for anything else, and for one that is too long."""
    try:
        content = read_regular(Path(file), MAX_BYTES + 1)
    except OSError as error:
        raise KamalError(
            f"{file} cannot be read: {error.strerror}", hint=f"it is looked for from {Path.cwd()}"
        ) from error
    except ValueError:
        raise KamalError("A name of a file has a NUL byte in it", hint="correct the name") from None
    return bounded(content, file)


def bounded(content: bytes, origin: str) -> bytes:
    """Return the content. Raises `KamalError` when it is too long."""
    if len(content) > MAX_BYTES:
        raise KamalError(f"{origin} is longer than {MAX_BYTES >> 20} MiB", hint="secrets are read of smaller files")
    return content


def whole(content: bytes) -> Sensitive:
    """Return all of a content as a value, without the line break at its end, as `$(...)` does."""
    return Sensitive(content.removesuffix(b"\n").removesuffix(b"\r").decode(errors="surrogateescape"))


def format_of(file: str, content: bytes, settings: Settings, *, otherwise: Format = Format.DOTENV) -> Format:
    """Return the format that the setting `format` names, else the file's name, else the look of the content."""
    named = settings.get("format")
    if named is not None:
        if named not in set(Format):
            known = ", ".join(Format)
            raise KamalError(f"There is no format {named}", hint=f"correct {settings.where('format')}: {known}")
        return Format(named)
    path = Path(file)
    of_name = [_SUFFIXES[suffix] for suffix in path.suffixes if suffix in _SUFFIXES]
    if of_name:
        return of_name[-1]
    if path.name.startswith(".env"):
        return Format.DOTENV
    return Format.JSON if content.lstrip()[:1] == b"{" else otherwise


def expanded(file: str) -> Path:
    """Return a path with `~` replaced, as shells do and deploy.yml does not."""
    try:
        return Path(file).expanduser()
    except RuntimeError:  # ~NOBODY
        return Path(file)


def _text(content: bytes, origin: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:  # it holds the content, so it is no cause of ours
        pass
    raise KamalError(f"{origin} is no document: it is not UTF-8 text", hint="without #KEY, all of a file is the value")


def _parsed(text: str, origin: str, form: Format) -> Any:
    where = ""
    try:
        match form:
            case Format.JSON:
                return json.loads(text)
            case Format.YAML:
                return _composed(text)
            case Format.DOTENV:
                return {entry.key: _unquoted(entry.value or "") for entry in dotenv.entries(text)}
    except json.JSONDecodeError as error:  # the errors hold the text itself, so they are no cause of ours
        where = f" (line {error.lineno})"
    except yaml.MarkedYAMLError as error:
        where = f" (line {error.problem_mark.line + 1})" if error.problem_mark is not None else ""
    except (yaml.YAMLError, ValueError, RecursionError):
        pass
    raise KamalError(f"{origin} cannot be read as {form}{where}", hint="correct it, or say which format it has")


def _composed(text: str) -> Any:
    """Return the root node of a document of YAML. Raises `ValueError` for one that is nested too deeply.

    libyaml's composer calls itself without a limit, so that such a document would end this process.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise ValueError
    return yaml.compose(text, Loader=_LOADER)


def _unquoted(written: str) -> str:
    """Return a value of dotenv as in `.kamal/secrets`, except that `$` means nothing."""
    text = written.strip(" \t\n\r\f\v")
    quote = text[0] if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0] else ""
    if quote == "'":
        return text[1:-1]
    if quote:
        return re.sub(r"\\([^nr])", r"\1", text[1:-1], flags=re.DOTALL)
    return re.sub(r"\\(.)", r"\1", text)


def _parts(found: Any) -> Mapping[str, Any]:
    """Return what is below a mapping or a list by key, nothing for a value."""
    if isinstance(found, dict):
        return found
    if isinstance(found, yaml.MappingNode):
        return {key.value: each for key, each in found.value if isinstance(key, yaml.ScalarNode)}
    if isinstance(found, list | yaml.SequenceNode):
        items = found if isinstance(found, list) else found.value
        return {str(number): each for number, each in enumerate(items)}
    return {}
