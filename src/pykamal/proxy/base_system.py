"""The image's base layer: the few files of a few Debian 12 packages that nginx with Lua and Python need."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

UID = 1000
PYTHON = "python3.11"
PACKAGES = (
    "busybox-static",
    "ca-certificates",
    "libc6",
    "libcrypt1",
    "libexpat1",
    "libgcc-s1",
    "libluajit2-5.1-2",
    "libluajit2-5.1-common",
    "libnginx-mod-http-lua",
    "libnginx-mod-http-ndk",
    "libpcre2-8-0",
    "libpcre3",
    f"lib{PYTHON}-minimal",
    f"lib{PYTHON}-stdlib",
    "libssl3",
    "lua-cjson",
    "lua-resty-core",
    "lua-resty-lrucache",
    "nginx",
    f"{PYTHON}-minimal",
    "zlib1g",
    # For automatic certificates: the client library, and what it imports.
    "libffi8",
    "python3-acme",
    "python3-certifi",
    "python3-cffi-backend",
    "python3-charset-normalizer",
    "python3-cryptography",
    "python3-idna",
    "python3-josepy",
    "python3-openssl",
    "python3-requests",
    "python3-rfc3339",
    "python3-six",
    "python3-tz",
    "python3-urllib3",
    "tzdata",
)
_MERGED = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")
_UNUSED = re.compile(
    r"usr/share/(doc|man|locale|lintian|bug|perl5|apport|nginx|pixmaps|applications|binfmts|python3|debconf|i18n)(/|$)"
    r"|usr/share/ca-certificates$|etc/(?!ssl/openssl\.cnf)|var/|usr/lib/[^/]+-linux-gnu/(gconv|engines-3|audit)/"
    r"|usr/share/zoneinfo/(?!tzdata\.zi$|[^/]+\.tab$)|usr/lib/systemd|usr/lib/tmpfiles|usr/lib/ssl/misc|usr/lib/mime|usr/share/doc-base|usr/share/gcc"
    rf"|usr/lib/{PYTHON}/(lib2to3|idlelib|tkinter|turtledemo|ensurepip|distutils|pydoc_data|test|unittest|sqlite3"
    r"|curses|dbm|wsgiref|xmlrpc|venv|turtle\.py|pydoc\.py|doctest\.py|__phello__)"
    rf"|usr/lib/{PYTHON}/lib-dynload/_?(ctypes_test|test|xx|sqlite3|curses|codecs_(jp|kr|hk|cn|tw|iso)|dbm|gdbm|ctypes)"
    r"|usr/bin/(?!python3|busybox$)|usr/sbin/(?!nginx$)|.*\.(a|o)$"
)
PASSWD = f"root:x:0:0:root:/root:/bin/sh\nkamal-proxy:x:{UID}:{UID}::/home/kamal-proxy:/bin/sh\n"
GROUP = f"root:x:0:\nkamal-proxy:x:{UID}:\n"
SHELL_TOOLS = (
    *("sh", "cat", "ls", "ps", "wget", "nslookup", "env", "kill", "sleep", "head", "tail", "grep"),
    *("chown", "chmod"),  # for taking over from another proxy (commands/proxy_switch.py)
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The image's Python, run on this machine from an unpacked root."""

    argv: list[str]
    environment: dict[str, str]


def unpack(packages: list[Path], root: Path) -> None:
    """Puts what is needed of the packages below `root`, as the current user, and compiles Python's library."""
    root.mkdir()
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")
    for package in packages:
        content = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            extract(archive, root, _kept(archive))
    _bundle_authorities(root)
    _compile_library(root)


def extract(archive: tarfile.TarFile, root: Path, members: Iterator[tarfile.TarInfo] | None = None) -> None:
    """Like `extractall(filter="tar")`, which the Python of Debian 12 (3.11.2) does not know yet."""
    archive.extraction_filter = getattr(tarfile, "tar_filter", lambda member, _: member)
    archive.extractall(root, members=members)  # noqa: S202 (packages of the distribution)


def _kept(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in archive:
        member.name = _merged(member.name.removeprefix("./"))
        if member.islnk():
            member.linkname = _merged(member.linkname.removeprefix("./"))
        if member.isdir() or member.name in ("", "."):
            continue
        if not _UNUSED.match(member.name):
            yield member


def _merged(name: str) -> str:
    return f"usr/{name}" if name.partition("/")[0] in _MERGED else name


def _bundle_authorities(root: Path) -> None:
    authorities = root / "usr/share/ca-certificates"
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_bytes(b"".join(file.read_bytes() for file in sorted(authorities.rglob("*.crt"))))
    for file in sorted(authorities.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()


def _compile_library(root: Path) -> None:
    """Leaves compiled modules in the place of their sources: half the size, and nothing is compiled at run time."""
    libraries = [root / "usr/lib" / PYTHON, root / "usr/lib/python3/dist-packages"]
    command = interpreter(root)
    arguments = ["-m", "compileall", "-q", "-b", "--invalidation-mode", "unchecked-hash", "-s", str(root), "-p", "/"]
    subprocess.run([*command.argv, *arguments, *map(str, libraries)], check=True, env=command.environment)
    for library in libraries:
        for source in library.rglob("*.py"):
            if source.with_suffix(".pyc").exists():
                source.unlink()


def interpreter(root: Path) -> Interpreter:
    """The image's Python, run through the image's own dynamic linker and libraries."""
    linker = next(iter(sorted((root / "usr/lib64").glob("ld-linux-*"))), None) or next(
        iter(sorted((root / "usr/lib").glob("*/ld-linux-*")))
    )
    libraries = next(iter((root / "usr/lib").glob("*-linux-gnu")))
    argv = [str(linker), "--library-path", str(libraries), str(root / "usr/bin" / PYTHON), "-ISB"]
    return Interpreter(argv, {"PYTHONHOME": str(root / "usr")})


def architecture() -> str:
    """The image's architecture in OCI terms, which Debian shares for amd64 and arm64."""
    command = ["dpkg", "--print-architecture"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def base_files() -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Files, links and directories that belong to no package."""
    texts = {
        "etc/passwd": PASSWD,
        "etc/group": GROUP,
        "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        "etc/os-release": 'NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\n',
    }
    for name, text in texts.items():
        content = text.encode()
        info = tarfile.TarInfo(name)
        info.size = len(content)
        yield info, content
    for tool in SHELL_TOOLS:
        info = tarfile.TarInfo(f"usr/bin/{tool}")
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, "busybox", 0o777
        yield info, b""
    yield _directory("tmp", 0o1777), b""
    for name in ("proc", "sys", "dev", "run", "root"):
        yield _directory(name, 0o755), b""
    home = "home/kamal-proxy"
    for name in (home, f"{home}/.config", f"{home}/.config/kamal-proxy", f"{home}/.apps-config"):
        info = _directory(name, 0o700 if name.endswith("/kamal-proxy") and name != home else 0o755)
        info.uid = info.gid = UID
        yield info, b""


def _directory(name: str, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    return info
