"""Faults of the input or of a host are reported clearly, and no host is changed.

Each refusal is judged as somebody who is called at night would: exit code 1, what failed, where, what to do next, no
traceback, no secret; containers, images, networks, volumes, files, the lock and the version served as before. The one
thing that may be added to a host is the audit log's own line about an attempted pull.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pykamal.sandbox.host import Host
from pykamal.sandbox.sandbox import Sandbox
from tests.conftest import reset
from tests.e2e import snapshot
from tests.e2e.application import KAMAL, Application, Outcome, wait_until

pytestmark = pytest.mark.e2e

FOUND = "Deploy lock found. Run 'kamal lock help' for more information"
SECRET = "pa$$ w0rd of the database"


@pytest.fixture(scope="module")
def running(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Application:
    """The example application on both hosts, shared: what is refused leaves it as it was."""
    reset(sandbox)
    made = Application.create(tmp_path_factory.mktemp("bad-input") / "hello", sandbox)
    with (made.folder / ".kamal" / "secrets").open("a") as secrets:
        secrets.write(f"DATABASE_PASSWORD='{SECRET}'\n")
    made.configure(env={"secret": ["DATABASE_PASSWORD"]}, deploy_timeout=20)
    made.commit("with a secret")
    made.kamal("setup")
    return made


@pytest.fixture
def application(running: Application) -> Iterator[Application]:
    """`running`, whose configuration, secrets and environment are put back after the test."""
    kept = {path: path.read_text() for path in (config_of(running), secrets_of(running))}
    environment = dict(running.environment)
    yield running
    running.environment = environment
    for path, text in kept.items():
        path.write_text(text)


def config_of(application: Application) -> Path:
    return application.folder / "config" / "deploy.yml"


def secrets_of(application: Application) -> Path:
    return application.folder / ".kamal" / "secrets"


def state(application: Application) -> tuple[list[snapshot.Snapshot], list[str | None]]:
    return snapshot.take(application.hosts), [application.version_served(host) for host in application.hosts]


def assert_as_before(application: Application, before: tuple[list[snapshot.Snapshot], list[str | None]]) -> None:
    snapshots, versions = state(application)
    snapshot.assert_unchanged(before[0], snapshots)
    assert versions == before[1]
    assert not any(application.locked(host) for host in application.hosts)


def assert_told(application: Application, outcome: Outcome, *words: str, advice: str) -> None:
    """The message has the words, the advice is what it says to do next; no traceback, no secret."""
    for word in words:
        assert word in outcome.text, outcome.text
    following = [line for line in outcome.text.splitlines() if line.strip().startswith("Next:")]
    assert any(advice in line for line in following), outcome.text
    assert "Traceback" not in outcome.text
    for secret in (SECRET, application.sandbox.manifest.registry_password):
        assert secret not in outcome.text


def refused(application: Application, *arguments: str, words: tuple[str, ...], advice: str) -> Outcome:
    """Run a command that must be refused with these words and leave every host as it was."""
    before = state(application)
    outcome = application.kamal(*arguments, expect=1)
    assert_told(application, outcome, *words, advice=advice)
    assert_as_before(application, before)
    return outcome


# -- the command line and the configuration


def test_no_configuration_file(application: Application) -> None:
    """spec/config.md 1."""
    refused(application, "deploy", "-c", "config/nowhere.yml", words=("config/nowhere.yml",), advice="kamal init")


def test_a_mistake_in_the_yaml(application: Application) -> None:
    """spec/config.md 1: where in the file."""
    config_of(application).write_text("service: hello\nimage: [hello/app\nservers:\n  - 10.0.0.1\n")
    refused(application, "deploy", words=("config/deploy.yml:3",), advice="for an open bracket or quote")


def test_an_unknown_key(application: Application) -> None:
    """spec/config.md 2.2: the key, its place, and the nearest that there is."""
    application.configure(imag="hello/app")
    refused(
        application,
        "deploy",
        words=("unknown key: imag", "config/deploy.yml:", "did you mean image?"),
        advice="kamal docs",
    )


def test_an_unknown_host(application: Application) -> None:
    """spec/cli.md 2.2."""
    known = application.hosts[0].address
    refused(application, "deploy", "--hosts", "10.9.9.9", words=("No --hosts match for 10.9.9.9",), advice=known)


def test_an_unknown_option(application: Application) -> None:
    """Usage errors have an exit code of their own."""
    before = state(application)
    outcome = application.kamal("deploy", "--skip-psuh", expect=2)
    assert "--skip-psuh" in outcome.stderr
    assert "--skip-push" in outcome.stderr
    assert_as_before(application, before)


@pytest.mark.parametrize("name", ["DATABASE_PASSWORD", "REGISTRY_PASSWORD"])
def test_a_missing_secret(application: Application, name: str) -> None:
    """spec/config.md 1.6: found before anything is built or changed."""
    lines = secrets_of(application).read_text().splitlines()
    secrets_of(application).write_text("\n".join(line for line in lines if not line.startswith(name)))
    outcome = refused(application, "deploy", words=(f"Secret '{name}' not found",), advice=f"add {name}=")
    assert "Build and push" not in outcome.text


def test_a_secret_that_an_accessory_misses(application: Application) -> None:
    """A reboot finds out while the old container still runs."""
    host = application.hosts[0]
    settings = {
        "image": f"{application.sandbox.manifest.registry_server}/sandbox/python:3.11",
        "host": host.address,
        "cmd": "python3 -c 'import signal; signal.signal(15, lambda *_: exit()); signal.pause()'",
    }
    application.configure(accessories={"jobs": settings})
    application.kamal("accessory", "boot", "jobs")
    application.configure(accessories={"jobs": {**settings, "env": {"secret": ["JOBS_TOKEN"]}}})
    refused(application, "accessory", "reboot", "jobs", words=("'JOBS_TOKEN' not found",), advice="add JOBS_TOKEN=")
    application.kamal("accessory", "remove", "jobs", "-y")


# -- the way to the hosts


def test_an_unreachable_host(application: Application) -> None:
    """One host of two: the build ends, nothing is pulled anywhere."""
    host = application.hosts[1]
    before = state(application)
    host.stop_sshd()
    try:
        outcome = application.kamal("deploy", expect=1)
    finally:
        host.start_sshd()
    assert_told(application, outcome, f"{host.address} refuses connections on port 22", advice="whether sshd runs")
    assert_as_before(application, before)


def test_a_host_that_is_not_there(application: Application) -> None:
    """An address that nobody has."""
    first = application.hosts[0].address
    nobody = f"{first.rpartition('.')[0]}.99"
    application.configure(servers=[first, nobody])
    refused(application, "deploy", "--skip-push", words=(nobody, "No route to host"), advice="route to the host")

    shown = application.kamal("app", "details", expect=1).stdout
    named, answered = shown.index(f"Cannot connect to {nobody}"), shown.index(f"App Host: {first}\n")
    assert named < answered, "it is named as soon as that is known, and the other is shown"
    assert "ERROR (Errno::EHOSTUNREACH): " in shown[answered:]


def test_a_refused_key(application: Application, tmp_path: Path) -> None:
    """The error names the keys that were tried and the user that was to log in."""
    key = tmp_path / "other_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    application.configure(ssh={"user": "root", "keys_only": True, "keys": [str(key)]})
    host = application.hosts[0].address
    refused(application, "deploy", words=(host, "root", str(key)), advice="authorized_keys")


def test_a_changed_host_key(application: Application) -> None:
    """Both fingerprints, and how to accept the new one once it was compared."""
    host = application.hosts[1]
    before = state(application)
    host.replace_host_key()
    try:
        outcome = application.kamal("deploy", expect=1)
    finally:
        host.restore_host_key()
    assert_told(application, outcome, f"The host key of {host.address} has changed", advice="ssh-keygen -R")
    assert outcome.text.count("SHA256:") >= 2
    assert_as_before(application, before)


def test_a_user_who_may_not_use_docker(application: Application) -> None:
    """The engine's refusal is said, and who can change that."""
    for host in application.hosts:
        host.add_user("guest", groups=(), sudo=False)
    try:
        application.configure(ssh=application_ssh(application, user="guest"))
        outcome = refused(
            application,
            "deploy",
            "--skip-push",
            words=("permission denied", "docker.sock"),
            advice="usermod -aG docker",
        )
        bootstrapped = application.kamal("server", "bootstrap", expect=1)
        assert_told(application, bootstrapped, "permission denied", advice="usermod -aG docker")
    finally:
        for host in application.hosts:
            host.run(["userdel", "--remove", "guest"], check=False)
    assert all(host.address in outcome.text for host in application.hosts)


def application_ssh(application: Application, **changes: object) -> dict[str, object]:
    from yaml import safe_load

    return {**safe_load(config_of(application).read_text())["ssh"], **changes}


# -- the registry


def test_an_image_that_is_not_in_the_registry(application: Application) -> None:
    """The old image stays where it was, on every host."""
    image = f"{application.sandbox.manifest.registry_server}/hello/app:never-built"
    outcome = refused(
        application, "deploy", "--skip-push", "--version", "never-built", words=(image, "manifest unknown"),
        advice="kamal build push",
    )  # fmt: skip
    assert all(host.address in outcome.text for host in application.hosts)


@pytest.mark.parametrize("arguments", [("deploy",), ("deploy", "--skip-push")], ids=["here", "on the hosts"])
def test_a_registry_that_is_down(application: Application, arguments: tuple[str, ...]) -> None:
    """Here, where the image is pushed from, and on the hosts; the image of the running version stays there."""
    application.sandbox.stop_registry()
    try:
        refused(application, *arguments, words=("docker login", "[REDACTED]"), advice="registry does not answer")
    finally:
        application.sandbox.start_registry()


@pytest.mark.parametrize("arguments", [("deploy",), ("deploy", "--skip-push")], ids=["here", "on the hosts"])
def test_a_wrong_registry_password(application: Application, arguments: tuple[str, ...]) -> None:
    """The password is in nothing that is printed, not even a wrong one."""
    wrong = "wr0ng-password"
    text = secrets_of(application).read_text()
    secrets_of(application).write_text(text.replace(application.sandbox.manifest.registry_password, wrong))
    outcome = refused(application, *arguments, words=("docker login", "401 Unauthorized"), advice="registry/password")
    assert wrong not in outcome.text


# -- the hosts


def test_an_engine_that_is_stopped(application: Application) -> None:
    """One host of two: the other one is left alone."""
    host = application.hosts[1]
    before = state(application)
    host.stop_engine()
    try:
        outcome = application.kamal("deploy", "--skip-push", expect=1)
        asked = [application.kamal("app", *words, expect=1) for words in (["version"], ["logs"], ["details"])]
    finally:
        host.start_engine()
    wait_until(lambda: application.version_served(host) == before[1][1], what="the host after its engine's restart")
    for answer in asked:
        assert f"App Host: {application.hosts[0].address}\n" in answer.stdout, "who answers is shown"
        assert f"App Host: {host.address}\n" not in answer.stdout, "no answer is not nothing"
        assert "Cannot connect to the Docker daemon" in answer.stdout
    assert_told(
        application, outcome, host.address, "Cannot connect to the Docker daemon", advice="systemctl start docker"
    )
    assert_as_before(application, before)


def test_no_docker(application: Application) -> None:
    """`deploy` does not install anything; `setup` does."""
    host = application.hosts[1]
    before = state(application)
    host.remove_docker()
    try:
        outcome = application.kamal("deploy", "--skip-push", expect=1)
    finally:
        host.restore_docker()
    wait_until(lambda: application.version_served(host) == before[1][1], what="the host after its engine's restart")
    assert_told(application, outcome, host.address, "docker: not found", advice="kamal server bootstrap")
    assert_as_before(application, before)


def test_port_80_taken(application: Application) -> None:
    """The error names the process that has the port, before the image is pulled."""
    host = application.hosts[1]
    host.docker("stop", "kamal-proxy")
    listener = "import http.server as s; s.ThreadingHTTPServer(('', 80), s.SimpleHTTPRequestHandler).serve_forever()"
    host.run(["sh", "-c", 'setsid python3 -c "$1" > /dev/null 2>&1 & echo $! > /run/listener', "sh", listener])
    host.wait_for_port(80)
    try:
        words = (f"Port 80 of {host.address} is taken by python3",)
        refused(application, "deploy", "--skip-push", words=words, advice="stop that program")
    finally:
        host.run(["sh", "-c", "kill $(cat /run/listener)"])
        host.wait_for_port(80, open_=False)
        host.docker("start", "kamal-proxy")
        wait_until(lambda: application.version_served(host), what="the proxy")


@pytest.mark.parametrize("path", ["/root/.kamal", "/var/lib/docker"])
def test_a_full_disk(application: Application, path: str) -> None:
    """Found before the other host is changed."""
    host = application.hosts[1]
    host.fill_disk(path, free_kilobytes=500)
    wait_until(lambda: application.version_served(host), what="the host after its engine's restart")
    try:
        words = (f"The disk at {path} of {host.address} is full (",)
        refused(application, "deploy", "--skip-push", words=words, advice="df -h")
    finally:
        host.free_disk(path)
        wait_until(lambda: application.version_served(host), what="the host after its engine's restart")


def test_no_container_to_route_to(application: Application) -> None:
    """A version without a container is named before anything is started, with how to boot it."""
    application.kamal("app", "stop")
    outcome = application.kamal("app", "start", "--version", "never-booted", expect=1)
    host = application.hosts[0].address
    words = (f"Exception while executing on host {host}: There is no container of version never-booted to start",)
    assert_told(application, outcome, *words, advice="kamal app boot --version never-booted")
    assert not any(application.locked(each) for each in application.hosts)
    application.kamal("app", "start")


ERROR_ROWS = [
    ("lock release", 0, "There is no deploy lock"),
    ("lock status", 0, "There is no deploy lock"),
    ("lock acquire -m busy", 0, "Acquired the deploy lock"),
    ("lock acquire -m mine", 1, f"ERROR (Kamal::Cli::LockError): {FOUND}"),
    ("deploy --skip-push", 1, f"ERROR (Kamal::Cli::LockError): {FOUND}"),
    ("app boot", 1, "Deploy lock already in place!"),
    ("prune all", 1, "Message: busy"),
    ("app stop --lock-wait", 1, "Deploy lock held manually, not waiting. Run 'kamal lock help' for more information"),
    ("lock status", 0, "Locked by: Ada at "),
    ("lock release", 0, "Released the deploy lock"),
    ("rollback nowhere", 1, "The app version 'nowhere' is not available as a container"),
    ("app exec --reuse false", 1, "exit status: 1"),
    ("app logs --grep nobody-writes-this", 0, "Nothing found"),
    ("server exec no-such-program", 1, "exit status: 127"),
    ("proxy remove", 1, "Not removing the proxy, as other apps are installed"),
    ("accessory boot db", 1, "/hello/missing.cnf"),
]
"""Sections 2, 5, 8, 14 of spec/cli.md: one after another, since some need the lock that others take."""


def test_error_rows_that_need_servers(application: Application) -> None:
    """Message and exit code are as listed; the state is as before (more rows: tests/unit/cli/test_error_rows.py)."""
    host = application.hosts[0].address
    image = f"{application.sandbox.manifest.registry_server}/sandbox/python:3.11"
    application.configure(accessories={"db": {"image": image, "host": host, "files": ["missing.cnf:/etc/my.cnf"]}})
    before = state(application)
    for line, code, words in ERROR_ROWS:
        outcome = application.kamal(*line.split(), expect=code)
        assert words in outcome.text, f"{line}: {outcome.text}"
        assert outcome.stderr == "", line
    assert_as_before(application, before)


# -- in the middle of it


def test_a_reader_that_goes_away(application: Application) -> None:
    """spec/cli.md 8.3: `kamal deploy | head -1` leaves no lock behind and nothing half done."""
    good = application.git("rev-parse", "HEAD")
    pipeline = f"set -o pipefail; {KAMAL} deploy --skip-push | head -1"
    done = subprocess.run(
        ["bash", "-c", pipeline], cwd=application.folder, env=application.environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.count("\n") == 1
    assert done.returncode == 128 + signal.SIGPIPE, done.stderr
    assert done.stderr == ""
    for host in application.hosts:
        assert not application.locked(host)
        assert application.version_served(host) == good


def test_one_host_of_two_fails_its_boot(application: Application) -> None:
    """The other one is deployed to; both are reported, and what did not happen any more."""
    first, second = application.hosts
    before = application.version_served(second)
    never_healthy_on(application, second, deploy_timeout=3)
    new = application.commit("fails on one of two")
    outcome = application.kamal("deploy", expect=1)
    standing = f"boot: failed on {second.address}, done on {first.address}; not started: tag and prune"
    failed = f"Failed to boot web on {second.address}"
    assert_told(
        application, outcome, failed, standing, "target failed to become healthy", advice="proxy/healthcheck/path"
    )
    assert application.version_served(first) == new
    assert application.version_served(second) == before
    assert f"hello-web-{new}" not in application.containers(second)
    assert not any(application.locked(host) for host in application.hosts)


def test_a_host_that_dies_in_the_middle(application: Application) -> None:
    """The other one goes on to its end; the lock, which is on that one, is released."""
    first, second = application.hosts
    outcome = deployed_while_dying(application, second, other=first)
    standing = f"failed on {second.address}, done on {first.address}; not started: tag and prune"
    lost = f"Connection to {second.address} lost while running `"
    assert_told(application, outcome, lost, standing, advice="whether the host is up")
    assert not application.locked(first)


def test_the_host_of_the_lock_dies_in_the_middle(application: Application) -> None:
    """The error names what is left behind and what to do once the host is back."""
    first, second = application.hosts
    outcome = deployed_while_dying(application, first, other=second)
    assert_told(
        application, outcome, f"Connection to {first.address} lost", "Error releasing the deploy lock",
        "run kamal lock release", f"failed on {first.address}, done on {second.address}",
        advice="whether the host is up",
    )  # fmt: skip
    assert application.locked(first)
    application.kamal("lock", "release")
    assert not application.locked(first)


def never_healthy_on(application: Application, host: Host, *, deploy_timeout: int) -> None:
    names: list[object] = [
        {each.address: "sick"} if each.address == host.address else each.address for each in application.hosts
    ]
    application.configure(
        servers={"web": {"hosts": names}},
        env={"secret": ["DATABASE_PASSWORD"], "tags": {"sick": {"clear": {"HEALTHY": "false"}}}},
        deploy_timeout=deploy_timeout,
    )


def deployed_while_dying(application: Application, dying: Host, *, other: Host) -> Outcome:
    """A deploy during which one host goes away: its container has not come up, the other host is done."""
    never_healthy_on(application, dying, deploy_timeout=30)
    new = application.commit(f"{dying.name} dies")
    process = application.start("deploy")
    wait_until(lambda: f"hello-web-{new}" in application.containers(dying), what="the new container")
    wait_until(lambda: application.version_served(other) == new, what="the other host's new version")
    dying.stop_sshd()
    try:
        text, _ = process.communicate(timeout=60)
    finally:
        dying.start_sshd()
    assert process.returncode == 1, text
    return Outcome(process.returncode, text, "")
