"""Users and password hashes on their way to the proxy (docs/proxy.md, protections)."""

from __future__ import annotations

import bcrypt
import pytest

from pykamal.commands.script import Step
from pykamal.config.models import Extension, ProxyEngine, ProxyExtension
from pykamal.core.errors import KamalError
from pykamal.operations.app.boot_plan import boot_phases
from pykamal.operations.context import Context
from pykamal.operations.execution.preflight import require_secrets
from pykamal.operations.hosts.facts import HostFacts
from pykamal.operations.proxy.users import users_steps
from tests.unit.samples import config, context, role

pytestmark = pytest.mark.unit

HASH = "$2y$05$abcdefghijklmnopqrstuu" + "A" * 31
FILE = ".kamal/proxy/apps-config/app/auth/users"


def _steps(**secrets: str) -> list[Step]:
    return list(users_steps(_context(**secrets)))


def _context(**secrets: str) -> Context:
    users = {name.lower(): name for name in secrets} or {"alice": "ALICE"}
    extension = Extension(proxy=ProxyExtension(ProxyEngine.PYKAMAL, users=users))
    roles = role("web", "h1", "h2"), role("jobs", "h3")
    return context(config(*roles, extension=extension), secrets={"REGISTRY_PASSWORD": "x", **secrets})


def test_only_hashes_leave_the_machine() -> None:
    """A password is hashed, a hash stays; neither is shown."""
    step = _steps(ALICE="wonder land", BOB=HASH)[-1]
    assert "wonder land" not in step.command.shell_text()
    line = next(line for line in step.command.shell_text().splitlines() if "alice:" in line)
    digest = line.rpartition("alice:")[2]
    assert bcrypt.checkpw(b"wonder land", digest.encode())
    assert f"bob:{HASH}" in step.command.shell_text()
    assert HASH not in step.command.display_text()
    assert FILE in step.command.display_text()


@pytest.mark.parametrize("password", ["", "x" * 73, "ü" * 37, "two\nlines", f"x\nmallory:{HASH}", "a\0b"])
def test_what_is_no_password_is_refused(password: str) -> None:
    """The message names the secret and not its value."""
    with pytest.raises(KamalError) as caught:
        _steps(ALICE=password)
    assert caught.value.message == "The secret ALICE is no password for basic_auth"


@pytest.mark.parametrize(
    "value",
    [
        "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/",
        "$1$saltsalt$x",
        "{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=",
        HASH[:-1],
        f"{HASH}\n",
    ],
)
def test_hashes_that_would_be_taken_for_passwords_are_refused(value: str) -> None:
    """The default hashes of `htpasswd` and incomplete bcrypt hashes are refused: nobody could log in with them."""
    with pytest.raises(KamalError) as caught:
        _steps(ALICE=value)
    assert caught.value.message.startswith("The secret ALICE is a hash that basic_auth cannot use")
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    "value", ["$6$salt$hash", "$y$j9T$salt$hash", "$7$CU..../....salt$hash", HASH.replace("2y", "2b")]
)
def test_hashes_of_the_good_kinds_stay(value: str) -> None:
    """As `mkpasswd` and `openssl passwd -6` write them."""
    assert f"alice:{value}" in _steps(ALICE=value)[-1].command.shell_text()


def test_the_users_come_before_the_first_container() -> None:
    """On the hosts of roles behind the proxy, and only there."""
    facts = {host: HostFacts(host, ()) for host in ("h1", "h2", "h3")}
    prepare = boot_phases(_context(ALICE="a"), facts, "2")[0]
    assert [task.host for task in prepare.tasks] == ["h1", "h2"]
    assert [step.name for step in prepare.tasks[0].script] == [
        "make users directory",
        "let proxy read users",
        "write users",
    ]


def test_a_missing_password_stops_the_deploy_before_it_starts() -> None:
    """It is among the secrets that are looked up first."""
    with pytest.raises(KeyError, match="ALICE"):
        require_secrets(_context(), builds=False)


def test_nothing_without_users() -> None:
    """No directory, no file."""
    assert users_steps(context(config(role("web", "h")))) == ()
