"""Searches an image of this machine's engine: each file of each layer, its configuration and its history.

A file that a later layer deletes is in its layer still. The image is read as the stream that `docker image save`
writes; nothing of it is unpacked or run.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from typing import IO, Any, Final, cast

from pykamal.commands import docker
from pykamal.commands.command import Command
from pykamal.operations.secret_scan import tar_stream
from pykamal.operations.secret_scan.leak_report import LeakReport, Place, shown_name
from pykamal.operations.secret_scan.searcher import Read
from pykamal.operations.secret_scan.tar_stream import Member, TarBroken, members
from pykamal.transport.program import reading

MOST_BYTES: Final = 64 * 1024**3
"""Of all layers, unpacked."""

_MOST_JSON: Final = 8 * 1024 * 1024
_GZIP: Final = b"\x1f\x8b"
_ZSTANDARD: Final = b"\x28\xb5\x2f\xfd"
_SHORT: Final = 12


def is_here(image: str) -> bool:
    """Return True where the engine of this machine has the image."""
    try:
        with reading(_arguments(docker.image_identifier(image))) as source:
            while source.read(_MOST_JSON):
                pass
            return source.failure() is None
    except OSError:
        return False


def search_image(image: str, report: LeakReport) -> None:
    """Search an image. What cannot be read of it is noted."""
    whole = Place("image", image=image)
    try:
        with reading(_arguments(docker.save_image(image))) as source:
            _Search(image, report).archive(source.read)
            while source.read(_MOST_JSON):
                pass
            failure = source.failure()
    except (OSError, EOFError, TarBroken, zlib.error) as error:
        failure = f"the stream of the image cannot be read: {error}"
    if failure is not None:
        report.not_examined(whole, failure)


class _Search:
    """The search of one image."""

    def __init__(self, image: str, report: LeakReport) -> None:
        self._image = image
        self._report = report
        self._left = MOST_BYTES

    def archive(self, read: Read) -> None:
        for member in members(read):
            if member.link or not member.size:
                continue  # a layer that is there under another name
            beginning = tar_stream.exactly(member.read, tar_stream.BLOCK)
            name = shown_name(member.name)
            if beginning[:1] in (b"{", b"[") and member.size <= _MOST_JSON:
                self._document(beginning + tar_stream.exactly(member.read, member.size), name)
            else:
                self._layer(_Joined(beginning, member.read), beginning, name)

    def _layer(self, stream: _Joined, beginning: bytes, name: str) -> None:
        layer = name.removeprefix("blobs/sha256/").partition("/")[0][:_SHORT]
        if beginning.startswith(_ZSTANDARD):
            self._report.not_examined(Place("image", image=self._image), f"layer {layer} is compressed with Zstandard")
            return
        if beginning.startswith(_GZIP):
            unpacked = gzip.GzipFile(fileobj=cast("IO[bytes]", stream))
            start = tar_stream.exactly(unpacked.read, tar_stream.BLOCK)
            stream, beginning = _Joined(start, unpacked.read), start
        if beginning[tar_stream.MAGIC] != b"ustar" and beginning.strip(b"\0"):
            self._search(stream.read, f"image:{name}", "")
            return
        self._report.counted["layers"] += 1
        for member in members(self._counting(stream.read)):
            self._file(member, layer)

    def _file(self, member: Member, layer: str) -> None:
        read = io.BytesIO(member.link).read if member.link else member.read
        if member.link or member.size:
            self._search(read, f"image:{shown_name(member.name)}", f"in layer {layer}")

    def _document(self, content: bytes, name: str) -> None:
        """Search the image's configuration text by text, to tell which part leaks; other documents as they are."""
        try:
            document = json.loads(content)
            texts = list(_texts(document)) if isinstance(document, dict) and "config" in document else None
        except (ValueError, RecursionError):
            texts = None
        if texts is None:
            self._search(io.BytesIO(content).read, f"image:{name}", "")
            return
        self._report.counted["parts of the image's configuration"] += len(texts)
        for part, text in texts:
            self._search(
                io.BytesIO(text.encode("utf-8", "surrogatepass")).read, f"image:{shown_name(part.encode())}", ""
            )

    def _search(self, read: Read, name: str, within: str) -> None:
        self._report.search(read, Place(name, image=self._image, within=within))

    def _counting(self, read: Read) -> Read:
        """The same stream, which breaks off where there is more than an image may have."""

        def counted(size: int) -> bytes:
            data = read(size)
            self._left -= len(data)
            if self._left < 0:
                raise TarBroken(f"it has more than {MOST_BYTES >> 30} GB")
            return data

        return counted


class _Joined:
    """A stream whose beginning was read already."""

    def __init__(self, beginning: bytes, read: Read) -> None:
        self._beginning = beginning
        self._read = read

    def read(self, size: int) -> bytes:
        if self._beginning:
            data, self._beginning = self._beginning[:size], self._beginning[size:]
            return data
        return self._read(size)


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the texts of an image's configuration, each with its part: a variable, a step of the history, a key."""
    if isinstance(value, str):
        if path.startswith("config/Env/"):
            yield f"environment {value.partition('=')[0]}", value.partition("=")[2]
        elif path.startswith("history/"):
            yield f"history step {int(path.split('/')[1]) + 1}", value
        else:
            yield path, value
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, f"{path}/{index}")
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(each, f"{path}/{key}" if path else key)


def _arguments(command: Command) -> list[str]:
    arguments = command.arguments()
    assert arguments is not None, "one program"
    return arguments
