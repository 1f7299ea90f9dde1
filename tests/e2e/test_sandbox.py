"""The sandbox keeps its promises: real separate servers, controllable faults, nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from pykamal.core.errors import SandboxError
from pykamal.sandbox.host import Host
from pykamal.sandbox.manifest import load
from pykamal.sandbox.namespaces import NamespaceProvider
from pykamal.sandbox.paths import home
from pykamal.sandbox.sandbox import Sandbox
from tests.e2e.application import Application

pytestmark = pytest.mark.e2e


def over_ssh(sandbox: Sandbox, host: Host, command: str, *, user: str = "root") -> subprocess.CompletedProcess[str]:
    argv = ["ssh", "-F", str(sandbox.paths.ssh_config), "-o", "BatchMode=yes", "-o", "ConnectTimeout=3"]
    return subprocess.run(
        [*argv, "-l", user, host.address, command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def wait_for(url: str) -> str:
    deadline = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                text: str = answer.read().decode()
                return text
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def test_hosts_are_separate_servers(sandbox: Sandbox, fresh_hosts: list[Host]) -> None:
    """Each host has its own files, engine and host name; what one does the other does not see (spec/lab.md, way A)."""
    first, second = fresh_hosts
    assert over_ssh(sandbox, first, "hostname; touch /root/here /etc/here").stdout.strip() == f"{sandbox.name}-h1"
    first.docker("volume", "create", "mine")
    assert first.exists("/etc/here")
    assert not second.exists("/root/here")
    assert not second.exists("/etc/here")
    assert not Path("/etc/here").exists()
    assert "mine" in first.docker("volume", "ls")
    assert "mine" not in second.docker("volume", "ls")


def test_reset_makes_a_host_new_again(sandbox: Sandbox, fresh_hosts: list[Host]) -> None:
    """Containers, images, networks, volumes and Kamal's files go; the prepared images stay."""
    host = fresh_hosts[0]
    listing = ("image", "ls", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}")
    before = sorted(host.docker(*listing).splitlines())
    host.docker("tag", "sandbox/python:3.11", "mine:1")
    host.docker("network", "create", "kamal")
    host.docker("run", "-d", "--network", "kamal", "-v", "data:/data", "mine:1", "sleep", "60")
    host.write("/root/.kamal/lock-app/details", "locked")
    host.docker("tag", "sandbox/python:3.11", "basecamp/kamal-proxy:v0.9.2")
    host.reset()
    assert host.docker("ps", "-aq") == ""
    assert host.docker("volume", "ls", "-q") == ""
    assert "kamal" not in host.docker("network", "ls", "--format", "{{.Name}}").split()
    assert sorted(host.docker(*listing).splitlines()) == before
    assert not host.exists("/root/.kamal")


def test_example_application_runs_and_stops_at_once(sandbox: Sandbox, fresh_hosts: list[Host]) -> None:
    """Built here, pushed with the password, pulled there: it answers, says its version, and an idle one stops fast."""
    host = fresh_hosts[0]
    reference = sandbox.build_app(Path(__file__).parents[2] / "examples" / "hello", "hello/app:trial")
    refused = host.docker("pull", reference, check=False)
    assert refused == "", "the registry gives nothing without its password"
    found = sandbox.manifest
    host.docker("login", found.registry_server, "-u", found.registry_username, "-p", found.registry_password)
    host.docker("pull", reference)
    host.docker("run", "-d", "--name", "hello", "-e", "KAMAL_VERSION=trial", "-p", "80:8000", reference)
    version = json.loads(wait_for(f"http://{host.address}/version"))
    assert version["version"] == "trial"
    host.docker("stop", "--time", "5", "hello")
    assert host.docker("inspect", "-f", "{{.State.ExitCode}}", "hello").strip() == "0", "it ended by itself"


def test_broken_application_is_never_healthy(fresh_hosts: list[Host], sandbox: Sandbox) -> None:
    """HEALTHY=false makes a version whose /up answers 500 while the rest works; its log says why."""
    host = fresh_hosts[0]
    reference = sandbox.build_app(Path(__file__).parents[2] / "examples" / "hello", "hello/app:trial", push=False)
    archive = sandbox.paths.root / "hello.tar"
    sandbox.docker("save", "-o", str(archive), reference)
    host.engine.load(archive)
    host.docker("run", "-d", "--name", "hello", "-e", "HEALTHY=false", "-p", "80:8000", reference)
    assert "Hello" in wait_for(f"http://{host.address}/")
    with pytest.raises(urllib.error.HTTPError, match="500"):
        urllib.request.urlopen(f"http://{host.address}/up", timeout=2)
    assert "ERROR" in host.docker("logs", "hello")


def test_host_without_docker(sandbox: Sandbox, fresh_hosts: list[Host]) -> None:
    """A host can lose Docker and get it back; the machine and the other host keep theirs."""
    first, second = fresh_hosts
    first.remove_docker()
    assert over_ssh(sandbox, first, "docker -v").returncode == 127
    assert over_ssh(sandbox, second, "docker -v").returncode == 0
    assert Path("/usr/bin/docker").exists()
    first.restore_docker()
    assert over_ssh(sandbox, first, "docker ps").returncode == 0


def test_full_disk(sandbox: Sandbox, fresh_hosts: list[Host]) -> None:
    """Writes to a full disk fail with the kernel's own error and reads work; afterwards the disk is free again."""
    host = fresh_hosts[0]
    host.write("/root/.kamal/app.env", "A=1\n")
    host.fill_disk("/root/.kamal")
    full = over_ssh(sandbox, host, "cat /root/.kamal/app.env; echo more text > /root/.kamal/other")
    assert full.stdout == "A=1\n"
    assert "No space left on device" in full.stderr
    host.free_disk("/root/.kamal")
    assert over_ssh(sandbox, host, "echo more text > /root/.kamal/other").returncode == 0


def test_full_engine_disk(sandbox: Sandbox, fresh_hosts: list[Host]) -> None:
    """An engine whose disk is full runs, lists and cannot import."""
    host = fresh_hosts[0]
    host.fill_disk("/var/lib/docker")
    assert "sandbox/python" in host.docker("images")
    failed = over_ssh(sandbox, host, "head -c 20000000 /dev/zero > /tmp/zero; tar c /tmp/zero | docker import - big")
    assert "no space left on device" in failed.stderr
    host.free_disk("/var/lib/docker")
    assert "sandbox/python" in host.docker("images")


def test_ssh_as_another_user(sandbox: Sandbox, fresh_hosts: list[Host]) -> None:
    """A user who is not root logs in with the same key, uses Docker through its group, and may become root."""
    host = fresh_hosts[0]
    host.add_user("deploy")
    done = over_ssh(sandbox, host, "id -un; docker ps -q && sudo -n id -un", user="deploy")
    assert done.stdout.split() == ["deploy", "root"]


def test_replaced_host_key_is_noticed(sandbox: Sandbox, fresh_hosts: list[Host]) -> None:
    """The key in known_hosts is the host's; with another one a client refuses, with the first it works again."""
    host = fresh_hosts[0]
    host.replace_host_key()
    refused = over_ssh(sandbox, host, "true")
    assert refused.returncode == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in refused.stderr
    host.restore_host_key()
    assert over_ssh(sandbox, host, "true").returncode == 0


def test_sshd_can_be_away(sandbox: Sandbox, fresh_hosts: list[Host]) -> None:
    """Without sshd connections are refused; its log counts the sessions of the time that is looked at."""
    host = fresh_hosts[0]
    host.stop_sshd()
    assert "Connection refused" in over_ssh(sandbox, host, "true").stderr
    host.start_sshd()
    host.clear_sshd_log()
    for _ in range(2):
        assert over_ssh(sandbox, host, "true").returncode == 0
    assert host.sshd_log().count("Accepted publickey for root") == 2
    assert host.sshd_log().count("Starting session: command") == 2


def test_cut_off_host(sandbox: Sandbox, fresh_hosts: list[Host]) -> None:
    """A host whose cable is pulled does not answer at all, and the other one does."""
    first, second = fresh_hosts
    first.cut_off()
    assert "timed out" in over_ssh(sandbox, first, "true").stderr
    assert over_ssh(sandbox, second, "true").returncode == 0
    first.plug_in()
    assert over_ssh(sandbox, first, "true").returncode == 0


def test_registry_can_be_away(sandbox: Sandbox, fresh_hosts: list[Host]) -> None:
    """Without the registry a pull fails on every host; it comes back with all its images."""
    host = fresh_hosts[0]
    found = sandbox.manifest
    login = ("login", found.registry_server, "-u", found.registry_username, "-p", found.registry_password)
    host.docker(*login)
    sandbox.stop_registry()
    base = f"{found.registry_server}/sandbox/python:3.11"
    with pytest.raises(SandboxError):
        host.docker("pull", base)
    sandbox.start_registry()
    host.docker("pull", base)


def test_ruby_kamal_takes_the_ready_project(
    sandbox: Sandbox, fresh_hosts: list[Host], application: Application
) -> None:
    """The written deploy.yml and secrets are Ruby Kamal's own format: it loads them, logs in to the registry and to
    every host, and trusts their keys (spec/config.md 1.5, 10)."""
    assert application.ruby_kamal("registry", "login").text.count("Finished in") >= len(fresh_hosts)
    details = application.ruby_kamal("app", "details").stdout
    assert all(f"App Host: {host.address}" in details for host in fresh_hosts)


def test_a_server_has_nothing_of_the_operators_environment(fresh_hosts: list[Host]) -> None:
    """Variables of the shell that brought the sandbox up do not reach the servers' processes."""
    engine = fresh_hosts[0].run(["pgrep", "-x", "dockerd"]).split()[0]
    names = {line.partition("=")[0] for line in fresh_hosts[0].read(f"/proc/{engine}/environ").split("\0") if line}
    assert names == {"PATH", "HOME", "LANG"}


def test_a_sandbox_is_closed_to_other_users_of_the_machine(sandbox: Sandbox) -> None:
    """Its private keys, its registry's password and its engine's socket are below one directory."""
    assert sandbox.paths.root.stat().st_mode & 0o777 == 0o700


def test_up_again_changes_nothing(sandbox: Sandbox) -> None:
    """`up` of a sandbox that is up is no error and starts nothing; another number of hosts is refused, not guessed."""
    before = sandbox.paths.manifest.read_text()
    assert Sandbox(sandbox.name).up(hosts=len(sandbox.hosts)) is False
    assert sandbox.paths.manifest.read_text() == before
    with pytest.raises(SandboxError, match="is up with"):
        Sandbox(sandbox.name).up(hosts=len(sandbox.hosts) + 1)


@pytest.fixture
def spare() -> Iterator[Sandbox]:
    """A sandbox of the test's own, which it may wreck."""
    spare = Sandbox(f"test-{os.getpid()}-spare")
    yield spare
    spare.down()


def links(sandbox: Sandbox) -> set[str]:
    """Interfaces of this machine, but for those of other sandboxes, which come and go while this one is looked at."""
    named = {link["ifname"] for link in json.loads(subprocess.check_output(["ip", "-json", "link"]))}
    others = re.compile(rf"(?!{sandbox.paths.bridge})ks[0-9a-f]{{8}}(p\d+)?")
    return {name for name in named if not others.fullmatch(name)}


def test_down_leaves_nothing(spare: Sandbox) -> None:
    """Processes, interfaces, control groups and files are gone afterwards, and `down` again says there is nothing."""
    links_before = links(spare)
    spare.up(hosts=1)
    host = spare.hosts[0]
    host.docker("run", "-d", "sandbox/python:3.11", "sleep", "600")
    found = load(spare.paths)
    assert found is not None
    assert links(spare) - links_before == {found.bridge, *(machine.link for machine in found.machines)}
    assert spare.down() is True
    assert links(spare) == links_before
    assert not [process for process in found.processes if process.alive]
    assert not list(Path("/sys/fs/cgroup").glob(f"**/*{found.token}*"))
    assert not spare.paths.root.exists()
    assert not list(home().glob(f".{spare.name}*")), "not even a lock"
    assert spare.down() is False


def test_up_after_a_violent_end(spare: Sandbox, sandbox: Sandbox) -> None:
    """A sandbox of which half was killed is cleaned away and made anew; another one beside it is not touched."""
    spare.up(hosts=1)
    assert spare.manifest.subnet != sandbox.manifest.subnet
    assert spare.manifest.registry_port != sandbox.manifest.registry_port
    victim = spare.manifest.process("h1")
    assert victim is not None
    os.kill(victim.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while victim.alive and time.monotonic() < deadline:
        time.sleep(0.01)
    status = spare.status()
    assert status is not None
    assert (status.up, status.hosts, status.services["workstation"]) == (False, {"h1": False}, True)
    again = Sandbox(spare.name)
    assert again.up(hosts=2) is True
    assert over_ssh(again, again.hosts[1], "docker ps -q").returncode == 0
    assert over_ssh(sandbox, sandbox.hosts[0], "true").returncode == 0


def test_sandboxes_share_no_registry(spare: Sandbox, sandbox: Sandbox) -> None:
    """Prepared images are shared on the disk; a tag that one sandbox pushes anew stays what it was in the others."""
    spare.up(hosts=1)

    def digest(of: Sandbox) -> str:
        base = f"{of.manifest.registry_server}/sandbox/python:3.11"
        of.login()
        of.docker("pull", base)
        return of.docker("image", "inspect", "--format", "{{index .RepoDigests 0}}", base).partition("@")[2]

    before = digest(sandbox)
    assert digest(spare) == before
    tag = f"{spare.manifest.registry_server}/sandbox/python:3.11"
    spare.docker("build", "--tag", tag, "--build-arg", f"BASE={tag}", str(write_dockerfile(spare.paths.root / "other")))
    spare.docker("push", tag)
    spare.docker("rmi", tag)
    assert digest(spare) != before
    assert digest(sandbox) == before


def write_dockerfile(folder: Path) -> Path:
    folder.mkdir()
    (folder / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nLABEL other=yes\n")
    return folder


def test_a_foreign_folder_is_refused() -> None:
    """A folder with the sandbox's name that no sandbox made is neither used nor deleted."""
    foreign = Sandbox(f"test-{os.getpid()}-foreign")
    foreign.paths.root.mkdir()
    precious = foreign.paths.root / "precious"
    precious.write_text("text")
    try:
        with pytest.raises(SandboxError, match="was not made by a sandbox"):
            foreign.up(hosts=1)
        assert foreign.down() is False
        assert precious.read_text() == "text"
    finally:
        precious.unlink()
        foreign.paths.root.rmdir()


def test_without_permission_it_says_what_is_needed() -> None:
    """The error names the reason and the remedy if namespaces are not permitted."""
    program = "from pykamal.sandbox.namespaces import NamespaceProvider; NamespaceProvider().require()"
    without = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    done = subprocess.run([*without, sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "does not permit new namespaces" in done.stderr
    NamespaceProvider().require()  # and here it may
