"""Rules that hold for every line of every area."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from pykamal.commands import (
    accessory,
    app,
    assets,
    audit,
    builder,
    docker,
    env_file,
    evidence,
    git,
    health,
    hooks,
    host_files,
    lock,
    proxy,
    prune,
    registry,
    server,
    withdrawal,
)
from pykamal.commands.command import Command
from pykamal.commands.logs import LogSelection
from pykamal.config.models import (
    Accessory,
    AssetPath,
    Builder,
    Buildpacks,
    Directory,
    Env,
    File,
    Proxy,
    ProxyRun,
    Registry,
    Ssl,
)
from pykamal.core.sensitive import Sensitive
from tests.unit.samples import config, role

pytestmark = pytest.mark.unit

SECRET = "s3cr3t 'quoted' \"twice\" $HOME `x`\nsecond line"
ODD = 'it\'s `odd` $HOME "text" ${HOME} é\n\\'

WEB = replace(
    role("web", "10.0.0.1"),
    env=Env({"A": ODD}),
    labels={"l": ODD},
    options={"o": ODD},
    asset_path=AssetPath("/a b"),
    proxy=Proxy(hosts=(ODD,), ssl=Ssl("C", "K"), run=ProxyRun(options={"x": ODD})),
)
DB = Accessory(
    "db",
    "app-db",
    "mysql",
    ("h",),
    env=Env({"A": ODD}),
    files=(File("a", "/b"),),
    directories=(Directory("d", "/e", "0700", "o"),),
    proxy=Proxy(),
)
GIVEN = Builder(("amd64", "arm64"), remote="ssh://h", args={"ARG": SECRET}, secrets=("S",))
CONFIG = config(WEB, accessories=(DB,), registry=Registry("ghcr.io"), builder=GIVEN, error_pages_path="public")
PACK = replace(CONFIG, builder=Builder(("amd64",), pack=Buildpacks("b"), args={"ARG": SECRET}))
SENSITIVE = Sensitive(SECRET)

WITH_SECRET = [
    registry.login("ghcr.io", SENSITIVE, SENSITIVE),
    host_files.write("f", env_file.encode([("K", SENSITIVE)]), "0600"),
    host_files.write("f", SENSITIVE, "0600"),
    builder.push(CONFIG, "v1", local_arch="amd64"),
    builder.push(PACK, "v1"),
]
LINES = [
    *WITH_SECRET,
    audit.record(CONFIG, ODD, who=ODD, role=WEB),
    audit.tail(CONFIG),
    lock.acquire(CONFIG, ODD),
    lock.release(CONFIG),
    lock.status(CONFIG),
    server.can_administer(),
    server.install_docker_packages(),
    server.install_docker_script(),
    server.in_docker_group(),
    server.add_to_docker_group(),
    docker.create_network(),
    docker.inspect_label(CONFIG, "i"),
    docker.mirrors(),
    registry.start_local(5555),
    registry.remove_local(),
    app.run(CONFIG, WEB, "10.0.0.1", "v1", hostname_suffix="00"),
    app.stop(WEB, "v1"),
    app.stop_current(CONFIG, WEB),
    app.current_version(CONFIG, WEB),
    app.exec_new(CONFIG, WEB, "10.0.0.1", "v1", "ls", suffix="00", env={"E": ODD}),
    app.exec_existing(WEB, "v1", "ls", env={"E": ODD}),
    app.logs(CONFIG, WEB, LogSelection(grep=ODD)),
    app.logs(CONFIG, WEB, LogSelection(grep=ODD), follow=True),
    app.stop_known(WEB, "v1"),
    evidence.state("app-web-v1"),
    evidence.deaths("app-web-v1"),
    evidence.listeners("app-web-v1"),
    evidence.processes("app-web-v1"),
    evidence.failed_checks("app-web-v1", port=80),
    evidence.port_holders([80, 443]),
    health.listening("app-web-v1", port=80),
    health.wait("app-web-v1", deploy_timeout=1, readiness_delay=1),
    health.still_up("app-web-v1", deploy_timeout=1, readiness_delay=1),
    health.wait_steady("app-db", deploy_timeout=1, new=False),
    withdrawal.stop_unless_serving(WEB, "v1"),
    assets.extract(CONFIG, WEB, "v1"),
    assets.synchronize(CONFIG, WEB, "v1", "v0"),
    assets.clean_up(CONFIG, WEB, "v1"),
    assets.clean_up_error_pages(CONFIG, "v1"),
    proxy.start_or_run(CONFIG, "10.0.0.1"),
    proxy.start_or_run(CONFIG, "other"),
    proxy.deploy_role(CONFIG, WEB, "v1"),
    proxy.deploy_accessory(CONFIG, DB, "v1"),
    proxy.stop("s", drain_timeout=1, message=ODD),
    proxy.logs(LogSelection(grep=ODD)),
    proxy.version(),
    proxy.remove_traefik(),
    proxy.container_stop(),
    accessory.run(CONFIG, DB, "h"),
    accessory.exec_new(CONFIG, DB, "ls", suffix="00"),
    *accessory.make_directories(DB),
    prune.containers(CONFIG, 5),
    prune.dangling_images(CONFIG),
    prune.tagged_images(CONFIG),
    *filter(None, (builder.inspect(CONFIG, "amd64"), builder.create(CONFIG, "amd64"), builder.remove(CONFIG, "amd64"))),
    builder.info(CONFIG, "amd64"),
    builder.check_docker(),
    *git.reset("/r", "/d", "abc").values(),
    hooks.run(".kamal/hooks/a b"),
]


@pytest.mark.process
@pytest.mark.parametrize("shell", [["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"]], ids=" ".join)
def test_shells_accept_every_line(shell: list[str]) -> None:
    """spec/cli.md 6.1: the server's shell interprets the string, whichever it is."""
    for line in LINES:
        result = subprocess.run([*shell, "-n"], input=line.shell_text().encode(), capture_output=True, check=False)
        assert (result.returncode, result.stderr) == (0, b""), line


@pytest.mark.parametrize("line", WITH_SECRET, ids=Command.display_text)
def test_secrets_are_sent_and_never_shown(line: Command) -> None:
    """spec/cli.md 6.6: redacted where it is shown, real where it is sent."""
    assert "s3cr3t" in line.shell_text()
    assert "s3cr3t" not in line.display_text()
    assert "s3cr3t" not in repr(line)


def test_lines_are_values() -> None:
    """design.md, rule 1: equal input gives an equal line; nothing is random."""
    first = app.run(CONFIG, WEB, "10.0.0.1", "v1", hostname_suffix="00")
    assert first == app.run(CONFIG, WEB, "10.0.0.1", "v1", hostname_suffix="00")
    assert first.shell_text() == app.run(CONFIG, WEB, "10.0.0.1", "v1", hostname_suffix="00").shell_text()
