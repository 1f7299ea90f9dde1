"""The context that a command line leads to."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from pykamal.cli.aliases import expand
from pykamal.cli.argument_parser import parse
from pykamal.cli.exec_ssh import become_ssh
from pykamal.cli.loading import load
from pykamal.cli.runner import settings_of
from pykamal.cli.table import command_row
from pykamal.commands.command import command
from pykamal.core.diagnostics import Diagnostic
from pykamal.core.errors import SecretNotFound, UsageError
from pykamal.core.sensitive import Sensitive
from pykamal.events import Bus
from pykamal.operations.context import Settings
from pykamal.operations.run import key_texts
from pykamal.secrets.store import Secrets

pytestmark = pytest.mark.unit

CONFIG = """\
service: app
image: me/app
servers: [127.0.0.1]
registry:
  username: me
  password:
    - REGISTRY_PASSWORD  # REGISTRY_PASSWORD
builder: {arch: amd64}
aliases:
  console: app exec -i --reuse "bin/rails console"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KAMAL_DESTINATION", raising=False)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "deploy.yml").write_text(CONFIG)
    return tmp_path


def test_settings_are_the_global_options() -> None:
    """Each global option reaches the operations (cli.md 1.4)."""
    line = (
        "--version 1 -p -h a,b -r web -c x.yml -d staging -H --lock-wait --lock-wait-timeout 5 "
        "--lock-wait-interval 2 -v"
    )
    assert settings_of(parse(command_row("deploy"), shlex.split(line))) == Settings(
        version="1",
        hosts="a,b",
        roles="web",
        primary=True,
        skip_hooks=True,
        lock_wait=True,
        lock_wait_timeout=5,
        lock_wait_interval=2,
        verbosity="verbose",
        config_file="x.yml",
        destination="staging",
    )


def test_a_missing_secret_names_the_line_that_asks_for_it(project: Path) -> None:
    """The first mention of the name in the configuration (config.md 1.6)."""
    secrets = load(parse(command_row("config"), [])).secrets
    with pytest.raises(SecretNotFound) as caught:
        secrets["REGISTRY_PASSWORD"]
    assert caught.value.hint == "add REGISTRY_PASSWORD=... to .kamal/secrets (config/deploy.yml:7:7 asks for it)"


def test_secrets_that_are_read_are_shown_nowhere(project: Path) -> None:
    """The mission: an app that prints its password at its end does not print it into the error that explains it."""
    (project / ".kamal").mkdir()
    (project / ".kamal" / "secrets").write_text("REGISTRY_PASSWORD=hush-hush\n")
    shown: list[str] = []
    invocation = replace(parse(command_row("config"), []), bus=Bus(lambda event: shown.append(str(event))))
    secrets = load(invocation).secrets
    invocation.bus.log("before: hush-hush")
    assert secrets["REGISTRY_PASSWORD"]
    invocation.bus.log("after: hush-hush")
    assert ["hush-hush" in text for text in shown] == [True, False]


def test_aliases_are_split_like_a_shell_does(project: Path) -> None:
    """Quotes keep words together; `-c` selects the file (cli.md 10)."""
    assert expand("console", []) == ["app", "exec", "-i", "--reuse", "bin/rails console"]
    assert expand("nothing", []) is None
    assert expand("console", ["-c", "elsewhere.yml"]) is None
    assert expand("console", ["--", "ls", "-d", "/tmp", "-c", "elsewhere.yml"]) == expand("console", [])
    (project / "broken.yml").write_text('aliases: {broken: app exec "}\n')
    with pytest.raises(UsageError, match="Alias broken cannot be split into words"):
        expand("broken", ["-c", "broken.yml"])


def test_the_terminal_is_handed_to_ssh(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is replaced by the ssh of deploy.yml; the line that is logged hides secrets (cli.md 7.1)."""
    path = project / "config" / "deploy.yml"
    path.write_text(CONFIG + "ssh: {user: deploy, proxy: jump}\n")
    config = load(parse(command_row("config"), [])).config
    became: list[str] = []
    shown: list[str] = []
    monkeypatch.setattr("os.execvp", lambda program, arguments: became.extend(arguments))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    bus = Bus(lambda event: shown.append(str(event)))

    become_ssh(config, "me@10.0.0.1:2222", command("docker", "exec", "-it", "a b", Sensitive("hush")), bus)

    assert became[:3] == ["ssh", "-J", "root@jump"]
    assert became[-5:] == ["-t", "me@10.0.0.1", "-p", "2222", "docker exec -it 'a b' hush"]
    assert len(shown) == 1
    assert "hush" not in shown[0]
    assert "[REDACTED]" in shown[0]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ('"~/.ssh/own"', ["-F", "HOME/.ssh/own"]),
        ("[nowhere, ~/.ssh/own]", ["-F", "HOME/.ssh/own"]),
        ("nowhere", ["-F", "/dev/null"]),
        ("true", []),
    ],
)
def test_the_client_configuration_of_ssh(
    project: Path, monkeypatch: pytest.MonkeyPatch, setting: str, expected: list[str]
) -> None:
    """`ssh -F` expands no `~` and ends for a file that is not there; both are as for our own connections."""
    monkeypatch.setenv("HOME", str(project))
    (project / ".ssh").mkdir()
    (project / ".ssh" / "own").touch()
    for jump in ("", "proxy: jump, "):
        policy = "x-pykamal: {ssh: {host_key_policy: strict}}\n"  # so that the jump host's ssh gets the option as well
        (project / "config" / "deploy.yml").write_text(f"{CONFIG}ssh: {{{jump}config: {setting}}}\n{policy}")
        config = load(parse(command_row("config"), [])).config
        became: list[str] = []
        monkeypatch.setattr("os.execvp", lambda program, arguments, became=became: became.extend(arguments))
        become_ssh(config, "10.0.0.1", command("ls"), Bus())
        words = [word.replace("HOME", str(project)) for word in expected]
        assert became[1 : 1 + len(words)] == words
        if jump:
            (proxy,) = [word for word in became if word.startswith("ProxyCommand=")]
            assert " ".join(words) in proxy
        assert not any("~" in word for word in became)


@pytest.mark.process
def test_several_client_configurations(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """spec/cli.md 7: each of the list counts, the first one before the next; `ssh` itself heeds its last `-F` alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first, second = project / "first one", project / "second"
    first.write_text("Host other\n  Port 1\nHost 10.0.0.1\n  User ada\n")
    second.write_text("Host *\n  User bob\n  Compression yes\n")
    (project / "config" / "deploy.yml").write_text(f"{CONFIG}ssh: {{config: [first one, nowhere, {second}]}}\n")
    config = load(parse(command_row("config"), [])).config
    became: list[str] = []
    monkeypatch.setattr("os.execvp", lambda program, arguments: became.extend(arguments))
    become_ssh(config, "10.0.0.1", command("ls"), Bus())
    assert became.count("-F") == 1
    asked = ["ssh", "-G", *became[1 : became.index("-F") + 2], "10.0.0.1"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {"user ada", "compression yes"} <= set(told)


def test_a_client_configuration_that_is_not_there(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A warning with the place: connections are made without it, as by Ruby Kamal."""
    (project / "config" / "deploy.yml").write_text(CONFIG + "ssh: {config: nowhere}\n")
    load(parse(command_row("config"), []))
    assert capsys.readouterr().err == (
        "warning: config/deploy.yml:11:15: ssh/config: there is no file nowhere; connections are made without it "
        "[missing-ssh-config]\n"
    )


def test_keys_in_deploy_yml_are_deprecated(project: Path) -> None:
    """spec/config.md 10: an entry of `key_data` that names no secret is a key, with a warning."""
    (project / ".kamal").mkdir()
    (project / ".kamal" / "secrets").write_text("SSH_KEY=a-key\n")
    (project / "config" / "deploy.yml").write_text(CONFIG + "ssh: {key_data: [SSH_KEY, -----BEGIN]}\n")
    config = load(parse(command_row("config"), [])).config
    warned: list[Diagnostic] = []
    assert [key.reveal() for key in key_texts(config, Secrets(warn=warned.append))] == ["a-key", "-----BEGIN"]
    assert [warning.identifier for warning in warned] == ["inline-key"]
