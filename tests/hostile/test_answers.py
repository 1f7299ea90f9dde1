"""Hosts and programs that answer with nonsense: every command ends with a clear error, none with a traceback."""

from __future__ import annotations

import json
import os
import random
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, suppress
from copy import copy
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from urllib3 import HTTPResponse

import pykamal
from pykamal.cli import framework_detection
from pykamal.cli.dispatch import dispatch
from pykamal.cli.handlers.secrets_on_hosts import DIFFERENT
from pykamal.cli.handlers.secrets_scan import UNEXAMINED
from pykamal.cli.report import BUG
from pykamal.cli.table import COMMANDS
from pykamal.cli.table.row import CommandRow
from pykamal.commands import facts, lock, proxy, proxy_image, readiness
from pykamal.commands.command import shell_line
from pykamal.commands.script import Script, Step
from pykamal.core.errors import KamalError
from pykamal.core.host_strings import parse_host
from pykamal.core.sensitive import Sensitive, encoded
from pykamal.operations.execution import port_holders, post_mortem
from pykamal.operations.execution.evidence import Evidence
from pykamal.operations.execution.failure_hints import error_of
from pykamal.operations.hosts import proxy_facts
from pykamal.operations.local import deployed_versions
from pykamal.operations.local.local_system import LocalSystem
from pykamal.operations.proxy import lifecycle
from pykamal.operations.proxy.container_options import differing
from pykamal.secrets import dotenv, helpers
from pykamal.secrets.adapters import MODULES, adapter, azure, gcp_api, tool
from pykamal.secrets.adapters.age import _header, _needs_passphrase
from pykamal.secrets.adapters.ansible_vault import AnsibleVault
from pykamal.secrets.adapters.documents import Document, Format
from pykamal.secrets.adapters.google_login import Login
from pykamal.secrets.adapters.http import Answer, Client
from pykamal.secrets.adapters.settings import Settings
from pykamal.transport import known_hosts
from pykamal.transport.client_config import settings_for
from pykamal.transport.fleet import Fleet
from pykamal.transport.local import LocalSession
from pykamal.transport.program import Ended
from pykamal.transport.session import StepResult

pytestmark = pytest.mark.hostile

CONFIG = """\
service: app
image: me/app
servers:
  web: {hosts: [10.0.0.1, 10.0.0.2]}
  job: {hosts: [10.0.0.1], cmd: work}
registry: {server: "localhost:5555", username: me, password: [PASSWORD]}
builder: {arch: [amd64, arm64], remote: "ssh://me@10.0.0.9"}
proxy: {host: app.example.com}
accessories:
  db: {image: "db:1", host: 10.0.0.1, port: 5432, files: [deploy.yml:/etc/x], directories: [data:/data]}
env: {secret: [PASSWORD]}
x-pykamal: {proxy: {engine: pykamal}}
"""

ROW: Final = "\t".join("kamal-proxy" for _ in facts.CONTAINER_FIELDS)
ANSWERS: Final = (
    "",
    "garbage",
    "end 0 abc",
    "\0\x1b[2J",
    "\ufffd\u0663\u00b2",
    "\u00b2",
    "-1",
    "9" * 5000,
    "1e999",
    "v" + "9" * 5000,
    "[" * 20000,
    "null",
    "[]",
    "{}",
    '{"restarts": {}, "state": []}',
    '{"restarts": 0, "state": {"Status": [], "Health": {"Log": [1, {"Output": {}}]}, "ExitCode": {}}}',
    '{"restarts": 0, "state": {"Status": "exited", "Health": [], "ExitCode": "x"}}\n\n\n',
    '{"restarts": 1' + "0" * 5000 + "}",
    '{"url": ["x"], "error": {}, "status": []}',
    '[{"name": "x", "options": [], "hosts": {}, "active_targets": 5}, {"name": []}, 1]',
    '{"Config": {"Env": {"a": []}, "Image": []}, "HostConfig": {"PortBindings": [1], "NanoCpus": "x", "Ulimits": [1],'
    '"Binds": 5, "LogConfig": [], "RestartPolicy": [], "Memory": "' + "9" * 5000 + '", "CapAdd": [{}]}}',
    '{"url": "http://x:99999999999999999999/", "error": "status 502"}',
    "die \u00b2\ndie\noom\n\ndie 137 x",
    "0100007F:zzzz\n:\n0100007F:1F90",
    'LISTEN 0 1 0.0.0.0:80 0.0.0.0:* users:(("x",pid=' + "9" * 5000,
    "Locked by: \nVersion\nMessage",
    ROW,
    ROW.replace("kamal-proxy", "app-web-latest"),
    f"app-web-1\trunning\tme/app:{'9' * 5000}\tapp\tweb\t\tsoon\n" * 3,
    "kamal-proxy\trunning\tbasecamp/kamal-proxy:v" + "9" * 5000 + "\t\t\t\t",
    "port 80 was open after " + "9" * 5000 + " seconds",
    "bind for 0.0.0.0:" + "9" * 5000 + " failed: port is already allocated",
    "Failed to get endpoint for , did the container boot?",
    "a" * 100_000,
    "line\n" * 20_000,
)
STATUSES: Final = (
    *([0] * 80),
    *(1, 2, 126, 127, 137, 255, 10**30),
    *(lock.LOCK_HELD_STATUS, proxy.ENDPOINT_MISSING_STATUS, proxy_image.IMAGE_MISSING_STATUS),
    *(readiness.PORT_TAKEN_STATUS, readiness.DISK_FULL_STATUS),
)
TRUTHS: Final = {"work tree": "/", "revision": "a" * 40}


class Liar:
    """A session, of a host or of this machine, whose programs answer whatever comes to mind."""

    host = "10.0.0.1"
    user = "me"
    closed = False
    exchanges = 0

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    async def run_script(self, script: Script, *, check: bool = True, **_how: Any) -> list[StepResult]:
        results = []
        for step in script:
            results.append(self._result(step))
            if not results[-1].ok and not step.command.may_fail:
                if check:
                    raise results[-1].failure(self.host)
                break
        return results

    async def run(self, command: Any, *, name: str = "", check: bool = True, **_how: Any) -> StepResult:
        return (await self.run_script(Script((Step(name, command),)), check=check))[0]

    async def feed(self, step: Step, *_content: Any, **_how: Any) -> StepResult:
        return self._result(step)

    @asynccontextmanager
    async def forward_remote_port(self, *_ports: int) -> Any:
        yield 1

    def _result(self, step: Step) -> StepResult:
        chance = self._chance
        if step.name in TRUTHS and chance.random() < 0.95:  # or every run would end there
            return StepResult(step, 0, TRUTHS[step.name], "", 0.0)
        return StepResult(step, chance.choice(STATUSES), chance.choice(ANSWERS), chance.choice(ANSWERS), 0.0)


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "deploy.yml").write_text(CONFIG)
    (tmp_path / "deploy.yml").write_text("")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / ".kamal").mkdir()
    (tmp_path / ".kamal" / "secrets").write_text("PASSWORD=literally\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("KAMAL_LOCK", "VERBOSE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VERSION", "1")
    return tmp_path


def lie(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Let every host and every program of this machine lie."""
    liar = Liar(random.Random(seed))

    async def session(*_: Any) -> Liar:
        return liar

    async def nothing(*_: Any) -> None:
        pass

    monkeypatch.setattr(Fleet, "session", session)
    monkeypatch.setattr(Fleet, "reconnect", nothing)
    monkeypatch.setattr(LocalSession, "run", liar.run)
    monkeypatch.setattr(LocalSession, "run_script", liar.run_script)
    monkeypatch.setattr(LocalSystem, "run_with_status", lambda *_: (random.Random(seed).choice(ANSWERS), 0))
    monkeypatch.setattr("pykamal.operations.execution.executor.asyncio.sleep", nothing, raising=False)


WORDS: Final = {"NAME": "db", "VERSION": "1", "COMMAND...": "true", "COMMAND": "true", "set|get|reset": "get"}


def line(row: CommandRow) -> list[str]:
    """A command line of a command that asks nothing."""
    words = [WORDS[word] for word in row.arguments.replace("[", "").replace("]", "").split() if word in WORDS]
    confirmed = ["--confirmed"] if any(option.name == "confirmed" for option in row.all_options) else []
    message = ["-m", "x"] if row.path == "lock acquire" else []
    return [*row.path.split(), *words, *confirmed, *message]


LIARS: Final = int(os.environ.get("PYKAMAL_TEST_LIARS", "8"))
OF_ITS_OWN: Final = {"secrets diff": DIFFERENT, "secrets scan": UNEXAMINED}
"""Exit codes that only one command has."""

TALKING: Final = [row for row in COMMANDS if row.needs_project and row.path not in ("init", "config")]


@pytest.mark.parametrize("row", TALKING, ids=lambda row: row.path.replace(" ", "-"))
def test_no_answer_is_a_bug_of_ours(
    row: CommandRow, application: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Several liars for each command: it may succeed or fail, but never by accident."""
    for number in range(LIARS):
        with monkeypatch.context() as patched:
            lie(patched, zlib.crc32(row.path.encode()) + number)
            code = dispatch([*line(row), "-v"] if number % 2 else line(row))
        told = capsys.readouterr().out
        assert code != BUG, f"liar {number}: {told[-300:]}"
        assert code in (0, 1, 2, OF_ITS_OWN.get(row.path)), told


def test_an_accident_would_be_noticed(
    application: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A planted `int()` of what a host says is a bug, and is seen as one."""
    monkeypatch.setattr(lifecycle, "_count", lambda _host, result: int(result.captured))
    codes = set()
    for number in range(12):
        with monkeypatch.context() as patched:
            lie(patched, number)
            codes.add(dispatch(["proxy", "remove"]))
    assert BUG in codes
    assert "this is a bug in pykamal" in capsys.readouterr().out


# -- what is read without a host, and single parsers with more kinds of nonsense

FILES: Final = ("package.json", "pyproject.toml", "Dockerfile", "Gemfile", "requirements.txt", "go.mod", "main.py")


def described_project(text: str) -> object:
    for name in FILES:
        Path(name).write_bytes(encoded(text))
    return framework_detection.detected(Path())


def known_hosts_file(text: str) -> object:
    Path("known_hosts").write_bytes(encoded(text))
    return known_hosts.look_up(["known_hosts"], "10.0.0.1", 22)


def ssh_configuration(text: str) -> object:
    Path("ssh_config").write_bytes(encoded(text))
    return settings_for(parse_host("10.0.0.1"), ["ssh_config"])


def remembered_versions(text: str) -> object:
    file = Path("cache/pykamal/versions/app")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encoded(text))
    return deployed_versions.remembered("app", None)


def evidence(text: str) -> object:
    found = {kind: StepResult(Step(kind.value, shell_line("x")), 0, text, text, 0.0) for kind in Evidence}
    read = post_mortem.read(found, found[Evidence.STATE])
    return read and (list(read.details), read.hint)


def document(text: str, form: Format) -> object:
    found = Document(encoded(text), "x", form)
    return [found.value(key) for key in ("a", "a.b", "0", "Config.Env.a")]


def encrypted_file(text: str) -> object:
    return [_header(encoded(f"{start}{text}")) for start in ("", "-----BEGIN AGE ENCRYPTED FILE-----\n")]


def age_identity(text: str) -> object:
    return [_needs_passphrase(f"{start}{text}") for start in ("", "-----BEGIN OPENSSH PRIVATE KEY-----\n")]


def ansible_vault(text: str) -> object:
    Path("x").write_bytes(b"$ANSIBLE_VAULT;" + encoded(text))
    known = {"ANSIBLE_VAULT_PASSWORD": "x"}
    return AnsibleVault(Settings(AnsibleVault.settings, environment=known)).fetch(["x"], account=None, source=None)


PARSERS: Final[dict[str, Callable[[str], object]]] = {
    "a description of a project": described_project,
    "a document of dotenv": lambda text: document(text, Format.DOTENV),
    "a document of JSON": lambda text: document(text, Format.JSON),
    "a document of YAML": lambda text: document(text, Format.YAML),
    "a failed command": lambda text: error_of(StepResult(Step("x", shell_line("x")), 1, text, text, 0.0), "h"),
    "a file of Ansible Vault": ansible_vault,
    "a file of age": encrypted_file,
    "an identity of age": age_identity,
    "a known_hosts file": known_hosts_file,
    "a secret manager's JSON": lambda text: helpers.extract("KEY", text),
    "a secrets file": lambda text: dotenv.parse(text, substitute=lambda _: text, environment={}),
    "an ssh configuration": ssh_configuration,
    "details of a lock": lambda text: lock.parse_details(text).automatic,
    "evidence of a container": evidence,
    "programs on a port": port_holders.holders,
    "the proxy's container": lambda text: list(differing(proxy_facts.parse(text, text, text).container or {}, {})),
    "remembered versions": remembered_versions,
}
PIECES: Final = st.sampled_from(
    [
        *ANSWERS,
        *(
            "{",
            "}",
            "[",
            "]",
            '"',
            ":",
            ",",
            "\\",
            "\\u",
            "=",
            "|",
            "|1|",
            "'",
            "$(",
            ")",
            "#",
            "export ",
            " ",
            "\n",
            "\t",
        ),
        *("Host *\n", "Match exec ", "Port ", "10.0.0.1 ssh-ed25519 ", "@revoked ", "AAAA", "A=", "0100007F:1F90\n"),
        *('{"dependencies":', "[project]\n", "dependencies = ", "FROM x\n", "EXPOSE ", '"state":', '"Health":', "die "),
        "Locked by: a at b\n",
        "\udcff\udc80",
    ]
)


@pytest.mark.parametrize("name", PARSERS)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.lists(PIECES | st.text(max_size=20), max_size=6).map("".join))
def test_no_text_breaks_a_parser(name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and answers of others are understood, refused with an error of ours, or ignored."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with suppress(KamalError):
        PARSERS[name](text)


MANAGERS: Final[dict[str, object]] = {
    "aws": {"SecretValues": [{"Name": "v/i/f", "ARN": "a", "SecretString": "{}"}], "SecretBinary": "Yg==", "Name": "n"},
    "aws-ssm": {"Parameters": [{"Name": "v/i/f", "ARN": "a", "Value": "s"}], "InvalidParameters": []},
    "azure": {"value": "s", "attributes": {"enabled": True, "exp": 4070908800, "nbf": 1}, "error": {"code": "c"}},
    "aws_secrets_manager": {
        "Errors": [{"SecretId": "n", "Message": "m"}],
        "SecretValues": [{"Name": "n", "SecretString": "{}"}],
    },
    "bitwarden": {"status": "unlocked", "login": {"password": "p"}, "fields": [{"name": "f", "value": "s"}]},
    "bitwarden-sm": {"key": "k", "value": "s"},
    "doppler": {"f": {"computed": "s"}},
    "enpass": [{"title": "v/i", "label": "f", "password": "s"}],
    "gcp": {"payload": {"data": "Yg=="}},
    "gcp_api": {"payload": {"data": "Yg==", "dataCrc32c": "1"}, "error": {"details": [{"reason": "r"}]}},
    "infisical": {
        "secrets": [{"secretKey": "f", "secretValue": "s", "secretValueHidden": False, "type": "shared"}],
        "imports": [{"secrets": [{"secretKey": "g", "secretValue": "s"}]}],
    },
    "lastpass": [{"fullname": "v/i/f", "password": "s"}],
    "1password": {"reference": "op://v/i/f", "value": "s"},
    "passbolt": [{"id": "1", "name": "v", "password": "s"}],
    "vault": {
        "data": {"path": "v/", "type": "kv", "options": {"version": "2"}, "data": {"f": "s"}, "metadata": {}, "ttl": 1},
        "auth": {"client_token": "t", "lease_duration": 1, "num_uses": 1},
        "lease_id": "l",
        "lease_duration": 1,
        "value": "GitHub's ID token",
    },
}
"""An answer of each secret manager, as documented."""

WITHOUT_ACCOUNT: Final = ("aws", "aws-ssm", "azure", "gcp_api", "infisical", "vault")

ODD: Final[tuple[object, ...]] = (None, True, 7, "", "x", [], {}, [None], ["x"], {"x": "y"})


def mutations(document: object) -> Iterator[object]:
    """Yield the document with each of its parts replaced by each odd value, or left out."""
    yield from ODD
    if isinstance(document, dict | list):
        for key, part in document.items() if isinstance(document, dict) else enumerate(document):
            for odd in mutations(part):
                changed: Any = copy(document)
                changed[key] = odd
                yield changed
            rest: Any = copy(document)
            del rest[key]
            yield rest


@pytest.mark.parametrize("name", MANAGERS)
def test_no_document_breaks_a_secret_adapter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any document of a secret manager is understood, or refused with an error of ours."""
    answered = [b""]
    monkeypatch.setattr(tool, "run_program", lambda *_, **__: Ended(0, answered[0], b""))
    monkeypatch.setattr(Client, "request", lambda *_, **__: Answer(200, {}, answered[0]))
    monkeypatch.setattr(azure, "log_in", lambda *_, **__: Sensitive("t"))
    monkeypatch.setattr(gcp_api, "log_in", lambda *_, **__: Login(Sensitive("t"), None, None))
    monkeypatch.setenv("INFISICAL_TOKEN", "t")
    for variable in ("VAULT_JWT_ROLE", "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        monkeypatch.setenv(variable, "http://127.0.0.1/x")  # the login asks GitHub and Vault
    monkeypatch.setattr(URLLib3Session, "send", lambda *_: AWSResponse("", 200, {}, HTTPResponse(BytesIO(answered[0]))))
    monkeypatch.setattr(botocore.session, "Session", cache(botocore.session.Session))  # it reads megabytes of models
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(variable, "t")
    names = ["v/i/f", "v/i/g"] if name == "aws" else ["v/i/f"]  # one secret is no batch
    for document in mutations(MANAGERS[name]):
        answered[0] = json.dumps(document).encode()
        with suppress(KamalError):
            type(adapter(name))().fetch(names, account=None if name in WITHOUT_ACCOUNT else "a", source=None)


CHECKED: Final = {
    "cli/help.py": "the width of the terminal, errors caught",
    "cli/argument_parser.py": "an option, checked by a pattern",
    "cli/handlers/exec.py": "numbers of our own process, as the kernel writes them",
    "cli/framework_detection.py": "files of a project, fuzzed above",
    "cli/entry.py": "a variable of the environment, checked by a pattern",
    "core/answers.py": "the place for it",
    "core/host_strings.py": "a port, checked by a pattern",
    "operations/execution/evidence.py": "a port, checked by a pattern, fuzzed above",
    "operations/execution/port_holders.py": "a process, checked by a pattern, fuzzed above",
    "operations/execution/post_mortem.py": "ports, checked by a pattern, fuzzed above",
    "operations/hosts/proxy_facts.py": "the proxy's state, errors caught, fuzzed above",
    "operations/secret_scan/image_search.py": "an image's configuration, errors caught",
    "operations/secret_scan/repository.py": "sizes of Git, checked",
    "operations/secret_scan/tar_stream.py": "sizes, checked",
    "operations/proxy/boot_plan.py": "a version, checked by a pattern",
    "operations/proxy/container_options.py": "sizes, checked by a pattern",
    "secrets/adapters/aws_api.py": "a secret that may be JSON, errors caught, fuzzed above",
    "secrets/adapters/aws_secrets_manager.py": "a secret that may be JSON, errors caught, fuzzed above",
    "secrets/adapters/documents.py": "documents of files and programs, errors caught, fuzzed above",
    "secrets/adapters/http.py": "pauses and sizes, checked",
    "secrets/adapters/keyring_process.py": "a question of our own process, as it wrote it",
    "secrets/adapters/server_json.py": "a server's JSON, errors caught, fuzzed above",
    "secrets/adapters/tool.py": "a program's JSON, errors caught, fuzzed above",
    "secrets/helpers.py": "an adapter's JSON, errors caught, fuzzed above",
    "transport/script_output.py": "markers, checked",
    "transport/program.py": "numbers of processes, as the kernel writes them",
}
"""The modules that turn text into numbers or documents by themselves, and why that is safe."""

PARSING: Final = re.compile(
    r"\bint\((?!time\.|remaining|refused|reason)[^)]|\bfloat\((?![\"'m])|\bjson\.loads?\(|\btomllib\.loads?\(|fromisoformat\(|strptime\("
)
OF_OTHERS: Final = ("cli", "core", "operations", "secrets", "transport", "commands", "events")


def parsing_modules(folder: Path) -> list[str]:
    """List the modules that read foreign output; the configuration has a suite of its own."""
    paths = [path for package in OF_OTHERS for path in (folder / package).rglob("*.py")]
    return sorted(path.relative_to(folder).as_posix() for path in paths if PARSING.search(path.read_text()))


WITHOUT_ANSWERS: Final = {
    *("age", "ansible_vault", "environment_variables", "exec", "file", "keyring", "password_store", "sops"),
    "test",
}
"""Adapters that take values as they are, or documents of files, which are fuzzed above."""


def test_every_built_in_adapter_gets_odd_documents() -> None:
    assert {MODULES[name] for name in MANAGERS} == set(MODULES.values()) - WITHOUT_ANSWERS


def test_every_parser_is_known(tmp_path: Path) -> None:
    """Only `core/answers.py` and reviewed modules read foreign output; the test finds a new one."""
    assert parsing_modules(Path(pykamal.__file__).parent) == sorted(CHECKED)
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli" / "hole.py").write_text("count = int(result.captured)\n")
    assert parsing_modules(tmp_path) == ["cli/hole.py"]
