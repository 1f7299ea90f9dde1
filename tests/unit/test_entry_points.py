"""Processes start and connections open in few places: each is in a list here, with its reason.

`transport/` is the entry point to servers and to this machine's programs. What stands beside it is a program of its own
(the proxy, the sandbox), or needs what no session gives: a terminal, or an answer before there is an event loop.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.unit

SOURCE = Path(__file__).parents[2] / "src" / "pykamal"

PROCESSES: Final = {
    "transport/process.py": "the processes of a local session",
    "transport/program.py": "tools of secret managers and commands of secrets files, which may ask for passwords",
    "transport/proxy_command.py": "a ProxyCommand, which is the connection to a host",
    "operations/local/local_system.py": "commands of templates and of Git, before there is an event loop",
    "secrets/adapters/extras.py": "libraries of secret managers, some of which start what their configuration names",
    "cli/exec_ssh.py": "ssh takes the terminal over",
    "cli/handlers/sandbox.py": "ssh takes the terminal over",
    "cli/completion/known_versions.py": "completion imports no asyncio",
}
CONNECTIONS: Final = {
    "transport/dialing.py": "TCP to hosts",
    "transport/connecting.py": "SSH over what is dialled",
    "transport/identities.py": "the SSH agent",
    "transport/proxy_command.py": "the two ends of a ProxyCommand",
    "events/otel_shipping.py": "OTLP over HTTP to the collector of deploy.yml",
    "secrets/adapters/extras.py": "libraries of secret managers, which have connections of their own",
    "secrets/adapters/http.py": "HTTP to the secret manager that `secrets fetch` names",
    "secrets/adapters/http_tls.py": "the same over TLS",
}
PROGRAMS_OF_THEIR_OWN: Final = ("proxy", "sandbox")
"""Packages that no session reaches through: one runs in a container, the other makes the servers."""

STARTING: Final = (
    *("asyncio.create_subprocess_", "asyncio.subprocess.create_subprocess_"),
    *("os.exec", "os.fork", "os.popen", "os.posix_spawn", "os.spawn", "os.startfile", "os.system"),
    *("multiprocessing", "concurrent.futures.ProcessPoolExecutor", "pexpect", "pty.", "sh."),
    *("subprocess.Popen", "subprocess.run", "subprocess.call", "subprocess.check_", "subprocess.get"),
)
CONNECTING: Final = (
    *("asyncio.open_connection", "asyncio.open_unix_connection", "asyncio.start_server", "asyncio.start_unix_server"),
    *("asyncssh.connect", "asyncssh.create_connection", "asyncssh.listen", "asyncssh.create_server"),
    *("http.client.HTTP", "urllib.request", "requests.", "httpx.", "ftplib", "smtplib", "telnetlib"),
    *("socket.socket", "socket.create_", "socket.fromfd"),
)
STARTING_METHODS: Final = ("subprocess_exec", "subprocess_shell")
CONNECTING_METHODS: Final = (
    *("create_connection", "create_unix_connection", "create_server", "create_unix_server"),
    *("create_datagram_endpoint", "sock_connect"),
)
"""Methods of an event loop, whatever the loop is called."""
IMPORTING: Final = ("__import__", "import_module")


def uses(text: str, names: tuple[str, ...], methods: tuple[str, ...]) -> list[int]:
    """The lines of a module that use one of these functions or methods, by whatever name it was imported."""
    tree = ast.parse(text)
    imported = dict(_imported(tree))
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=method) if method in methods:
                found.append(node.lineno)
            case ast.Name() | ast.Attribute():
                base, *rest = _dotted(node) or [""]
                if base in imported and ".".join((imported[base], *rest)).startswith(names):
                    found.append(node.lineno)
            case ast.ImportFrom(module=str(module), names=imports):
                if any(
                    f"{module}." in _modules(names) if each.name == "*" else f"{module}.{each.name}".startswith(names)
                    for each in imports
                ):
                    found.append(node.lineno)
            case ast.Call(func=function, args=[argument, *_]) if (_dotted(function) or [""])[-1] in IMPORTING:
                if not ast.unparse(argument).strip("f'\"").startswith(("pykamal.", "{__name__}.")):
                    found.append(node.lineno)  # nothing of others is imported by a name that is computed
    return sorted(set(found))


def _dotted(node: ast.AST) -> list[str]:
    """The parts of a name such as `os.path.join`; nothing for another expression."""
    match node:
        case ast.Name(id=name):
            return [name]
        case ast.Attribute(value=value, attr=attribute):
            before = _dotted(value)
            return [*before, attribute] if before else []
    return []


def _imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Names of a module, and the dotted name of what each stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                yield (each.asname, each.name) if each.asname else (each.name.split(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for each in node.names:
                yield each.asname or each.name, f"{node.module}.{each.name}"


def _modules(names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        yield f"{name.rpartition('.')[0] or name}."


def modules_that(names: tuple[str, ...], methods: tuple[str, ...]) -> set[str]:
    words = {name.split(".")[0] for name in names} | {*methods, *IMPORTING}
    mentioned = re.compile(rf"\b({'|'.join(sorted(words))})\b")
    paths = {path.relative_to(SOURCE).as_posix(): path.read_text() for path in SOURCE.rglob("*.py")}
    return {
        name
        for name, text in paths.items()
        if name.split("/")[0] not in PROGRAMS_OF_THEIR_OWN and mentioned.search(text) and uses(text, names, methods)
    }


def test_processes_start_in_few_places() -> None:
    """Every module that starts a process is in the list, and no other is."""
    assert modules_that(STARTING, STARTING_METHODS) == set(PROCESSES)


def test_connections_open_in_few_places() -> None:
    """Every module that opens or accepts a connection is in the list, and no other is."""
    assert modules_that(CONNECTING, CONNECTING_METHODS) == set(CONNECTIONS)


PLANTED_PROCESSES = [
    "import subprocess\nsubprocess.run(['id'])",
    "import subprocess as quiet\nquiet.Popen('id')",
    "from subprocess import check_output as look\nlook('id')",
    "from subprocess import run\nstart = run",
    "from subprocess import *",
    "import os\nos.system('id')",
    "import os\nos.execvp('id', ['id'])",
    "from os import posix_spawn",
    "from os import fork\nfork()",
    "import pty\npty.spawn('id')",
    "import multiprocessing\nmultiprocessing.Process(target=print)",
    "import asyncio\nasyncio.create_subprocess_shell('id')",
    "from asyncio.subprocess import create_subprocess_exec\ncreate_subprocess_exec('id')",
    "async def f(loop):\n    await loop.subprocess_exec(print, 'id')",
    "__import__('subprocess').run('id')",
    "import importlib\nimportlib.import_module('os').system('id')",
    "import importlib\nimportlib.import_module(name)",
    "from importlib import import_module\nimport_module(f'{name}process')",
    "def f():\n    from subprocess import run\n    run('id')",
]
PLANTED_CONNECTIONS = [
    "import socket\nsocket.create_connection(('h', 1))",
    "from socket import socket\nsocket()",
    "import asyncio\nasyncio.open_connection('h', 1)",
    "import http.client\nhttp.client.HTTPSConnection('h')",
    "from urllib.request import urlopen\nurlopen('http://h')",
    "import urllib.request as fetch\nfetch.urlopen('http://h')",
    "import asyncssh\nasyncssh.connect('h')",
    "async def f(loop):\n    await loop.create_datagram_endpoint(print)",
]


@pytest.mark.parametrize("text", PLANTED_PROCESSES)
def test_a_planted_process_is_found(text: str) -> None:
    """The check sees through aliases, imports inside functions and imports by name."""
    assert uses(text, STARTING, STARTING_METHODS)


@pytest.mark.parametrize("text", PLANTED_CONNECTIONS)
def test_a_planted_connection_is_found(text: str) -> None:
    """The same for connections."""
    assert uses(text, CONNECTING, CONNECTING_METHODS)


@pytest.mark.parametrize(
    "text",
    [
        "from subprocess import CompletedProcess\nx: CompletedProcess",
        "import subprocess\nx = subprocess.PIPE",
        "import os\nos.environ",
        "import socket\nx = socket.AF_INET",
        "session.run(command)",
        "run = 1\nrun",
    ],
)
def test_what_starts_nothing_is_not_found(text: str) -> None:
    """Constants and types of these modules are no use of them."""
    assert uses(text, STARTING, STARTING_METHODS) == uses(text, CONNECTING, CONNECTING_METHODS) == []
