"""Two teams whose configurations use much of what there is, on two servers, with either tool.

`rehearsing` deploys to a destination, with two roles and an accessory; `secure` to none, with certificates of its own
and an accessory behind the proxy; `plain` has one role and an accessory, and takes the proxy's image from its registry.
"""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pykamal.sandbox.host import Host
from pykamal.sandbox.sandbox import Sandbox
from tests.e2e.application import Application, Outcome

Tool = Literal["ruby", "ours"]
SITE = "hello.example.com"

HOSTILE = {
    "SPACES": "two  words ",
    "QUOTES": """both " and '""",
    "VARIABLE": "$HOME",
    "GROUP": "${HOME}/data",
    "INTERPOLATION": "#{1 + 1} #$0 #@name",
    "BACKQUOTES": "`id`",
    "BACKSLASH": r"C:\new\table",
    "LINES": "one\ntwo",
    "UNICODE": "grüße, 世界",
    "EMPTY": "",
    "NUMBER": 42,
    "YES": True,
    "NO": False,
}

SECRETS = """\
DATABASE_URL=postgres://app:pa$$word@db/hello
QUOTED='it is "so" #1'
PRIVATE_KEY="-----BEGIN KEY-----
abc+/=
-----END KEY-----
"
JOBS_TOKEN='a\\b $HOME'
"""

DESTINATION = """\
env:
  clear:
    STAGE: rehearsal
    NUMBER: 43
proxy:
  response_timeout: 12
"""

HOOKS = ("docker-setup", "pre-connect", "pre-build", "pre-deploy", "pre-app-boot", "post-app-boot", "post-deploy")


@dataclass
class Team:
    """The application with its history: `versions` are the commits that were made, oldest first."""

    application: Application
    record: Path
    flags: tuple[str, ...] = ()
    versions: list[str] = field(default_factory=list)

    @property
    def hosts(self) -> list[Host]:
        return self.application.hosts

    @property
    def short_names(self) -> Mapping[str, str]:
        """`{commit: "V1"}`, and the same for abbreviated commits."""
        named = {version: f"V{number}" for number, version in enumerate(self.versions, 1)}
        return {**named, **{version[:7]: short for version, short in named.items()}}

    def be_at(self, number: int) -> None:
        """Check version `number` out, counted from 1; the next one is made."""
        if number == len(self.versions) + 1:
            self.application.git("checkout", "-q", "main")
            self.versions.append(self.application.commit(f"version {number} in {self.application.folder.parent.name}"))
        self.application.git("checkout", "-q", self.versions[number - 1])

    def break_next(self) -> None:
        """Make the next version, one that never gets healthy, and be at it."""
        (self.application.folder / "BROKEN").write_text("on purpose\n")
        self.be_at(len(self.versions) + 1)

    def run(self, tool: Tool, *arguments: str, expect: int | None = 0) -> Outcome:
        kamal = self.application.ruby_kamal if tool == "ruby" else self.application.kamal
        return kamal(*arguments, *self.flags, expect=expect)

    def served(self) -> list[str | None]:
        """Return each server's answer: `V1`, or None without an answer."""
        return [self._served(host) for host in self.hosts]

    def _served(self, host: Host) -> str | None:
        request = urllib.request.Request(f"http://{host.address}/version", headers={"Host": SITE})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                version = str(json.load(answer)["version"])
                return self.short_names.get(version, version)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def hooks_taken(self) -> list[tuple[str, dict[str, str]]]:
        """The hooks that ran since the last call, and what each found in its environment."""
        found = list(self._hooks())
        self.record.unlink(missing_ok=True)
        return found

    def _hooks(self) -> Iterator[tuple[str, dict[str, str]]]:
        text = self.record.read_text() if self.record.exists() else ""
        for entry in text.split("hook=")[1:]:
            name, *variables = entry.split("\0")[:-1]
            yield name, dict(variable.split("=", 1) for variable in variables)


def rehearsing(folder: Path, sandbox: Sandbox) -> Team:
    """Two web servers with a worker on the second and an accessory on the first, at the destination `staging`."""
    return _team(folder, sandbox, _rehearsal, ("-d", "staging"))


def secure(folder: Path, sandbox: Sandbox) -> Team:
    """Two web servers with certificates of their own, proxy settings, and an accessory behind the proxy."""
    return _team(folder, sandbox, _secure, ())


def plain(folder: Path, sandbox: Sandbox) -> Team:
    """Two web servers with an accessory on the first, which has files, directories and a secret."""
    return _team(folder, sandbox, _plain, ())


def _team(folder: Path, sandbox: Sandbox, configure: Callable[[Application], None], flags: tuple[str, ...]) -> Team:
    folder.mkdir()
    team = Team(Application.create(folder / "hello", sandbox), folder / "hooks", flags)
    configure(team.application)
    for name in HOOKS:
        # The pause lets the next hook's time be another one.
        pause = "; sleep 1.1" if name == "pre-app-boot" and configure is _secure else ""
        team.application.hook(name, f"{{ printf 'hook=%s\\0' {name}; env -0; }} >> {team.record}{pause}")
    return team


def _rehearsal(application: Application) -> None:
    first, second = (host.address for host in application.hosts)
    folder = application.folder
    application.configure(
        retain_containers=9,  # of each role here, of all together there (docs/differences.md)
        readiness_delay=0,
        asset_path="/app/public",
        error_pages_path="errors",
        servers={
            "web": {
                "hosts": [{first: ["canary"]}, second],
                "labels": {"tier": "front, 'quoted'", "price": "$5 ${HOME}"},
                "options": {"add-host": ["db:10.0.0.1", "cache:10.0.0.2"], "memory": "256m", "init": True},
                "env": {"clear": {"ROLE_ONLY": "web", "SPACES": "the role's"}, "secret": ["QUOTED"]},
            },
            "worker": {
                "hosts": [second],
                "cmd": "python3 worker.py",
                "options": {"health-cmd": "python3 worker.py --check", "health-interval": "500ms", "stop-timeout": 5},
                "logging": {"options": {"max-size": "2m"}},
            },
        },
        labels={"team": 'ops & "friends"', "empty": ""},
        env={
            "clear": HOSTILE,
            "secret": ["DATABASE_URL", "PRIVATE_KEY", "TOKEN:JOBS_TOKEN"],
            "tags": {"canary": {"clear": {"CANARY": "yes"}}},
        },
        volumes=["hello_data:/data", "/srv/shared:/shared:ro"],
        logging={"driver": "json-file", "options": {"max-size": "5m", "max-file": 2}},
        accessories={
            "jobs": {
                "image": _python_image(application),
                "host": first,
                "cmd": "python3 -c 'import signal, sys; signal.signal(15, lambda *_: sys.exit(0)); signal.pause()'",
                "port": "127.0.0.1:7000:7000",
                "env": {"clear": {"GROUP": "${HOME}/jobs", "QUOTES": HOSTILE["QUOTES"]}, "secret": ["JOBS_TOKEN"]},
                "files": ["settings.conf:/etc/jobs/settings.conf", "run.sh:/usr/local/bin/run.sh"],
                "directories": ["data:/data", "/srv/jobs:/srv/jobs"],
                "labels": {"kept": "yes, 'really'"},
                "options": {"cpu-shares": 512},
            }
        },
    )
    secrets = folder / ".kamal" / "secrets"
    secrets.rename(folder / ".kamal" / "secrets-common")
    secrets.write_text("DATABASE_URL=not for this destination\n")
    _write(folder / ".kamal" / "secrets.staging", SECRETS)
    _write(folder / "config" / "deploy.staging.yml", DESTINATION)
    _write(folder / "settings.conf", "# täglich\nevery = $day\n")
    _write(folder / "run.sh", "#!/bin/sh\nexit 0\n")
    _write(folder / "public" / "style.css", "body { color: black }\n")
    _write(folder / "errors" / "404.html", "<h1>Nowhere</h1>\n")
    _write(folder / "errors" / "503.html", "<h1>Gleich zurück</h1>\n")
    with (folder / "Dockerfile").open("a") as file:
        file.write("COPY public ./public\n")


def _secure(application: Application) -> None:
    certificate, key = _certificate(application.folder.parent.parent)
    secrets = application.folder / ".kamal" / "secrets"
    secrets.write_text(f'{secrets.read_text()}CERTIFICATE="{certificate}"\nKEY="{key}"\n')
    health = {"path": "/", "interval": 1, "timeout": 2}
    application.configure(
        deploy_timeout=3,
        proxy={
            "hosts": [SITE, "www.hello.example.com"],
            "app_port": 8000,
            "ssl": {"certificate_pem": "CERTIFICATE", "private_key_pem": "KEY"},
            "ssl_redirect": False,
            "forward_headers": True,
            "response_timeout": 20,
            "healthcheck": {"path": "/up", "interval": 1, "timeout": 5},
            "buffering": {"requests": False, "max_request_body": 1_000_000},
            "logging": {"request_headers": ["X-Request-ID"], "response_headers": ["X-Version"]},
            "run": {"log_max_size": "5m", "options": {"label": ["kept=yes", "team=ops"]}},
        },
        accessories={
            "admin": {
                "image": _python_image(application),
                "roles": ["web"],
                "cmd": "python3 -m http.server 9000",
                "options": {"init": True},
                "proxy": {"host": "admin.example.com", "app_port": 9000, "healthcheck": health},
            }
        },
    )


def _plain(application: Application) -> None:
    first = application.hosts[0].address
    application.configure(
        retain_containers=2,
        drain_timeout=2,
        proxy={
            "app_port": 8000,
            "healthcheck": {"path": "/up", "interval": 1, "timeout": 5},
        },
        env={"clear": {"STAGE": "plain"}, "secret": ["DATABASE_URL"]},
        accessories={
            "jobs": {
                "image": _python_image(application),
                "host": first,
                "cmd": "python3 -c 'import signal, sys; signal.signal(15, lambda *_: sys.exit(0)); signal.pause()'",
                "env": {"clear": {"MODE": "fast"}, "secret": ["JOBS_TOKEN"]},
                "files": ["settings.conf:/etc/jobs/settings.conf"],
                "directories": ["data:/data"],
            }
        },
    )
    secrets = application.folder / ".kamal" / "secrets"
    secrets.write_text(f"{secrets.read_text()}{SECRETS}")
    _write(application.folder / "settings.conf", "every = day\n")


def _certificate(folder: Path) -> tuple[str, str]:
    """A certificate for the site and its key, made once in that folder."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not certificate.exists():
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        subject = ["-subj", f"/CN={SITE}", "-addext", f"subjectAltName=DNS:{SITE}"]
        request = ["openssl", "req", "-x509", *curve, *subject, "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(request, check=True, capture_output=True)
    return certificate.read_text(), key.read_text()


def _python_image(application: Application) -> str:
    return f"{application.sandbox.manifest.registry_server}/sandbox/python:3.11"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755 if text.startswith("#!") else 0o644)
