"""Unique strings that stand for secrets, and the places of this machine and of servers where they may not be.

A place is looked at once, at the end, or again and again for as long as a watch lasts. What is found is a `Hit`.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pykamal.sandbox.host import Host

LOOKS_PER_SECOND: Final = 100
HOST_ROOTS: Final = ("/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/usr/local", "/var")
_CONTAINER_DEPTH: Final = 3
"""PID namespaces around a process of a container: this machine's, the host's, its own."""


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """A canary in a place: `where` is a file, a process, a command whose output it was."""

    place: str
    canary: str
    where: str


class Canaries:
    """Values by name, and the search for them: as they are, in base64 at any offset, in hexadecimal digits.

    URL form and shell quoting leave letters and digits as they are, of which the values consist.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._forms = {form: name for name, value in values.items() for form in _forms(value.encode())}
        self._pattern = re.compile(b"|".join(map(re.escape, self._forms)))

    @property
    def forms(self) -> list[str]:
        return [form.decode() for form in self._forms]

    def names(self, data: bytes) -> set[str]:
        """Return the names of those that are in the data."""
        return {self._forms[found.group()] for found in self._pattern.finditer(data)}


def _forms(value: bytes) -> Iterator[bytes]:
    yield value
    yield value.hex().encode()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + value)
        # The characters at both ends also depend on the bytes around the value.
        yield encoded[(0, 2, 3)[offset] : len(encoded.rstrip(b"=")) - 2]


class Watch:
    """Looks at processes, at directories and at the events of engines until it is ended.

    `directories` are looked at with all that is below them, so they have to be small.
    """

    def __init__(self, canaries: Canaries, *, hosts: Sequence[Host], directories: Sequence[Path]) -> None:
        self._canaries = canaries
        self._directories = [*directories, *(Path(f"{root_of(host)}{path}") for host in hosts for path in _FLEETING)]
        self._ended = threading.Event()
        self._events = [(host.name, _events_of(host)) for host in hosts]
        self._seen: set[object] = set()
        self._threads = [
            threading.Thread(target=self._look_until_the_end, args=(look,), daemon=True)
            for look in (self._look_at_processes, self._look_at_directories)
        ]
        self.hits: set[Hit] = set()
        self.programs: set[str] = set()
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        for host, process in self._events:
            process.terminate()
            said, _ = process.communicate()
            self.hits |= {Hit("engine events", name, host) for name in self._canaries.names(said)}

    def _look_until_the_end(self, look: Callable[[], None]) -> None:
        while not self._ended.wait(1 / LOOKS_PER_SECOND):
            look()

    def _look_at_processes(self) -> None:
        for process in Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            try:
                line = (process / "cmdline").read_bytes()
                if (process.name, line) in self._seen:
                    continue
                environment = (process / "environ").read_bytes()
                depth = re.search(rb"^NSpid:(.*)$", (process / "status").read_bytes(), re.MULTILINE)
            except OSError:  # it has ended
                continue
            self._seen.add((process.name, line))
            self.programs.add(_readable(line)[:200])
            if depth is not None and len(depth.group(1).split()) >= _CONTAINER_DEPTH:
                continue
            for place, data in (("arguments", line), ("environment", environment)):
                self.hits |= {Hit(place, name, _readable(line)) for name in self._canaries.names(data)}

    def _look_at_directories(self) -> None:
        for directory in self._directories:
            for path in _files_below(directory):
                try:
                    state = path.stat()
                    key = (str(path), state.st_ino, state.st_mtime_ns, state.st_size)
                    if key in self._seen:
                        continue
                    found = self._canaries.names(path.read_bytes())
                except OSError:  # it is gone
                    continue
                self._seen.add(key)
                self.hits |= {Hit("fleeting files", name, str(path)) for name in found}


_FLEETING: Final = ("/tmp", "/dev/shm", "/root/.kamal")


@contextmanager
def watching(canaries: Canaries, *, hosts: Sequence[Host], directories: Sequence[Path]) -> Iterator[Watch]:
    """Watch for as long as the block runs."""
    watch = Watch(canaries, hosts=hosts, directories=directories)
    try:
        yield watch
    finally:
        watch.end()


def root_of(host: Host) -> str:
    """Return the path of this machine that shows a server's file system."""
    return f"/proc/{_init_of(host)}/root"


def on_host(canaries: Canaries, host: Host) -> set[Hit]:
    """Search the files of a server, those of its engine and of its containers' file systems included."""
    search = "grep --recursive --text --fixed-strings --files-with-matches --devices=skip --exclude-dir=merged --file=-"
    command = ["env", "LC_ALL=C", *search.split(), *HOST_ROOTS]
    listed = host.run(command, stdin="\n".join(canaries.forms), check=False).splitlines()
    root = root_of(host)
    return {
        Hit("files of a server", name, f"{host.name}:{path}")
        for path in listed
        for name in canaries.names(Path(f"{root}{path}").read_bytes())
    }


def in_directories(canaries: Canaries, directories: Iterable[Path]) -> set[Hit]:
    """Search the files of this machine below some directories."""
    return {
        Hit("files of this machine", name, str(path))
        for directory in directories
        for path in _files_below(directory)
        for name in canaries.names(path.read_bytes())
    }


def in_image(canaries: Canaries, host: Host, image: str) -> set[Hit]:
    """Search an image: its configuration, its history, and the content of its layers."""
    configuration = host.docker("image", "inspect", image) + host.docker("history", "--no-trunc", image)
    saved = subprocess.run(_inside(host, ["docker", "save", image]), capture_output=True, check=True).stdout
    return {
        Hit(place, name, image)
        for place, data in (("image configuration", configuration.encode()), ("image layers", saved))
        for name in canaries.names(data)
    }


def in_outputs(canaries: Canaries, outputs: Mapping[str, str]) -> set[Hit]:
    """Search what commands printed, by their words."""
    return {Hit("output", name, what) for what, text in outputs.items() for name in canaries.names(text.encode())}


def _files_below(directory: Path) -> Iterator[Path]:
    for path, _, names in os.walk(directory):
        for name in names:
            file = Path(path, name)
            if file.is_file() and not file.is_symlink():
                yield file


def _events_of(host: Host) -> subprocess.Popen[bytes]:
    command = _inside(host, ["docker", "events", "--format", "{{json .}}"])
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _inside(host: Host, command: Sequence[str]) -> list[str]:
    """Return the command line of this machine that runs a command in a server, as the very process that is started."""
    return ["nsenter", f"--target={_init_of(host)}", "--net", "--mount", "--uts", "--root", "--wd", *command]


def _init_of(host: Host) -> int:
    """Return the process identifier, in this machine, of the first process of a server."""
    namespace = host.run(["readlink", "/proc/self/ns/pid"]).strip()
    processes = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return next(pid for pid in sorted(processes) if _namespace_of(pid) == namespace and _number_inside(pid) == 1)


def _namespace_of(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return ""


def _number_inside(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("NSpid:")[2].splitlines()[0].split()[-1])


def _readable(line: bytes) -> str:
    return line.replace(b"\0", b" ").decode("utf-8", "replace").strip()
