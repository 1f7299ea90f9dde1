"""Tar archives as streams, compared with Python's own writer, and broken ones."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykamal.operations.secret_scan.tar_stream import TarBroken, members

pytestmark = pytest.mark.unit

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=300)


def archive(entries: list[tuple[str, bytes]], form: int, headers: dict[str, str] | None = None) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form, encoding="utf-8", pax_headers=headers) as file:
        for name, content in entries:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            file.addfile(about, io.BytesIO(content))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "target" * 30
        file.addfile(link)
    return stream.getvalue()


def in_pieces(data: bytes) -> Callable[[int], bytes]:
    """A reader that gives less than it is asked for, as pipes do."""
    stream = io.BytesIO(data)
    return lambda size: stream.read(min(size, 700))


@given(
    st.lists(st.tuples(NAMES, st.binary(max_size=2000)), max_size=4),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_entries_are_those_of_the_writer(entries: list[tuple[str, bytes]], form: int) -> None:
    """Long names, names that are no ASCII, links and contents, in both formats, whether contents are read or not."""
    data = archive(entries, form)
    read = [(each.name.decode(), each.link, each.read(5000)) for each in members(io.BytesIO(data).read)]
    assert read == [*((name, b"", content) for name, content in entries), ("link", b"target" * 30, b"")]
    assert [each.name.decode() for each in members(in_pieces(data))] == [*(name for name, _ in entries), "link"]


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 2000,
        archive([("a", b"x" * 2000)], tarfile.GNU_FORMAT)[:1500],
        archive([("é" * 200, b"")], tarfile.PAX_FORMAT).replace(b" path=", b"9path="),
        archive([], tarfile.PAX_FORMAT, {"sizX": "9" * 5000})
        .replace(b" sizX=", b" size=")
        .replace(b"\0 g\0", b"\0 x\0"),
        archive([("a" * 300, b"")], tarfile.GNU_FORMAT).replace(b"00000000455", b"77777777777"),
    ],
    ids=["no archive", "broken off", "broken header", "number of 5,000 digits", "name of 8 GB"],
)
def test_a_broken_archive_is_told(data: bytes) -> None:
    """An archive that cannot be read to its end has not been searched."""
    with pytest.raises(TarBroken):
        list(members(io.BytesIO(data).read))
