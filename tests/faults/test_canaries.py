"""Every secret of an application is a canary: after a life full of accidents each is only where it belongs.

A full application has secrets in every place that takes one. It is set up, deployed, fails at every step, goes back,
is looked at and talks, in every form of output, while processes, temporary files and events of engines are watched.
"""

from __future__ import annotations

import base64
import re
import secrets as random_numbers
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.collector import collecting
from tests.e2e.application import KAMAL, Application, Outcome
from tests.e2e.terminal import terminal
from tests.faults import canaries as places
from tests.faults.canaries import Canaries, Hit
from tests.managers.openbao import OpenBao

pytestmark = pytest.mark.faults

SITE = "hello.example.com"
MANAGED = ("application", "build", "accessory", "basic")
"""Secrets that OpenBao holds."""

PRINT = "python3 -c 'import os; print(dict(os.environ))'"

BELONGS = (
    # Places, canaries, patterns of paths and command lines.
    ("files of a server", "application", "*/.kamal/apps/hello/env/roles/web.env*"),
    ("files of a server", "accessory", "*/.kamal/apps/hello/env/accessories/jobs.env*"),
    ("files of a server", "accessory", "h?:/root/hello-jobs/etc/password"),
    ("files of a server", "TLS key", "*/.kamal/proxy/apps-config/hello/tls/web/key.pem*"),
    ("files of a server", "registry", "h?:/root/.docker/config.json"),
    # An engine keeps the configuration of a container and what it prints.
    ("files of a server", "a*", "h?:/var/lib/docker/containers/*/config.v2.json"),
    ("files of a server", "a*", "h?:/var/lib/docker/containers/*-json.log"),
    ("files of a server", "a*", "h?:/var/lib/docker/containerd/daemon/*/meta.db"),
    ("files of a server", "a*", "h?:/run/docker/containerd/*/config.json"),
    ("files of this machine", "manager's token", "*/home/.vault-token"),
    ("files of this machine", "registry", "*/hello/.kamal/secrets"),
)
"""Where values are for as long as they are used; docs/secrets.md tells the same."""

PASSES = (
    ("environment", "build", "*docker*buildx*"),
    ("environment", "build", "*/git *"),  # which buildx asks where the sources come from
    ("environment", "*", "*/.kamal/hooks/*"),  # hooks get the secrets, as in Ruby Kamal
    ("environment", "*", "* .kamal/hooks/*"),
    ("environment", "build", "sh -s"),  # starts the build
    ("files of a server", "a*", "*/tmp/runc-process*"),  # an engine's `docker exec`
    ("output", "a*", "* exec *os.environ*"),  # the answer that was asked for
)
"""Where values may pass by."""


@dataclass
class Life:
    """An application with canaries, its output so far, and the directories of this machine that it may write to."""

    application: Application
    canaries: Canaries
    values: Mapping[str, str]
    home: Path
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def directories(self) -> list[Path]:
        return [self.home, self.home.parent / "temporary", self.application.folder]

    def kamal(self, *arguments: str, expect: int | None = 0) -> Outcome:
        outcome = self.application.kamal(*arguments, expect=expect)
        self.outputs[f"{len(self.outputs)}: {' '.join(arguments)}"] = outcome.text
        return outcome


@pytest.fixture
def bao(tmp_path: Path) -> Iterator[OpenBao]:
    server = OpenBao(tmp_path / "openbao")
    yield server.start()
    server.stop()


@pytest.fixture
def life(application: Application, bao: OpenBao, tmp_path: Path) -> Life:
    """The application with a canary in every place that takes a secret, and the manager's token in a home directory."""
    values = {name: f"canary{random_numbers.token_hex(8)}" for name in (*MANAGED, "passphrase")}
    bao.call("POST", "sys/mounts/kv", {"type": "kv-v2"})
    bao.call("POST", "kv/data/hello", {"data": {name: values[name] for name in MANAGED}})
    home = tmp_path / "home"
    (tmp_path / "temporary").mkdir()
    home.mkdir()
    token = bao.call("POST", "auth/token/create", {"ttl": "1h"})["auth"]["client_token"]
    (home / ".vault-token").write_text(token)
    certificate, key = _certificate(tmp_path)
    values |= {
        "registry": application.sandbox.manifest.registry_password,
        "manager's token": token,
        "TLS key": key.splitlines()[2],
    }
    _write_secrets(application, certificate, key)
    _configure(application)
    application.environment.pop("REGISTRY_PASSWORD")  # the sandbox's own way to hand it over
    application.environment |= {
        "HOME": str(home),
        "TMPDIR": str(tmp_path / "temporary"),
        "VAULT_ADDR": bao.address,
        "HISTFILE": str(home / ".bash_history"),
    }
    application.commit("with canaries")
    return Life(application, Canaries(values), values, home)


def _certificate(folder: Path) -> tuple[str, str]:
    key, certificate = folder / "tls-key.pem", folder / "tls-certificate.pem"
    names = ["-subj", f"/CN={SITE}", "-addext", f"subjectAltName=DNS:{SITE}"]
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *names]
    subprocess.run([*request, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    texts = certificate.read_text(), key.read_text()
    key.unlink()
    return texts


def _write_secrets(application: Application, certificate: str, key: str) -> None:
    file = application.folder / ".kamal" / "secrets"
    fetch = f"FETCHED=$(kamal secrets fetch --adapter vault --from kv/hello {' '.join(MANAGED)})"
    extract = "\n".join(f"{name.upper()}=$(kamal secrets extract {name} $FETCHED)" for name in MANAGED)
    other = f'CERTIFICATE="{certificate}"\nKEY=$(cat {application.folder.parent}/tls-key)\n'
    (application.folder.parent / "tls-key").write_text(key)
    file.write_text(f"{file.read_text()}{fetch}\n{extract}\n{other}")


def _configure(application: Application) -> None:
    settings = application.settings()
    server = application.sandbox.manifest.registry_server
    (application.folder / "password.erb").write_text('<%= ENV["ACCESSORY"] %>\n')
    application.configure(
        env={"secret": ["APPLICATION"]},
        builder={**settings["builder"], "secrets": ["BUILD"]},
        deploy_timeout=4,
        proxy={**settings["proxy"], "host": SITE, "ssl": {"certificate_pem": "CERTIFICATE", "private_key_pem": "KEY"}},
        accessories={
            "jobs": {
                "image": f"{server}/sandbox/python:3.11",
                "host": application.hosts[0].address,
                "cmd": "sleep 9999",
                "options": {"init": True},
                "env": {"secret": ["ACCESSORY"]},
                "files": ["password.erb:/etc/password"],
            }
        },
        **{
            "x-pykamal": {
                **settings["x-pykamal"],
                "proxy": {"engine": "pykamal", "basic_auth": {"users": {"ada": "BASIC"}, "except": ["/up"]}},
            }
        },
    )
    dockerfile = application.folder / "Dockerfile"
    dockerfile.write_text(f"{dockerfile.read_text()}RUN --mount=type=secret,id=BUILD test -s /run/secrets/BUILD\n")


def live(life: Life) -> None:
    """Set up, deploy, fail at every step, go back, look around and talk."""
    application, kamal = life.application, life.kamal
    application.hook("pre-deploy", "echo core dumps of $(ulimit -c) blocks")
    assert "core dumps of 0 blocks" in kamal("setup", "-v").text
    proxy_limits = application.hosts[0].run(["sh", "-c", "cat /proc/$(pgrep -x -o nginx)/limits"])
    assert re.search(r"^Max core file size +0 +0 ", proxy_limits, re.MULTILINE)
    first = application.git("rev-parse", "HEAD")
    application.commit("second")
    kamal("deploy", "--plan")
    kamal("deploy", "--output", "json")
    fail(life)
    kamal("rollback", first, "-v")
    kamal("app", "exec", PRINT)
    kamal("app", "exec", "--reuse", "-v", PRINT)
    kamal("app", "logs")
    kamal("accessory", "reboot", "jobs", "-v")
    kamal("accessory", "exec", "jobs", PRINT)
    kamal("registry", "login", "-v")
    for words in ("config", "details", "audit", "app details", "proxy details", "accessory details all", "lock status"):
        kamal(*words.split(), "-v")
    for words in ("check", "doctor", "diff", "rotate APPLICATION"):
        kamal("secrets", *words.split(), "-v")
    with_passphrase(life)


def fail(life: Life) -> None:
    """Let a deploy fail at each of its steps."""
    application = life.application
    for hook in ("pre-connect", "pre-build", "pre-deploy", "post-deploy"):
        application.hook(hook, "exit 1")
        life.kamal("deploy", "-v", "--debug", expect=1)
        (application.folder / ".kamal" / "hooks" / hook).unlink()
    dockerfile = application.folder / "Dockerfile"
    sound = dockerfile.read_text()
    dockerfile.write_text(f"{sound}RUN --mount=type=secret,id=BUILD cat /run/secrets/BUILD; exit 1\n")
    application.commit("cannot be built")
    life.kamal("deploy", "-v", expect=1)
    dockerfile.write_text(sound)
    application.sandbox.stop_registry()
    life.kamal("deploy", "-v", expect=1)
    application.sandbox.start_registry()
    (application.folder / "BROKEN").write_text("on purpose\n")
    application.commit("never healthy")
    life.kamal("deploy", "-v", expect=1)
    (application.folder / "BROKEN").unlink()
    (application.folder / "app.py").write_text("import os; raise SystemExit(dict(os.environ))\n")
    application.commit("tells everything and ends")
    life.kamal("deploy", "-v", expect=1)
    application.git("checkout", "-q", "HEAD~2", "--", "app.py")
    application.commit("sound again")


def with_passphrase(life: Life) -> None:
    """Connect with a key whose passphrase is typed."""
    application = life.application
    key = life.home / "key"
    shutil.copy(application.settings()["ssh"]["keys"][0], key)
    key.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", life.values["passphrase"], "-f", str(key)], check=True)
    config = application.folder / "config" / "deploy.yml"
    config.write_text(config.read_text().replace(application.settings()["ssh"]["keys"][0], str(key)))
    words = [str(KAMAL), "app", "version", "-v"]
    with terminal(*words, folder=application.folder, environment=application.environment) as window:
        window.expect("Enter passphrase")
        window.type(f"{life.values['passphrase']}\n")
        assert window.wait() == 0
        life.outputs["with a passphrase"] = window.received


def place_of(hit: Hit) -> str:
    """Return the kind of place of a hit; files that were seen for a moment are files of their machine."""
    if hit.place != "fleeting files":
        return hit.place
    return "files of a server" if hit.where.startswith("/proc/") else "files of this machine"


def found(life: Life, hits: set[Hit]) -> list[Hit]:
    """Return the hits that are in no place where the value belongs."""
    own = re.compile(rf"(\S*/python\S* )?{re.escape(str(KAMAL))} |ssh-keygen ")
    return sorted(
        hit
        for hit in hits
        if not any(
            place_of(hit) == place and fnmatchcase(hit.canary, canary) and fnmatchcase(hit.where, where)
            for place, canary, where in (*BELONGS, *PASSES)
        )
        and not (hit.place == "arguments" and own.match(hit.where) and hit.canary == "passphrase")
    )


def search(life: Life) -> set[Hit]:
    """Search all that is looked at once, at the end."""
    hits = places.in_outputs(life.canaries, life.outputs) | places.in_directories(life.canaries, life.directories)
    image = f"{life.application.sandbox.manifest.registry_server}/hello/app:latest"
    for host in life.application.hosts:
        hits |= places.on_host(life.canaries, host)
    return hits | places.in_image(life.canaries, life.application.hosts[0], image)


def test_no_canary_leaves_its_place(life: Life) -> None:
    """Of a whole life with accidents nothing is found but what docs/secrets.md tells."""
    with collecting() as collector:
        life.application.configure(
            output={"file": {"path": "log/kamal"}, "otel": {"endpoint": f"{collector.endpoint}/"}}
        )
        life.application.commit("with logs")
        with places.watching(life.canaries, hosts=life.application.hosts, directories=life.directories) as watch:
            live(life)
        life.outputs["collector"] = str(collector.requests)
    assert collector.requests
    hits = watch.hits | search(life)
    assert "\n".join(map(str, found(life, hits))) == ""
    for place, canary, where in BELONGS:
        seen = any(place_of(hit) == place and fnmatchcase(hit.where, where) for hit in hits)
        assert seen, f"the search does not see {canary} in {place}, {where}, where it is"


PLANTED = {
    "arguments here": "arguments",
    "environment here": "environment",
    "arguments there": "arguments",
    "environment there": "environment",
    "events": "engine events",
    "temporary here": "fleeting files",
    "temporary there": "fleeting files",
    "file there": "files of a server",
    "audit log there": "files of a server",
    "history there": "files of a server",
    "container": "files of a server",
    "file here": "files of this machine",
    "core here": "files of this machine",
    "image layer": "image layers",
    "image label": "image configuration",
    "output": "output",
}
"""Where leaks are planted, and the place that the search names."""


def test_a_leak_is_found_in_every_place(application: Application, tmp_path: Path) -> None:
    """A canary of its own is planted in each place, for a moment where it is watched: all are found there."""
    values = {name: f"canary{random_numbers.token_hex(8)}" for name in PLANTED}
    canaries, host = Canaries(values), application.hosts[0]
    temporary, home = tmp_path / "temporary", tmp_path / "home"
    temporary.mkdir()
    home.mkdir()
    registry = application.sandbox.manifest
    login = ["docker", "login", registry.registry_server, "-u", registry.registry_username, "--password-stdin"]
    host.run(login, stdin=registry.registry_password)
    image = f"{registry.registry_server}/sandbox/python:3.11"
    with places.watching(canaries, hosts=[host], directories=[temporary]) as watch:
        subprocess.run(["sh", "-c", f"sleep 0.5 # {values['arguments here']}"], check=True)
        subprocess.run(["sleep", "0.5"], env={"TOKEN": values["environment here"]}, check=True)
        host.run(["sh", "-c", f"sleep 0.5 # {values['arguments there']}"])
        host.run(["sh", "-c", "read TOKEN; export TOKEN; sleep 0.5"], stdin=f"{values['environment there']}\n")
        host.docker("run", "--rm", "--label", f"token={values['events']}", image, "/bin/busybox", "true")
        (temporary / "file").write_text(values["temporary here"])
        host.write("/tmp/file", values["temporary there"])
        time.sleep(0.5)
        (temporary / "file").unlink()
        host.run(["rm", "/tmp/file"])
    host.write("/var/tmp/file", values["file there"].encode().hex())
    host.write("/root/.kamal/hello-audit.log", base64.b64encode(f"x{values['audit log there']}".encode()).decode())
    host.write("/root/.bash_history", f"echo {values['history there']}\n")
    writing = f"echo {values['image layer']} > /leak"
    host.docker("run", "--name", "leaky", image, "/bin/busybox", "sh", "-c", writing)
    host.docker("commit", "--change", f"LABEL token={values['image label']}", "leaky", "leaky:1")
    host.docker("run", "--name", "writer", image, "/bin/busybox", "sh", "-c", f"echo {values['container']} > /leak")
    (home / "file").write_text(f"password={values['file here']}&x")
    (home / "core.17").write_bytes(b"\x7fELF\0" + values["core here"].encode() + b"\0")
    hits = watch.hits | places.on_host(canaries, host) | places.in_directories(canaries, [home])
    hits |= places.in_image(canaries, host, "leaky:1") | places.in_outputs(canaries, {"kamal": values["output"]})
    assert {(hit.canary, hit.place) for hit in hits} >= set(PLANTED.items())
    host.run(["rm", "/var/tmp/file", "/root/.bash_history"])
    host.docker("image", "rm", "--force", "leaky:1")
