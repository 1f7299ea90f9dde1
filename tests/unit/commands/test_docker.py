"""Lines about the engine, registries, pruning and servers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pykamal.commands import docker, registry, server
from pykamal.commands.command import Command, Effect
from pykamal.config.models import Registry
from pykamal.core.sensitive import Sensitive
from tests.unit.commands.shell import SHELLS, run
from tests.unit.samples import config, role

pytestmark = pytest.mark.unit

CONFIG = config(role("web", "10.0.0.1"), registry=Registry("ghcr.io"))
IMAGE = "ghcr.io/acme/app:v1"


@pytest.mark.parametrize(
    ("line", "expected", "may_fail"),
    [
        (docker.pull(IMAGE), f"docker pull {IMAGE}", False),
        (docker.tag(IMAGE, "x:latest"), f"docker tag {IMAGE} x:latest", False),
        (
            docker.inspect_label(CONFIG, IMAGE),
            (
                f"docker inspect -f '{{{{ .Config.Labels.service }}}}' {IMAGE} | grep -x app "
                f"|| (echo \"Image {IMAGE} is missing the 'service' label\" && exit 1)"
            ),
            False,
        ),
        (docker.mirrors(), "docker info --format '{{index .RegistryConfig.Mirrors 0}}'", True),
        (registry.logout("ghcr.io"), "docker logout ghcr.io", False),
        (registry.logout(None), "docker logout", False),
        (
            registry.start_local(5555),
            (
                "docker start kamal-docker-registry || docker run --detach -p 127.0.0.1:5555:5000 "
                "--name kamal-docker-registry registry:3"
            ),
            False,
        ),
        (registry.remove_local(), "docker stop kamal-docker-registry && docker rm kamal-docker-registry", True),
        (server.count_apps(), "ls .kamal/apps | wc -l", False),
        (server.remove_app_directory(CONFIG), "rm -r .kamal/apps/app", True),
        (server.docker_version(), "docker -v", True),
        (server.use_docker(), "docker version --format '{{.Server.Version}}'", True),
        (
            server.can_administer(),
            '[ "${EUID:-$(id -u)}" -eq 0 ] || sudo -nl usermod >/dev/null',
            True,
        ),
        (server.is_root(), '[ "${EUID:-$(id -u)}" -eq 0 ]', True),
        (
            server.install_docker_script(),
            "sh -c 'curl -fsSL https://get.docker.com || wget -O - https://get.docker.com || echo \"exit 1\"' | sh",
            False,
        ),
        (server.in_docker_group(), 'id -nG "${USER:-$(id -un)}" | grep -qw docker', True),
        (server.add_to_docker_group(), 'sudo -n usermod -aG docker "${USER:-$(id -un)}"', False),
    ],
)
def test_lines(line: Command, expected: str, may_fail: bool) -> None:
    """spec/cli.md 14.1, 14.9 and 15.4: lines and marks F."""
    assert (line.display_text(), line.may_fail) == (expected, may_fail)


def test_what_only_reads() -> None:
    """design.md, rule 2: reads are known from changes."""
    reads = [docker.inspect_label(CONFIG, IMAGE), docker.mirrors(), server.count_apps(), server.can_administer()]
    changes = [docker.create_network(), docker.pull(IMAGE), docker.tag(IMAGE, "x:latest")]
    assert all(line.effect is Effect.READ for line in reads)
    assert all(line.effect is Effect.CHANGE for line in changes)


ENGINE = """
docker() {
  case "$1 $2" in
    "network inspect") test -e "$3" && echo "[]" || { echo "network $3 not found" >&2; return 1; } ;;
    "network create") CREATE ;;
  esac
}
"""


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("create", "there", "status"),
    [
        ('touch "$3"; echo id', False, 0),
        ("echo unreachable; return 1", True, 0),
        ('touch "$3"; return 1', False, 0),
        ('echo "no space" >&2; return 1', False, 1),
    ],
)
def test_network(shell: str, create: str, there: bool, status: int, tmp_path: Path) -> None:
    """spec/cli.md 14.7, 20.2: one command makes the network, silent when it is there, also when somebody was faster."""
    if there:
        (tmp_path / "kamal").touch()
    line = ENGINE.replace("CREATE", create) + docker.create_network().shell_text()
    result = run(line, directory=tmp_path, shell=shell)
    assert (result.returncode, result.stdout) == (status, b"")
    assert (b"no space" in result.stderr) is (status == 1)


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("label", "status"), [("app", 0), ("apple", 1), ("", 1)])
def test_label(shell: str, label: str, status: int) -> None:
    """spec/cli.md 15.4: the image's label is the service exactly."""
    result = run(f"docker() {{ echo {label}; }}\n{docker.inspect_label(CONFIG, IMAGE).shell_text()}", shell=shell)
    assert result.returncode == status
    assert (b"is missing the 'service' label" in result.stdout) is (status == 1)


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
def test_login_keeps_the_password_off_the_command_line(shell: str) -> None:
    """spec/cli.md 22, quirk 24: `--password-stdin`; user and password are redacted."""
    line = registry.login("ghcr.io", Sensitive("jane"), Sensitive("pa$$ 'word`"))
    assert line.display_text() == "printf '%s' [REDACTED] | docker login ghcr.io -u [REDACTED] --password-stdin"
    result = run('docker() { echo "$*"; cat; }\n' + line.shell_text(), shell=shell)
    assert result.stdout == b"login ghcr.io -u jane --password-stdin\npa$$ 'word`"


def test_login_to_docker_hub() -> None:
    """spec/config.md 6.2: without a server the argument is omitted."""
    line = registry.login(None, "jane", "x")
    assert line.display_text() == "printf '%s' [REDACTED] | docker login -u \"jane\" --password-stdin"


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("manager", "called"),
    [
        ("apt-get", "apt-get install -y -q docker.io"),
        ("apk", "apk add docker"),
        ("dnf", "dnf install -y moby-engine"),
        ("none", ""),
    ],
)
def test_packages(shell: str, manager: str, called: str, tmp_path: Path) -> None:
    """server.install_docker_packages: the host's own package manager, or a failure that leads to the next way."""
    tools = ("apt-get", "apk", "dnf", "service", "rc-update", "systemctl")
    for tool in (name for name in tools if name == manager or name in tools[3:]):
        (tmp_path / tool).write_text(f'#!/bin/sh\necho "{tool} $*"\n')
        (tmp_path / tool).chmod(0o755)
    line = f"PATH={tmp_path}; EUID=0; id() {{ echo 0; }}\n" if shell == "dash" else f"PATH={tmp_path}\n"
    result = run(line + server.install_docker_packages().shell_text(), shell=shell)
    assert called in result.stdout.decode()
    assert (result.returncode == 0) is (manager != "none")


@pytest.mark.process
def test_packages_by_sudo(tmp_path: Path) -> None:
    """server.install_docker_packages: a user who is not root installs through sudo, if that asks for no password."""
    (tmp_path / "sudo").write_text('#!/bin/sh\necho "sudo $*"\n')
    (tmp_path / "sudo").chmod(0o755)
    line = f"PATH={tmp_path}; id() {{ echo 1000; }}\n{server.install_docker_packages().shell_text()}"
    assert "sudo -n sh -c { command -v apt-get" in run(line, shell="dash").stdout.decode()


@pytest.mark.process
def test_a_login_that_is_stored_already_is_not_repeated(tmp_path: Path) -> None:
    """A host that holds exactly this user and password needs no conversation with the registry; any other logs in."""
    (tmp_path / "config.json").write_text(
        '{\n\t"auths": {\n\t\t"ghcr.io": {\n\t\t\t"auth": "amFuZTp4eXp6eQ=="\n\t\t},\n'
        '\t\t"other.io": {\n\t\t\t"auth": "b3RoZXI6eHl6enk="\n\t\t}\n\t}\n}'
    )
    (tmp_path / "docker").write_text("#!/bin/sh\necho logged in\n")
    (tmp_path / "docker").chmod(0o755)
    environment = {"DOCKER_CONFIG": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}

    def said(server: str, password: str) -> str:
        line = registry.ensure_login(server, Sensitive("jane"), Sensitive(password))
        assert password not in line.display_text()
        done = subprocess.run(
            ["sh", "-s"], input=line.shell_text(), capture_output=True, text=True, env=environment, check=True
        )
        return done.stdout

    assert said("ghcr.io", "xyzzy") == ""
    assert said("ghcr.io", "plugh") == "logged in\n"
    assert said("other.io", "xyzzy") == "logged in\n"
    assert said("nowhere.io", "xyzzy") == "logged in\n"
