"""Credentials that OpenBao's database engine generates in a real PostgreSQL, and their leases."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pykamal.config.load import load
from pykamal.core.errors import KamalError
from pykamal.operations.local.local_system import LocalSystem
from pykamal.secrets.adapters.vault import Vault
from pykamal.secrets.declared import Declared
from pykamal.secrets.store import Secrets
from tests.managers.openbao import OpenBao
from tests.managers.postgresql import PASSWORD, USER, PostgreSQL
from tests.managers.scripted_http import ScriptedServer, reply
from tests.managers.vault_fetch import At, fetch, fetch_leased

BOTH = ("database/creds/shop/username", "database/creds/shop/password")
LEASED_FOR_AN_HOUR = {
    "db_name": "shop",
    "creation_statements": [
        "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'",
    ],
    "default_ttl": "1h",
    "max_ttl": "24h",
}


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        yield server


@pytest.fixture(scope="module")
def database(openbao: OpenBao, postgresql: PostgreSQL) -> OpenBao:
    """A server whose database engine has a role in PostgreSQL."""
    openbao.call("POST", "sys/mounts/database", {"type": "database"})
    connection = {
        "plugin_name": "postgresql-database-plugin",
        "connection_url": f"postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{postgresql.port}/postgres",
        "allowed_roles": ["shop", "kept"],
        "username": USER,
        "password": PASSWORD,
    }
    openbao.call("POST", "database/config/shop", connection)
    openbao.call("POST", "database/roles/shop", LEASED_FOR_AN_HOUR)
    openbao.allow_reading("database", "database/creds/shop", "database/static-creds/kept")
    return openbao


def expiry(postgresql: PostgreSQL, user: str) -> int:
    """The time at which a role of the database ends; 0 where there is no such role."""
    found = postgresql.query(f"select extract(epoch from rolvaliduntil)::int from pg_roles where rolname = '{user}'")
    return int(found or 0)


def test_a_lease_from_its_beginning_to_its_end(database: OpenBao, postgresql: PostgreSQL, at: At) -> None:
    """Both fields are of one lease, which the database honours, and which is renewed and revoked by its identifier."""
    at(database.address, database.create_token("database", ttl="12h"))
    (user, password), (lease,) = fetch_leased(*BOTH)
    assert user is not None
    assert password is not None
    assert postgresql.query("select current_user", user=user, password=password) == user
    assert lease.path == "database/creds/shop"
    assert lease.identifier.startswith("database/creds/shop/")
    assert lease.seconds == 3600
    assert f"{lease.identifier}" in str(lease)
    assert password not in str(lease)

    before = expiry(postgresql, user)
    database.call("POST", "sys/leases/renew", {"lease_id": lease.identifier, "increment": 7200})
    assert expiry(postgresql, user) > before + 3000
    database.call("POST", "sys/leases/revoke", {"lease_id": lease.identifier, "sync": True})
    assert expiry(postgresql, user) == 0
    with pytest.raises(subprocess.CalledProcessError):
        postgresql.query("select 1", user=user, password=password)


def test_one_lease_for_a_run(database: OpenBao, at: At) -> None:
    """Two fetches of a run have the same lease, whichever fields they want; another run has a lease of its own."""
    at(database.address, database.create_token("database"))
    run = Vault()
    (user,), first = fetch_leased(BOTH[0], run=run)
    (again, password), second = fetch_leased(*BOTH, run=run)
    assert user == again
    assert password
    assert first == second
    (other,), third = fetch_leased(BOTH[0])
    assert other != user
    assert third != first


def test_the_secrets_of_a_run_know_their_leases(database: OpenBao, at: At, tmp_path: Path) -> None:
    """Two lines of a secrets file that fetch from one path have one lease, which the run can name."""
    at(database.address, database.create_token("database"))
    file = tmp_path / "secrets"
    lines = (f"{name.rpartition('/')[2]}=$(kamal secrets fetch --adapter vault {name})" for name in BOTH)
    file.write_text("\n".join(lines))
    secrets = Secrets(str(file))
    assert not secrets.leases
    assert len(secrets.all()) == 2
    (lease,) = secrets.leases
    assert lease.path == "database/creds/shop"


def test_declared_secrets_know_their_leases(
    database: OpenBao, at: At, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets that deploy.yml declares (x-pykamal/secrets) have the leases of their provider."""
    monkeypatch.chdir(tmp_path)
    at("https://127.0.0.1:1", database.create_token("database"))
    providers = {"bao": {"adapter": "vault", "address": database.address, "auth": {"token_from": "VAULT_TOKEN"}}}
    places = {name.rpartition("/")[2].upper(): f"bao:{name}" for name in BOTH}
    document = {
        "service": "app",
        "image": "me/app",
        "servers": ["127.0.0.1"],
        "builder": {"arch": "amd64"},
        "registry": {"server": "localhost:5555"},
        "env": {"secret": [*places]},
        "x-pykamal": {"secrets": {"providers": providers, "from": places}},
    }
    Path("config").mkdir()
    Path("config/deploy.yml").write_text(json.dumps(document))
    secrets = Secrets(declared=Declared(load(system=LocalSystem())))
    assert set(secrets.all()) == {"USERNAME", "PASSWORD"}
    (lease,) = secrets.leases
    assert lease.path == "database/creds/shop"


def test_the_command_tells_leases_on_standard_error(database: OpenBao, at: At) -> None:
    """`kamal secrets fetch` prints values alone to standard output."""
    at(database.address, database.create_token("database"))
    words = [str(Path(sys.executable).with_name("kamal")), "secrets", "fetch", "--adapter", "vault", *BOTH]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    assert set(json.loads(done.stdout)) == set(BOTH)
    assert done.stderr.startswith("Leased database/creds/shop of Vault at http://127.0.0.1:")


def test_a_lease_ends_with_the_token(database: OpenBao, postgresql: PostgreSQL, at: At) -> None:
    """A server takes back what a token got when the token ends, so the lease is as short as the token's life."""
    token = database.create_token("database", ttl="120s")
    at(database.address, token)
    (user, _), (lease,) = fetch_leased(*BOTH)
    assert user is not None
    assert 100 < lease.seconds <= 120
    assert expiry(postgresql, user)
    database.call("POST", "auth/token/revoke", {"token": token})
    deadline = time.monotonic() + 20
    while expiry(postgresql, user) and time.monotonic() < deadline:  # the server does it in the background
        time.sleep(0.1)
    assert expiry(postgresql, user) == 0


def test_credentials_that_are_rotated(database: OpenBao, postgresql: PostgreSQL, at: At) -> None:
    """A static role has no lease: its user stays, and the server changes the password by itself."""
    postgresql.query("create role kept login")
    static = {"db_name": "shop", "username": "kept", "rotation_period": "24h"}
    database.call("POST", "database/static-roles/kept", static)
    at(database.address, database.create_token("database"))
    values, leases = fetch_leased("database/static-creds/kept/username", "database/static-creds/kept/password")
    assert values[0] == "kept"
    assert postgresql.query("select current_user", user="kept", password=values[1] or "") == "kept"
    assert leases == ()


def test_a_database_role_that_is_not_there(database: OpenBao, at: At) -> None:
    """The error names the engine and the path, and how to see what the server says."""
    at(database.address, database.token)
    with pytest.raises(KamalError, match="engine database gives nothing at database/creds/nobody") as caught:
        fetch("database/creds/nobody/username")
    assert "vault read database/creds/nobody" in str(caught.value.hint)


def test_a_lost_answer_generates_nothing_twice(at: At) -> None:
    """A request for credentials is not repeated when its answer was lost: a second user would have no owner."""
    mount = reply(200, '{"data":{"path":"database/","type":"database","options":null}}')
    with ScriptedServer(mount, lambda connection: connection.close()) as server:
        at(server.address, "token")
        with pytest.raises(KamalError, match="closed the connection"):
            fetch(*BOTH)
        assert len(server.requests) == 2


def test_a_lease_with_an_odd_name(at: At) -> None:
    """An identifier that is no name of a lease does not reach an audit log."""
    mount = reply(200, '{"data":{"path":"database/","type":"database","options":null}}')
    odd = reply(200, '{"lease_id":"x\\ny","lease_duration":1,"data":{"username":"u","password":"p"}}')
    with ScriptedServer(mount, odd) as server:
        at(server.address, "token")
        with pytest.raises(KamalError, match="is not Vault, or"):
            fetch(*BOTH)
