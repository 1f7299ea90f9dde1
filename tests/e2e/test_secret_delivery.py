"""`x-pykamal/secrets/delivery` on real servers: where the values of secrets are, and where they are not."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from pykamal.sandbox.host import Host
from tests.e2e.application import Application, wait_until

pytestmark = pytest.mark.e2e

TOKEN = "canary-of-the-role-5d1f0b7a"
PASSWORD = "canary-of-the-accessory-93c2e6"
ENV = "/root/.kamal/apps/hello/env"
MEMORY = "/run/kamal"
KEY = "/root/.config/kamal/age.key"
DISK = ("/root", "/home", "/etc", "/opt", "/srv", "/tmp", "/var", "/usr/local")
DOCKERS_OWN = ("/var/lib/docker/containers/", "/var/lib/docker/containerd/daemon/io.containerd.metadata")
"""The environment of containers, which Docker and containerd keep as long as a container is there, or longer."""
AGE = "/usr/bin/age"
SHOWING = "python3 -c \"import os; [print(os.environ[name]) for name in '{}'.split()]\""


@pytest.fixture
def secretive(application: Application) -> Iterator[Application]:
    """The application on one server, with a secret of a role and one of an accessory; not deployed."""
    host = application.hosts[0]
    clean(host)
    application.configure(
        servers={"web": [host.address]},
        env={"secret": ["TOKEN"]},
        accessories={"db": accessory(application)},
    )
    secrets = application.folder / ".kamal" / "secrets"
    secrets.write_text(f"{secrets.read_text()}TOKEN={TOKEN}\nPASSWORD={PASSWORD}\n")
    application.commit("with secrets")
    yield application
    if host.exists(f"{AGE}.away"):
        host.run(["mv", f"{AGE}.away", AGE])
    clean(host)


def clean(host: Host) -> None:
    host.run(["rm", "-rf", MEMORY, "/root/.config/kamal"])


def accessory(application: Application) -> dict[str, object]:
    return {
        "image": f"{application.sandbox.manifest.registry_server}/sandbox/python:3.11",
        "host": application.hosts[0].address,
        "cmd": "sleep 10000",
        "options": {"init": True},
        "env": {"secret": ["PASSWORD"]},
    }


def deliver(application: Application, mode: str) -> None:
    own = application.settings().get("x-pykamal") or {}
    application.configure(**{"x-pykamal": {**own, "secrets": {"delivery": mode}}})
    application.commit(f"secrets by {mode}")


def on_disk(host: Host, *values: str) -> list[str]:
    """Return the files of the host's disk that hold one of the values, but for what Docker keeps of a container."""
    wanted = [word for value in values for word in ("-e", value)]
    folders = [folder for folder in DISK if host.exists(folder)]
    found = host.run(["grep", "-rlaF", "-D", "skip", *wanted, *folders], check=False).splitlines()
    return sorted(file for file in found if not file.startswith(DOCKERS_OWN))


def states(application: Application, *, same: bool) -> set[tuple[str, str, str]]:
    """Return place, name and state of what `secrets diff` tells of, but for what is the same."""
    document = json.loads(application.kamal("secrets", "diff", "--output", "json", expect=0 if same else 4).stdout)
    return {(row["place"], row["name"], row["state"]) for row in document["secrets"] if row["state"] != "same"}


def value_in(host: Host, container: str, name: str) -> str:
    """Return what the program in a running container has in its environment."""
    program = f"import os; print(os.environ[{name!r}])"
    return host.docker("exec", container, "python3", "-c", program).strip()


def reboot(application: Application, host: Host) -> None:
    """Do to a server what a reboot does: memory is emptied, and the engine starts its containers again."""
    host.stop_engine()
    host.run(["rm", "-rf", MEMORY])
    host.start_engine()
    wait_until(lambda: application.version_served(host) is not None, what="the application")


@pytest.mark.parametrize("mode", ["tmpfs", "encrypted"])
def test_values_are_not_on_the_disk(secretive: Application, mode: str) -> None:
    """Neither after a deploy nor after commands in new containers, nor a reboot and what comes after it."""
    host = secretive.hosts[0]
    deliver(secretive, mode)
    outcome = secretive.kamal("setup", "-v")
    assert TOKEN not in outcome.text
    container = f"hello-web-{secretive.git('rev-parse', 'HEAD')}"
    assert (value_in(host, container, "TOKEN"), value_in(host, "hello-db", "PASSWORD")) == (TOKEN, PASSWORD)
    assert on_disk(host, TOKEN, PASSWORD) == []
    host.write("/root/.kamal/leak", f"x{TOKEN}x")
    assert on_disk(host, TOKEN, PASSWORD) == ["/root/.kamal/leak"], "the search finds a value"
    host.run(["rm", "/root/.kamal/leak"])
    assert host.run(["find", MEMORY, "-type", "f", "-name", "plain.*"]) == ""
    assert states(secretive, same=True) == set()

    shown = secretive.kamal("app", "exec", "--raw", "-e", "OTHER:a b", SHOWING.format("TOKEN OTHER")).stdout
    assert shown == f"{TOKEN}\na b\n"
    assert secretive.kamal("accessory", "exec", "db", "--raw", SHOWING.format("PASSWORD")).stdout == f"{PASSWORD}\n"

    reboot(secretive, host)
    assert value_in(host, container, "TOKEN") == TOKEN, "Docker keeps what a container was made with"
    if mode == "tmpfs":
        assert states(secretive, same=False) == {("env file", "TOKEN", "missing"), ("env file", "PASSWORD", "missing")}
    else:
        assert states(secretive, same=True) == set()
    host.docker("restart", container)
    secretive.kamal("app", "boot")
    secretive.kamal("accessory", "reboot", "db")
    assert {place for place, _, state in states(secretive, same=True) if state != "unused"} == set()
    assert on_disk(host, TOKEN, PASSWORD) == []


def test_files_of_a_former_mode_are_removed(secretive: Application) -> None:
    """Each way from one mode to another; `file` has what Ruby Kamal has, and the search finds it."""
    host = secretive.hosts[0]
    files = {
        "file": (f"{ENV}/roles/web.env", ""),
        "tmpfs": (f"{ENV}/roles/web.env", f"{MEMORY}/apps/hello/env/roles/web.env"),
        "encrypted": (f"{ENV}/roles/web.env.age", ""),
    }
    deliver(secretive, "file")
    secretive.kamal("setup")
    for mode in ("tmpfs", "encrypted", "file", "encrypted", "tmpfs", "file"):
        deliver(secretive, mode)
        secretive.kamal("redeploy")
        secretive.kamal("accessory", "reboot", "db")
        file, in_memory = files[mode]
        assert host.run(["find", "-L", ENV, "-name", "web*"]).split() == [file]
        assert host.run(["stat", "-L", "-c", "%a", file, f"{ENV}/roles"]).split() == ["600", "700"]
        assert host.run(["find", MEMORY, "-name", "web.env"], check=False).strip() == in_memory
        plain = [f"{ENV}/accessories/db.env", f"{ENV}/roles/web.env"] if mode == "file" else []
        assert on_disk(host, TOKEN, PASSWORD) == plain
        assert {state for _, _, state in states(secretive, same=True)} <= {"unused"}
    assert host.read(f"{ENV}/roles/web.env") == f"TOKEN={TOKEN}\n"
    assert host.run(["stat", "-c", "%a %U", KEY]).strip() == "600 root"


@pytest.mark.parametrize("mode", ["file", "tmpfs", "encrypted"])
def test_files_that_nothing_uses_are_removed(secretive: Application, mode: str) -> None:
    """Env files of roles and accessories that are gone, once their containers are, and copies of rotations."""
    host = secretive.hosts[0]
    suffix = ".env.age" if mode == "encrypted" else ".env"
    jobs = {"hosts": [host.address], "cmd": "sleep 10000", "options": {"init": True}}
    servers = {"web": [host.address], "jobs": jobs}
    cache = {**accessory(secretive), "env": {"secret": ["PASSWORD"]}}
    secretive.configure(servers=servers, accessories={"db": accessory(secretive), "cache": cache})
    deliver(secretive, mode)
    secretive.kamal("setup")
    names = {f"{ENV}/roles/web{suffix}", f"{ENV}/accessories/db{suffix}"}
    gone = {f"{ENV}/roles/jobs{suffix}", f"{ENV}/accessories/cache{suffix}"}
    assert found(host) == names | gone
    host.write(f"{ENV}/roles/web{suffix}.before", TOKEN)

    secretive.configure(servers={"web": [host.address]}, accessories={"db": accessory(secretive)})
    secretive.kamal("prune", "all")
    assert found(host) == names | gone, "their containers are there; the copy is not"
    container = host.docker("ps", "--quiet", "--filter", "label=role=jobs").strip()
    host.docker("rm", "--force", container, "hello-cache")
    secretive.commit("without jobs")
    secretive.kamal("deploy")
    assert found(host) == names

    secretive.kamal("accessory", "remove", "db", "-y")
    assert found(host) == {f"{ENV}/roles/web{suffix}"}
    secretive.kamal("app", "remove")
    assert not host.exists("/root/.kamal/apps/hello")
    assert not host.exists(f"{MEMORY}/apps/hello/env")


def found(host: Host) -> set[str]:
    return set(host.run(["find", "-L", ENV, "-type", "f"]).split())


@pytest.mark.parametrize("mode", ["tmpfs", "encrypted"])
def test_a_rotation_that_fails_puts_the_file_back(secretive: Application, mode: str) -> None:
    """The old container and its env file stay, in the way that they are kept."""
    host = secretive.hosts[0]
    code = "import os, sys, time; sys.exit(1) if os.environ['PASSWORD'].startswith('bad') else time.sleep(9999)"
    secretive.configure(accessories={"db": {**accessory(secretive), "cmd": f'python3 -c "{code}"'}}, deploy_timeout=6)
    deliver(secretive, mode)
    secretive.kamal("setup")
    secrets = secretive.folder / ".kamal" / "secrets"
    good = secrets.read_text()
    secrets.write_text(good.replace(PASSWORD, f"bad-{PASSWORD}"))
    secretive.kamal("secrets", "rotate", "PASSWORD", expect=1)
    secrets.write_text(good)
    assert states(secretive, same=True) == set()
    assert on_disk(host, TOKEN, PASSWORD) == []
    secrets.write_text(good.replace(PASSWORD, f"good-{PASSWORD}"))
    secretive.kamal("secrets", "rotate", "PASSWORD")
    assert value_in(host, "hello-db", "PASSWORD") == f"good-{PASSWORD}"
    assert not [file for file in found(host) if file.endswith(".before")]


def test_a_host_without_age_is_refused(secretive: Application) -> None:
    """Before anything of it is changed, with what to do about it; also where only an accessory is booted."""
    host = secretive.hosts[0]
    deliver(secretive, "encrypted")
    host.run(["mv", AGE, f"{AGE}.away"])
    outcome = secretive.kamal("setup", "-P", expect=1)
    assert "age is not installed" in outcome.text
    assert "apt-get install age" in outcome.text
    assert "x-pykamal/secrets/delivery" in outcome.text
    assert secretive.containers(host, "--all") == []
    assert "age is not installed" in secretive.kamal("accessory", "boot", "db", expect=1).text
    assert on_disk(host, TOKEN, PASSWORD) == []


def test_a_login_that_is_not_root_has_a_directory_of_its_own(secretive: Application) -> None:
    """It is below /dev/shm; one that another user made there is refused, so that nobody reads secrets in it."""
    host = secretive.hosts[0]
    login = "memorable"
    directory = f"/dev/shm/kamal-{login}"
    host.run(["rm", "-rf", directory])
    if not host.exists(f"/home/{login}"):
        host.add_user(login, sudo=False)
    secretive.configure(ssh={**secretive.settings()["ssh"], "user": login})
    deliver(secretive, "tmpfs")
    try:
        host.run(["install", "-d", "-m", "0777", directory])
        outcome = secretive.kamal("setup", expect=1)
        assert f"{directory} is of another user" in outcome.text
        host.run(["rm", "-rf", directory])
        secretive.kamal("setup")
        assert host.run(["stat", "-c", "%a %U", directory]).strip() == f"700 {login}"
        assert host.run(["find", directory, "-type", "f", "-name", "web.env"]).strip().endswith("/roles/web.env")
        assert on_disk(host, TOKEN, PASSWORD) == []
        assert states(secretive, same=True) == set()
    finally:
        host.run(["rm", "-rf", directory])
