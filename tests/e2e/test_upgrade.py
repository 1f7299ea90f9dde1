"""Proxies that are too old, versions to roll back to, and the commands for single steps, on real servers."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time

import pytest

from pykamal.sandbox.host import Host
from pykamal.sandbox.sandbox import Sandbox
from tests.conftest import reset
from tests.e2e.application import KAMAL, Application

pytestmark = pytest.mark.e2e

OLD, NEW = "v0.8.0", "v0.9.2"
HOOKS = ("pre-proxy-reboot", "post-proxy-reboot")


@pytest.fixture(scope="module")
def application(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Application:
    """The example application with an accessory on one host, behind a proxy whose image is in the registry."""
    reset(sandbox)
    made = Application.create(tmp_path_factory.mktemp("upgrade") / "hello", sandbox)
    _publish_proxies(sandbox, made.hosts[0])
    made.configure(
        servers={"web": {"hosts": [made.hosts[0].address]}},
        accessories={
            "jobs": {
                "image": f"{sandbox.manifest.registry_server}/sandbox/python:3.11",
                "host": made.hosts[0].address,
                "cmd": "python3 -m http.server 9000",
                "options": {"init": True},
                "files": ["VERSION:/etc/version"],
                "directories": ["data:/data"],
            }
        },
    )
    for hook in HOOKS:
        made.hook(hook, f"echo {hook} $KAMAL_HOSTS >> hooks.log")
    _choose_proxy(made, NEW)
    made.commit("first")
    made.kamal("setup")
    return made


def _publish_proxies(sandbox: Sandbox, host: Host) -> None:
    """The sandbox's own proxy under the names of an old and a new release."""
    known = sandbox.manifest
    server = known.registry_server
    login = f"docker login {server} -u {known.registry_username} --password-stdin"
    lines = [f"echo {known.registry_password} | {login}"]
    for version in (OLD, NEW):
        name = f"{server}/acme/kamal-proxy:{version}"
        lines.append(f"docker tag basecamp/kamal-proxy:{NEW} {name} && docker push -q {name} && docker rmi {name}")
    host.run(["sh", "-ec", "\n".join([*lines, f"docker logout {server}"])])


def _choose_proxy(application: Application, version: str) -> None:
    run = {"registry": application.sandbox.manifest.registry_server, "repository": "acme/kamal-proxy"}
    health = {"path": "/up", "interval": 1}
    application.configure(proxy={"app_port": 8000, "healthcheck": health, "run": {**run, "version": version}})


def _proxy_version(host: Host) -> str:
    return host.docker("inspect", "kamal-proxy", "--format", "{{.Config.Image}}").strip().rpartition(":")[2]


def _hooks(application: Application) -> list[str]:
    log = application.folder / "hooks.log"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return lines


def _at_terminal(application: Application, answer: bytes, *arguments: str) -> tuple[int, str]:
    """Run `kamal` in a terminal and answer its question; exit code and output."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(KAMAL), *arguments],
        cwd=application.folder,
        env=application.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    output, asked, deadline = b"", False, time.monotonic() + 60
    while select.select([ours], [], [], max(0.0, deadline - time.monotonic()))[0]:
        try:
            output += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if b"[y, N]" in output and not asked:
            asked = True
            os.write(ours, answer)
    os.close(ours)
    return process.wait(10), output.decode()


def test_an_outdated_proxy_is_offered_an_upgrade(application: Application) -> None:
    """Issue 4: a question at a terminal, elsewhere an error that says what to do, or --upgrade-proxy does it."""
    (host, *_) = application.hosts
    served = application.version_served(host)
    _choose_proxy(application, OLD)
    application.kamal("proxy", "reboot", "-y")
    _choose_proxy(application, NEW)
    _hooks(application)

    for options in ([], ["--skip-push"]):
        refused = application.kamal("deploy", *options, expect=1).stdout
        assert "kamal-proxy version v0.8.0 is too old, run `kamal proxy reboot`" in refused
        assert "--upgrade-proxy" in refused
        assert ("Acquiring the deploy lock" in refused) == bool(options), "found before anything is built"

    code, output = _at_terminal(application, b"N\n", "proxy", "boot")
    assert (code, "kamal-proxy is too old: v0.8.0 on " in output) == (1, True), output
    assert "is too old, run `kamal proxy reboot`" in output
    assert (_proxy_version(host), _hooks(application)) == (OLD, [])
    assert not application.locked(host)

    code, output = _at_terminal(application, b"y\n", "proxy", "boot")
    assert code == 0, output
    assert _proxy_version(host) == NEW
    assert _hooks(application) == [f"{hook} {host.address}" for hook in HOOKS]
    assert application.version_served(host) == served, "the new proxy knows the old one's services"


def test_an_upgrade_that_the_configuration_prevents(application: Application) -> None:
    """With --upgrade-proxy nobody is asked; a configured version that is too old itself is named."""
    (host, *_) = application.hosts
    _choose_proxy(application, OLD)
    application.kamal("proxy", "reboot", "-y")
    refused = application.kamal("proxy", "boot", "--upgrade-proxy", expect=1).stdout
    assert "has version v0.8.0, which is too old as well" in refused
    assert "proxy/run/version" in refused
    _choose_proxy(application, NEW)
    application.kamal("proxy", "boot", "--upgrade-proxy")
    assert _proxy_version(host) == NEW


def test_rollback_without_a_version_lists_what_there_is(application: Application) -> None:
    """Issue 4: by host, with age and what runs; then going back works with what was listed. Redeploy prunes."""
    (host, *_) = application.hosts
    first = application.git("rev-parse", "HEAD")
    shown = application.kamal("rollback", "--version", first).stdout
    assert "There is no other version on every host to roll back to" in shown
    second = application.commit("second")
    application.kamal("redeploy")
    assert "Pruned containers" in host.read("/root/.kamal/hello-audit.log").splitlines()[-2]

    shown = application.kamal("rollback").stdout
    rows = [line.split() for line in shown.splitlines() if line.startswith("web ")]
    assert [(row[1], row[-2:]) for row in rows] == [(second, ["running", "(current)"]), (first, ["ago", "exited"])]
    assert f"`kamal rollback VERSION` goes to one that every host has: {first}" in shown
    assert f"Rolling back to {first}" in application.kamal("rollback", first[:7]).stdout
    assert application.version_served(host) == first


def test_a_lock_that_is_gone_at_the_end(application: Application) -> None:
    """spec/cli.md 8.2: the body is done, but it was not alone for all of its time; exit code 1."""
    application.hook("pre-app-boot", f"{KAMAL} lock release")
    told = application.kamal("app", "boot", expect=1).stdout
    (application.folder / ".kamal" / "hooks" / "pre-app-boot").unlink()
    assert "ERROR (Kamal::Cli::Base::LockMissingError): The deploy lock was released by somebody else" in told
    assert application.version_served(application.hosts[0]) == "latest"


def test_upgrade_from_kamal_1(application: Application) -> None:
    """spec/cli.md 13.7: proxy, app and accessories anew, host by host, between the hooks; the app as latest."""
    (host, *_) = application.hosts
    _hooks(application)
    labels = ("--label", "service=blog", "--label", "role=web", "--label", "destination")
    for name, flags in (("traefik", ()), ("blog-web-1", labels)):
        host.docker("run", "--detach", "--init", "--name", name, *flags, "sandbox/python:3.11", "sleep", "9999")
    output = application.kamal("upgrade", "-y", "--rolling").stdout
    host.docker("rm", "--force", "traefik", "blog-web-1")
    assert f"Traefik goes away on {host.address}, and with it what it serves of blog" in output
    said = [line for line in output.splitlines() if line.startswith(("Upgrading", "Upgraded"))]
    assert said == [
        f"Upgrading {host.address}...",
        f"Upgrading proxy on {host.address}...",
        f"Upgraded proxy on {host.address}",
        f"Upgrading all accessories on {host.address}...",
        f"Upgraded all accessories on {host.address}...",
        f"Upgraded {host.address}",
    ]
    assert _hooks(application) == [f"{hook} {host.address}" for hook in HOOKS]
    assert application.version_served(host) == "latest"
    assert {"hello-web-latest", "hello-jobs", "kamal-proxy"} <= set(application.containers(host))
    assert not application.locked(host)
    assert "Aborted" in application.kamal("upgrade", expect=1).stdout


def test_boot_config(application: Application) -> None:
    """spec/cli.md 14.7: what is set is what the proxy would be started with, and is forgotten again."""
    (host, *_) = application.hosts

    def shown() -> str:
        return application.kamal("proxy", "boot_config", "get", "-q").stdout.strip()

    defaults = "--publish 80:80 --publish 443:443 --log-opt max-size=10m basecamp/kamal-proxy:v0.9.2"
    assert shown() == f"Host {host.address}: {defaults}"
    options = ["--publish=false", "--metrics-port", "9000", "--debug", "--registry", "r.example", "--log-max-size="]
    application.kamal("proxy", "boot-config", "set", *options, "--docker-options", "cpus=1", "memory=1g")
    started = 'r.example/basecamp/kamal-proxy:v0.9.2 kamal-proxy run --debug --metrics-port "9000"'
    assert shown() == f"Host {host.address}: --expose=9000 --cpus=1 --memory=1g {started}"
    application.kamal("proxy", "boot_config", "set", "--publish-host-ip", "1.2.3.4", "--publish-host-ip", "::1")
    assert "--publish 1.2.3.4:80:80 --publish 1.2.3.4:443:443 --publish [::1]:80:80" in shown()
    output = application.kamal("proxy", "boot_config", "reset").stdout
    assert output.startswith("The proxy boot_config command is deprecated")
    assert shown() == f"Host {host.address}: {defaults}"
    assert host.run(["ls", "/root/.kamal/proxy"]).split() == ["apps-config"]


def test_single_steps(application: Application) -> None:
    """spec/cli.md 12.2 to 12.4, hidden commands: each does its part and leaves its audit line."""
    (host, *_) = application.hosts
    host.run(["rm", "-rf", "/root/hello-jobs"])
    log = "/root/.kamal/hello-audit.log"
    before = len(host.read(log).splitlines())
    for command in (
        *("accessory upload jobs", "accessory directories jobs", "accessory pull_image jobs", "accessory stop jobs"),
        *("accessory remove_container jobs", "accessory remove_image jobs"),
    ):
        application.kamal(*command.split())
    assert host.exists("/root/hello-jobs/etc/version")
    assert host.exists("/root/hello-jobs/data")
    application.kamal("accessory", "remove_service_directory", "jobs")
    assert not host.exists("/root/hello-jobs")

    missing = application.kamal("app", "remove_container", "nope", expect=1).stdout
    assert "There is no container hello-web-nope" in missing
    for command in (
        *("app stop", "app remove_container latest", "app remove_containers", "app remove_images"),
        *("app remove_app_directories", "proxy stop", "proxy remove_container", "proxy remove_image"),
    ):
        application.kamal(*command.split())
    assert application.containers(host, "--all") == []
    assert not host.exists("/root/.kamal/apps/hello")
    lines = [line.partition("example.com] ")[2] for line in host.read(log).splitlines()[before:]]
    assert lines == [
        *("Pull jobs accessory image", "Stopped jobs accessory", "Remove jobs accessory container"),
        *("Removed jobs accessory image", "[web] Stopped app", "[web] Removed app container with version latest"),
        *("[web] Removed all app containers", "Removed all app images", "Removed .kamal/apps/hello"),
        *("Stopped proxy", "Removed proxy container", "Removed proxy image"),
    ]
    application.kamal("proxy", "remove_proxy_directory")
    assert not host.exists("/root/.kamal/proxy")
