"""Documents and files that hold secrets: names, formats, values and limits (docs/secrets.md)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import reveal
from pykamal.secrets.adapters import adapter, documents
from pykamal.secrets.adapters.documents import Document, Format
from pykamal.secrets.adapters.file import SETTINGS, PlainFile
from pykamal.secrets.adapters.settings import Settings

pytestmark = pytest.mark.unit

HIDDEN = "hush-4c1d"


def value(content: str, key: str, form: Format) -> str | None:
    found = Document(content.encode(), "the document", form).value(key)
    return None if found is None else reveal(found)


def fetch(*names: str, source: str | None = None, **declared: str) -> dict[str, str | None]:
    """As a new process would: adapters keep what they read."""
    fresh = PlainFile(Settings(SETTINGS, declared=declared))
    found = fresh.fetch(names, account=None, source=source)
    return {name: None if each is None else reveal(each) for name, each in found.items()}


def told(error: KamalError) -> str:
    return "\n".join((error.message, *error.details, error.hint or "", str(error.__context__ or "")))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a", "text"),
        ("a.b", "with a dot"),
        ("deep.one.two", "2"),
        ("list.1", "second"),
        ("number", "3"),
        ("no", None),
        ("yes", "true"),
        ("empty", ""),
        ("deep.one", '{"two":2}'),
        ("odd", "line\nquote\"' $HOME `id` ü \0"),
    ],
)
def test_values_of_json(key: str, expected: str | None) -> None:
    """A key is taken whole first, then at its dots; text is the value, anything else is JSON, null is none."""
    document = {
        "a": "text",
        "a.b": "with a dot",
        "deep": {"one": {"two": 2}},
        "list": ["first", "second"],
        "number": 3,
        "no": None,
        "yes": True,
        "empty": "",
        "odd": "line\nquote\"' $HOME `id` ü \0",
    }
    assert value(json.dumps(document), key, Format.JSON) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a", "0123"),
        ("b", "no"),
        ("c", "2026-01-01"),
        ("d", "line\nü \0"),
        ("e", None),
        ("f", ""),
        ("g.h", "aliased"),
        ("i.0", "first"),
        ("k.l", "m"),
    ],
)
def test_values_of_yaml_are_as_written(key: str, expected: str | None) -> None:
    """No number, date or truth value of YAML 1.1 changes a password; aliases are followed."""
    text = (
        'a: 0123\nb: no\nc: 2026-01-01\nd: "line\\nü \\0"\ne:\nf: ""\n'
        "x: &x {h: aliased}\ng: *x\ni: [first]\nk.l: m\nloop: &l {again: *l}\n"
    )
    assert value(text, key, Format.YAML) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("A", "$HOME $(id)"),
        ("B", "pa$$word`id`"),
        ("C", "two\nlines"),
        ("D", 'x\\ny "q"'),
        ("E", ""),
        ("F", "yaml style"),
        ("G", "single \\n"),
        ("H.I", "with a dot"),
    ],
)
def test_values_of_dotenv(key: str, expected: str) -> None:
    """They are read as in `.kamal/secrets`, except that `$` means nothing."""
    text = (
        "# comment\nA=$HOME $(id)\nexport B=\"pa$$word`id`\" # c\nC='two\nlines'\n"
        'D="x\\ny \\"q\\""\nE=\nF: yaml style\nG=\'single \\n\'\nH.I=with a dot\n'
    )
    assert value(text, key, Format.DOTENV) == expected


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("key", ["b", "a.b", "", "a.", "."])
def test_a_key_that_is_not_there(form: Format, key: str) -> None:
    """The error names the key and the document, and nothing in it."""
    text = f'{{"a": "{HIDDEN}"}}' if form is not Format.DOTENV else f"a={HIDDEN}\n"
    with pytest.raises(KamalError, match="the document has nothing at") as caught:
        value(text, key, form)
    assert HIDDEN not in told(caught.value)


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (f'{{"a": "{HIDDEN}', Format.JSON),
        (f"{HIDDEN}: [\n", Format.YAML),
        (f"{HIDDEN}: &a x\n{HIDDEN}: *b\n", Format.YAML),
        ("[" * 100_000 + HIDDEN, Format.JSON),
        ("[" * 100_000 + HIDDEN, Format.YAML),
        ("1" * 5000 + HIDDEN, Format.JSON),
        (f"--- {HIDDEN}\n--- b\n", Format.YAML),
        (f"{HIDDEN}\0", Format.YAML),
    ],
)
def test_what_is_no_document(content: str, form: Format) -> None:
    """It is told with its line at most, without a word of it."""
    with pytest.raises(KamalError, match="cannot be read as") as caught:
        value(content, "a", form)
    assert HIDDEN not in told(caught.value)


def test_a_mapping_of_yaml_is_no_value() -> None:
    """Its scalars have no types that JSON could keep."""
    with pytest.raises(KamalError, match="no value at a, but more keys"):
        value("a: {b: c}", "a", Format.YAML)


def test_text_that_is_not_utf_8() -> None:
    """It is no document; all of the file can be a value."""
    with pytest.raises(KamalError, match="not UTF-8") as caught:
        Document(HIDDEN.encode() + b"\xff", "the document", Format.DOTENV)
    assert HIDDEN not in told(caught.value)


def test_files_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FILE is all of a file, FILE#KEY a value; --from is a folder of files, or a document."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "password").write_bytes(b"one\nline\n")
    (tmp_path / "shop.json").write_text('{"db": {"url": "u"}}')
    (tmp_path / ".env.production").write_text("A=1\n")
    assert fetch("run/password", "shop.json#db.url") == {"run/password": "one\nline", "shop.json#db.url": "u"}
    assert fetch("password", source="run") == {"run/password": "one\nline"}
    assert fetch("db.url", source="~/shop.json") == {"~/shop.json/db.url": "u"}
    assert fetch("shop.json#db", source=".") == {"./shop.json#db": '{"url":"u"}'}
    assert fetch(".env.production#A") == {".env.production#A": "1"}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.json", b'{"k": "v"}', Format.JSON),
        ("a.yml", b'{"k": "v"}', Format.YAML),
        ("a.env.age", b"", Format.DOTENV),
        ("a.yaml.age", b"", Format.YAML),
        (".env.production.age", b"", Format.DOTENV),
        ("secrets.age", b' {"k": "v"}', Format.JSON),
        ("secrets", b"K=v", Format.DOTENV),
    ],
)
def test_the_format_of_a_file(name: str, content: bytes, expected: Format) -> None:
    """The setting says it, else the name, else the first character."""
    assert documents.format_of(name, content, Settings(SETTINGS)) == expected
    assert documents.format_of(name, content, Settings(SETTINGS, declared={"format": "yaml"})) == Format.YAML


def test_a_format_that_there_is_not(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("A=1")
    with pytest.raises(KamalError, match="There is no format toml") as caught:
        fetch(f"{tmp_path}/a#A", format="toml")
    assert "json, yaml, dotenv" in str(caught.value.hint)


def test_odd_contents_of_files(tmp_path: Path) -> None:
    """NUL bytes, other encodings, a megabyte and nothing at all arrive as they are."""
    for name, content in {"nul": b"a\0b", "latin": b"\xff\xfe", "long": b"x" * (1 << 20), "empty": b""}.items():
        (tmp_path / name).write_bytes(content)
        found = PlainFile().fetch([f"{tmp_path}/{name}"], account=None, source=None)
        assert [reveal(each or "").encode(errors="surrogateescape") for each in found.values() if each is not None] == [
            content
        ]


def test_two_hundred_values_of_a_file(tmp_path: Path) -> None:
    """A file is read once in a run: what becomes of it then does not matter."""
    file = tmp_path / "many.env"
    file.write_text("".join(f"N{number}={number}\n" for number in range(200)))
    fresh = PlainFile()
    for _ in range(2):
        found = fresh.fetch([f"N{number}" for number in range(200)], account=None, source=str(file))
        assert [each and reveal(each) for each in found.values()] == [str(number) for number in range(200)]
        file.unlink(missing_ok=True)


def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is missing, no regular one or too long, and names that name none."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("long").write_bytes(b"x" * (documents.MAX_BYTES + 1))
    Path("here").write_text("A=1")
    Path("link").symlink_to("here")
    assert fetch("link") == {"link": "A=1"}
    for name, message in {
        "gone": "gone cannot be read: No such file",
        "pipe": "pipe cannot be read: it is a pipe",
        ".": r"\. cannot be read: Is a directory",
        "long": "long is longer than 16 MiB",
        "a\0b": "NUL byte",
        "#A": "names no file",
        "here#": "names no file and key",
    }.items():
        with pytest.raises(KamalError, match=message) as caught:
            fetch(name)
        assert caught.value.hint
    with pytest.raises(KamalError, match="No secrets given"):
        fetch(source="here")


@pytest.mark.parametrize("name", ["age", "ansible_vault", "env", "exec", "file", "keyring", "pass", "sops"])
def test_no_account_is_ignored(name: str) -> None:
    """These managers know none."""
    with pytest.raises(KamalError, match=f"The adapter {name} takes no --account"):
        adapter(name).fetch(["a"], account="me", source=None)
