"""Files on servers that hold secrets: nobody reads them but the login that deploys, root, and who they are for.

The login is not root: it may use Docker, and that is all. The other users of the server have the user and group numbers
of the proxies' containers, which own nothing here outside of them.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pykamal.sandbox.host import Host
from tests.e2e.application import Application, wait_until
from tests.e2e.test_proxy_engine import UPSTREAM, use_engine

pytestmark = pytest.mark.e2e

SITE = "hello.example.com"
LOGIN = "deployer"
HOME = f"/home/{LOGIN}"
TLS = f"{HOME}/.kamal/proxy/apps-config/hello/tls/web"
USERS = f"{HOME}/.kamal/proxy/apps-config/hello/auth/users"
ENV = f"{HOME}/.kamal/apps/hello/env"
PRIVATE = (f"{TLS}/key.pem", f"{ENV}/roles/web.env", f"{ENV}/accessories/db.env", f"{HOME}/hello-db/etc/password")
OTHERS = (1000, 1001, 65534)


@pytest.fixture
def team(application: Application, tmp_path: Path) -> Application:
    """The application with a certificate and a database, on one server, deployed by a login that is not root."""
    host = application.hosts[0]
    if not host.exists(HOME):
        for name in ("first", "second"):  # so that the login's number is none of the proxies'
            host.add_user(name, groups=(), sudo=False)
        host.add_user(LOGIN, sudo=False)
    host.run(["chmod", "755", HOME])
    host.run(["rm", "-rf", f"{HOME}/hello-db"])
    certificate = make_certificate(tmp_path)
    secrets = application.folder / ".kamal" / "secrets"
    key = (tmp_path / "key.pem").read_text()
    secrets.write_text(f'{secrets.read_text()}CERTIFICATE="{certificate.read_text()}"\nKEY="{key}"\nPASSWORD=hunter2\n')
    (application.folder / "password.erb").write_text('<%= ENV["PASSWORD"] %>\n')
    (application.folder / "settings.erb").write_text('port = <%= ENV["PORT"] %>\n')
    settings = application.settings()
    application.configure(
        servers=[host.address],
        ssh={**settings["ssh"], "user": LOGIN},
        env={"secret": ["PASSWORD"]},
        proxy={
            **settings["proxy"],
            "host": SITE,
            "ssl": {"certificate_pem": "CERTIFICATE", "private_key_pem": "KEY"},
        },
        accessories={
            "db": {
                "image": f"{application.sandbox.manifest.registry_server}/sandbox/python:3.11",
                "host": host.address,
                "cmd": "sleep 1000",
                "options": {"init": True, "user": "999:999"},
                "env": {"clear": {"PORT": 1}, "secret": ["PASSWORD"]},
                "files": [
                    "password.erb:/etc/password",
                    "settings.erb:/etc/settings",
                    {"local": "password.erb", "remote": "/etc/for-all", "mode": "0644"},
                ],
            }
        },
    )
    application.commit("with secrets")
    return application


def make_certificate(folder: Path) -> Path:
    target = folder / "certificate.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subject = ["-subj", f"/CN={SITE}", "-addext", f"subjectAltName=DNS:{SITE}"]
    request = ["openssl", "req", "-x509", *curve, *subject, "-keyout", str(folder / "key.pem"), "-out", str(target)]
    subprocess.run(request, check=True, capture_output=True)
    return target


def served(host: Host, folder: Path, *, user: str = "") -> str:
    """Status and version that the server answers with, over TLS that curl verified."""
    resolve = ["--resolve", f"{SITE}:443:{host.address}", "--cacert", str(folder / "certificate.pem")]
    who = ["--user", user] if user else []
    command = ["curl", "-sS", *resolve, *who, "-w", " %{http_code}", f"https://{SITE}/version"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stdout


def readers(host: Host, path: str) -> list[int]:
    """The other users of the server who can read a file."""

    def may_read(user: int) -> bool:
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        return host.run([*become, "cat", path], check=False) != ""

    return [user for user in OTHERS if may_read(user)]


def modes(host: Host, *paths: str) -> list[str]:
    return host.run(["stat", "-c", "%a %U:%g", *paths]).splitlines()


def give_upstream_another_user(host: Host) -> None:
    """The upstream's image cannot be had here: ours under its name and with another user stands in."""
    host.docker("run", "--name", "other", "--user", "0", UPSTREAM, "chown", "-R", "1001:1001", "/home/kamal-proxy")
    host.docker("commit", "--change", "USER 1001:1001", "--change", 'CMD ["kamal-proxy", "run"]', "other", UPSTREAM)
    host.docker("rm", "other")


def test_files_with_secrets_are_for_whom_they_are(team: Application, tmp_path: Path) -> None:
    """On a new server and on one that Ruby Kamal left open, with each proxy, after a switch, without its rights."""
    host = team.hosts[0]
    own = host.run(["id", "-g", LOGIN]).strip()
    give_upstream_another_user(host)
    as_ruby_leaves_it = (
        f"umask 022; mkdir -p {TLS} {ENV}/roles; echo old > {TLS}/key.pem; echo old > {ENV}/roles/web.env"
    )
    host.run(["setpriv", f"--reuid={LOGIN}", f"--regid={LOGIN}", "--init-groups", "sh", "-c", as_ruby_leaves_it])
    assert readers(host, f"{TLS}/key.pem") == list(OTHERS), "the check finds an open file"

    outcome = team.kamal("setup", "-v")
    assert served(host, tmp_path).endswith(" 200")
    assert [readers(host, path) for path in PRIVATE] == [[]] * len(PRIVATE)
    assert modes(host, f"{HOME}/.kamal", f"{ENV}/roles", TLS) == [
        f"700 {LOGIN}:{own}",
        f"700 {LOGIN}:{own}",
        f"2711 {LOGIN}:1001",
    ]
    assert modes(host, *PRIVATE) == [f"640 {LOGIN}:1001", *[f"600 {LOGIN}:{own}"] * 3]

    assert host.docker("exec", "hello-db", "cat", "/etc/for-all").strip() == "hunter2", "mode says more"
    assert host.docker("exec", "hello-db", "cat", "/etc/settings").strip() == "port = 1", "no secret in it"
    assert readers(host, f"{HOME}/hello-db/etc/for-all") == [], "their directory is closed all the same"
    assert host.docker("exec", "hello-db", "cat", "/etc/password", check=False) == ""
    assert "password.erb holds secrets, so only its owner and root may read it" in outcome.text

    settings = team.settings()
    use_engine(team, "pykamal")
    team.kamal("proxy", "reboot", "-y")
    assert modes(host, f"{TLS}/key.pem") == [f"640 {LOGIN}:1000"]
    assert served(host, tmp_path).endswith(" 200"), "read by the new proxy, which nobody deployed to yet"

    auth = {"engine": "pykamal", "basic_auth": {"users": {"alice": "PASSWORD"}}}
    without_rights = {"options": {"cap-drop": "ALL"}}
    team.configure(
        proxy={**settings["proxy"], "run": without_rights}, **{"x-pykamal": {**settings["x-pykamal"], "proxy": auth}}
    )
    host.run(["rm", "-r", TLS])
    team.kamal("proxy", "reboot", "-y")
    team.kamal("deploy")
    assert served(host, tmp_path).endswith(" 401")
    assert served(host, tmp_path, user="alice:hunter2").endswith(" 200")
    assert modes(host, USERS, f"{TLS}/key.pem") == [f"640 {LOGIN}:1000"] * 2
    assert readers(host, USERS) == []


def test_ruby_kamal_takes_over_and_back(team: Application, tmp_path: Path) -> None:
    """It replaces the files as the same login; the next run of ours closes what it makes."""
    host = team.hosts[0]
    team.kamal("setup")
    second = team.commit("by Ruby Kamal")
    team.ruby_kamal("deploy")
    assert second in served(host, tmp_path)
    assert modes(host, f"{TLS}/key.pem")[0].startswith("640"), "the file is written to, not replaced"
    host.run(["rm", "-r", TLS])
    team.ruby_kamal("app", "boot")
    assert modes(host, f"{TLS}/key.pem")[0].startswith("644")
    assert readers(host, f"{TLS}/key.pem") == []

    host.docker("restart", "kamal-proxy")
    wait_until(lambda: "by Ruby Kamal" in served(host, tmp_path), what="the proxy")
    third = team.commit("ours again")
    team.kamal("deploy")
    assert third in served(host, tmp_path)
    assert modes(host, f"{TLS}/key.pem")[0].startswith("640")
