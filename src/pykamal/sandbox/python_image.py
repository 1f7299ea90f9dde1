"""Makes a small Python image of this machine's own Python, without an image registry.

The layer holds the interpreter, the standard library without what a server never imports, the shared libraries that
both need, and busybox for a shell and the usual small tools.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import re
import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from pykamal.core.errors import SandboxError
from pykamal.sandbox import background_processes

REPOSITORY = "sandbox/python"
RECIPE = "3"  # part of the cache key: raise it when the layer's contents change
BUSYBOX = Path("/bin/busybox")
TOOLS = ("sh", "cat", "cp", "date", "echo", "env", "false", "grep", "head", "hostname", "id", "kill", "ln", "ls",
         "mkdir", "mv", "nc", "nslookup", "ps", "pwd", "rm", "sed", "sleep", "sort", "tail", "test", "touch", "tr",
         "true", "uname", "wc", "wget", "which", "xargs")  # fmt: skip
UNUSED = re.compile(
    r"/(test|tests|idlelib|tkinter|turtledemo|turtle\.py|ensurepip|lib2to3|pydoc_data|distutils|config-[^/]+"
    r"|sitecustomize\.py|EXTERNALLY-MANAGED|__pycache__/[^/]*\.opt-[12]\.pyc)(/|$)|/_tkinter\."
)
NAME_SERVICE = ("libnss_dns.so.2", "libnss_files.so.2")
USERS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


class PythonImage:
    """The image of one system Python. `version` is `3.11`; `key` changes with every file that goes in."""

    def __init__(self) -> None:
        found = shutil.which("python3", path="/usr/bin")
        if found is None:
            raise background_processes.missing_program("/usr/bin/python3")
        if not BUSYBOX.exists():
            raise background_processes.missing_program(str(BUSYBOX))
        self.interpreter = Path(found).resolve()
        self.version = self.interpreter.name.removeprefix("python")
        self.library = Path("/usr/lib") / self.interpreter.name
        if not (self.library / "os.py").exists():
            raise SandboxError(f"{self.library} does not hold Python's standard library")
        self.files = self._files()
        self.key = self._key()

    @property
    def reference(self) -> str:
        return f"{REPOSITORY}:{self.version}"

    def write(self, target: Path) -> None:
        """Write a docker-archive that any engine can load."""
        layer = self._layer()
        digest = hashlib.sha256(layer).hexdigest()
        configuration = json.dumps(
            {
                "architecture": architecture(),
                "os": "linux",
                "created": "1970-01-01T00:00:00Z",
                "config": {
                    "Env": [
                        "PATH=/usr/local/bin:/usr/bin:/bin",
                        "PYTHONUNBUFFERED=1",
                        "PYTHONDONTWRITEBYTECODE=1",
                    ],
                    "Cmd": ["python3"],
                    "WorkingDir": "/",
                },
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            }
        ).encode()
        name = f"{hashlib.sha256(configuration).hexdigest()}.json"
        index = [{"Config": name, "RepoTags": [self.reference], "Layers": [f"{digest}/layer.tar"]}]
        with tarfile.open(target, "w") as archive:
            _add(archive, name, configuration)
            _add(archive, f"{digest}/layer.tar", layer)
            _add(archive, "manifest.json", json.dumps(index).encode())

    def _layer(self) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as layer:
            for folder, mode in (
                ("tmp", 0o1777),
                ("run", 0o755),
                ("root", 0o700),
                ("etc", 0o755),
                ("proc", 0o755),
                ("sys", 0o755),
            ):
                entry = tarfile.TarInfo(folder)
                entry.type, entry.mode = tarfile.DIRTYPE, mode
                layer.addfile(entry)
            for name, text in USERS.items():
                _add(layer, name, text.encode())
            for path in self.files:
                entry = layer.gettarinfo(str(path.resolve()), arcname=str(path).lstrip("/"))
                entry.uid = entry.gid = 0
                entry.uname = entry.gname = ""
                with path.open("rb") as content:
                    layer.addfile(entry, content)
            _link(layer, "usr/bin/python3", self.interpreter.name)
            _link(layer, "usr/bin/python", self.interpreter.name)
            for tool in TOOLS:
                _link(layer, f"bin/{tool}", "busybox")
        return buffer.getvalue()

    def _files(self) -> list[Path]:
        library = sorted(self._library_files())
        binaries = [self.interpreter, *(path for path in library if ".so" in path.name)]
        return sorted({BUSYBOX, *binaries, *library, *_shared_libraries(binaries)})

    def _library_files(self) -> Iterator[Path]:
        for path in self.library.rglob("*"):
            if path.is_file() and not UNUSED.search(str(path.relative_to(self.library.parent.parent))):
                yield path

    def _key(self) -> str:
        digest = hashlib.sha256(RECIPE.encode())
        for path in self.files:
            state = path.stat()
            digest.update(f"{path} {state.st_size} {state.st_mtime_ns}\n".encode())
        return digest.hexdigest()[:16]


def architecture() -> str:
    """Return this machine's architecture by its name in image manifests."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _shared_libraries(binaries: list[Path]) -> set[Path]:
    """Return the shared libraries of the binaries, under the paths where the dynamic linker looks for them."""
    found: set[Path] = set()
    for line in background_processes.run(["ldd", *map(str, binaries)]).splitlines():
        if match := re.match(r"\s+(?:\S+ => )?(/\S+) \(0x", line):
            found.add(Path(match[1]))
    libc = next(path for path in found if path.name.startswith("libc.so"))
    return found | {libc.parent / name for name in NAME_SERVICE if (libc.parent / name).exists()}


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _link(archive: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    archive.addfile(entry)


if __name__ == "__main__":
    image = PythonImage()
    image.write(Path(sys.argv[1]))
    print(image.version)
