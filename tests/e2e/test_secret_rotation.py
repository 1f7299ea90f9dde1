"""`kamal secrets rotate` and `diff` on real servers."""

from __future__ import annotations

import json

import pytest

from pykamal.sandbox.host import Host
from tests.e2e.application import Application
from tests.load_generator import Load

pytestmark = pytest.mark.e2e

BREAKS = 'BROKEN = BROKEN or os.environ.get("TOKEN", "").startswith("bad")'


def secret(application: Application, value: str) -> None:
    """Set the value that the secrets file gives to TOKEN."""
    file = application.folder / ".kamal" / "secrets"
    file.parent.mkdir(exist_ok=True)
    lines = file.read_text().splitlines() if file.exists() else []
    kept = [line for line in lines if not line.startswith("TOKEN=")]
    file.write_text("\n".join([*kept, f"TOKEN={value}", ""]))


@pytest.fixture
def rotating(application: Application) -> Application:
    """The application, deployed with a secret; it never gets healthy where the value begins with `bad`."""
    source = application.folder / "app.py"
    text = source.read_text()
    marker = 'if __name__ == "__main__":'
    assert marker in text
    source.write_text(text.replace(marker, f"{BREAKS}\n\n\n{marker}"))
    application.configure(env={"secret": ["TOKEN"]}, deploy_timeout=6)
    secret(application, "first-value")
    application.commit("with a secret")
    application.kamal("setup")
    return application


def value_in(host: Host, container: str) -> str:
    lines = host.docker("container", "inspect", "--format", "{{range .Config.Env}}{{println .}}{{end}}", container)
    return dict(line.split("=", 1) for line in lines.split("\n") if "=" in line)["TOKEN"]


def running(host: Host) -> str:
    return host.docker("ps", "--filter", "label=service=hello", "--format", "{{.ID}} {{.Names}}")


def test_rotation_reaches_every_container_under_load(rotating: Application) -> None:
    """The same version goes on with the new value; no request is dropped, and nothing is left that has the old one."""
    version = rotating.git("rev-parse", "HEAD")
    secret(rotating, "second-value")
    urls = [f"http://{host.address}/" for host in rotating.hosts]
    with Load(urls, rate=40, keep_alive_fraction=0.5, slow_fraction=0.02, slow_seconds=2, timeout_seconds=15) as load:
        outcome = rotating.kamal("secrets", "rotate", "TOKEN")
    assert load.summary.failed == 0, (load.summary.failures[:10], outcome.text)
    assert set(load.summary.statuses) == {"200"}
    assert "second-value" not in outcome.text
    for host in rotating.hosts:
        name = f"hello-web-{version}"
        assert rotating.containers(host, "--all", "--filter", "label=service=hello") == [name]
        assert value_in(host, name) == "second-value"
        assert host.read("/root/.kamal/apps/hello/env/roles/web.env") == "TOKEN=second-value\n"
        assert not host.exists("/root/.kamal/apps/hello/env/roles/web.env.before")
        assert "Rotated secrets TOKEN" in host.read("/root/.kamal/hello-audit.log")
        assert not rotating.locked(host)


def test_a_value_that_does_not_work_is_taken_back(rotating: Application) -> None:
    """The first host puts its container and env file back and serves on; the other hosts are not touched."""
    version = rotating.git("rev-parse", "HEAD")
    before = [running(host) for host in rotating.hosts]
    secret(rotating, "bad-value")
    urls = [f"http://{host.address}/" for host in rotating.hosts]
    with Load(urls, rate=40, keep_alive_fraction=0.5) as load:
        outcome = rotating.kamal("secrets", "rotate", "TOKEN", expect=1)
    assert load.summary.failed == 0, (load.summary.failures[:10], outcome.text)
    assert "is a migration missing" in outcome.text
    assert "bad-value" not in outcome.text
    assert [running(host) for host in rotating.hosts] == before, "the old containers, by their names"
    for host in rotating.hosts:
        assert rotating.containers(host, "--all", "--filter", "label=service=hello") == [f"hello-web-{version}"]
        assert host.read("/root/.kamal/apps/hello/env/roles/web.env") == "TOKEN=first-value\n"
        assert not host.exists("/root/.kamal/apps/hello/env/roles/web.env.before")
        assert "Rotated secrets" not in host.read("/root/.kamal/hello-audit.log")
        assert not rotating.locked(host)
    secret(rotating, "third-value")
    rotating.kamal("secrets", "rotate", "TOKEN")
    assert {value_in(host, f"hello-web-{version}") for host in rotating.hosts} == {"third-value"}


DIES = "import os, sys, time; sys.exit(1) if os.environ['TOKEN'].startswith('bad') else time.sleep(9999)"


def test_an_accessory_gets_the_value_or_keeps_its_own(application: Application) -> None:
    """An accessory is rebooted; where it does not stay up, the old one and its env file are put back."""
    host = application.hosts[0]
    image = f"{application.sandbox.manifest.registry_server}/sandbox/python:3.11"
    jobs = {"image": image, "host": host.address, "cmd": f'python3 -c "{DIES}"', "options": {"init": True}}
    application.configure(accessories={"jobs": {**jobs, "env": {"secret": ["TOKEN"]}}})
    secret(application, "first-value")
    application.commit("with an accessory")
    application.kamal("accessory", "boot", "jobs")
    before = host.docker("ps", "--quiet", "--filter", "name=hello-jobs")

    secret(application, "bad-value")
    outcome = application.kamal("secrets", "rotate", "TOKEN", expect=1)
    assert "bad-value" not in outcome.text
    assert host.docker("ps", "--quiet", "--filter", "name=hello-jobs") == before
    env_file = "/root/.kamal/apps/hello/env/accessories/jobs.env"
    assert host.read(env_file) == "TOKEN=first-value\n"

    secret(application, "second-value")
    application.kamal("secrets", "rotate", "TOKEN")
    assert value_in(host, "hello-jobs") == "second-value"
    assert host.read(env_file) == "TOKEN=second-value\n"
    assert application.containers(host, "--all", "--filter", "name=hello-jobs") == ["hello-jobs"]
    assert not host.exists(f"{env_file}.before")


def differences(application: Application, code: int) -> set[tuple[str, str, str, str]]:
    """Return host, place, name and state of everything that is not the same."""
    outcome = application.kamal("secrets", "diff", "--output", "json", expect=code)
    document = json.loads(outcome.stdout)
    assert document["same"] is (code == 0)
    rows = document["secrets"]
    return {(row["host"], row["place"], row["name"], row["state"]) for row in rows if row["state"] != "same"}


def test_differences_are_told_and_nothing_else(rotating: Application) -> None:
    """Each place of each host is compared by a keyed hash made there; neither old nor new values are shown."""
    first, second = rotating.hosts
    odd = 'a=b "c" \\ %s $HOME $(id) é  '
    secret(rotating, f"'{odd}'")
    rotating.kamal("secrets", "rotate", "TOKEN")
    assert differences(rotating, 0) == set()
    assert "2 same" in rotating.kamal("secrets", "diff", "-h", first.address).stdout

    container = f"hello-web-{rotating.git('rev-parse', 'HEAD')}"
    secret(rotating, "new-value")
    outcome = rotating.kamal("secrets", "diff", "-v", expect=4)
    assert "new-value" not in outcome.text
    assert odd.split(maxsplit=1)[0] not in outcome.text
    path = "/root/.kamal/apps/hello/env/roles/web.env"
    first.write(path, "OTHER=x\nTOKEN=new-value\n", mode=0o600)
    second.write(path, "\n", mode=0o600)
    assert differences(rotating, 4) == {
        (first.address, "env file", "OTHER", "extra"),
        (first.address, container, "TOKEN", "differs"),
        (second.address, "env file", "TOKEN", "missing"),
        (second.address, container, "TOKEN", "differs"),
    }
    newer = f"hello-web-{rotating.commit('another version')}"
    rotating.kamal("deploy")
    assert {row[1:] for row in differences(rotating, 0)} == {(container, "TOKEN", "unused")}
    assert newer in rotating.containers(first)
