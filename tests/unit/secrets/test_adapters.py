"""The adapters of spec/cli.md 16.3 against stand-ins for their managers' programs: values, command lines, failures."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from pykamal.core.errors import KamalError, ToolMissing
from pykamal.core.sensitive import reveal
from pykamal.secrets.adapters import adapter, doppler, gcp, one_password, passbolt
from pykamal.secrets.adapters.tool import SECONDS_VARIABLE
from tests.unit.secrets.stand_ins import StandIns

pytestmark = pytest.mark.unit


@dataclass(frozen=True)
class Manager:
    """An adapter, how its names and keys are made of `one`, and the text when its program is missing."""

    name: str
    missing: str
    program: str
    source: str | None = None
    key: str = "{}"
    stored: str = "{}"


MANAGERS: Final = (
    Manager("1password", "1Password CLI is not installed", "op", "vault/item", "vault/item/{}", "vault/item/{}"),
    Manager("lastpass", "LastPass CLI is not installed", "lpass"),
    Manager("bitwarden", "Bitwarden CLI is not installed", "bw", "item", "item/{}", "item/{}"),
    Manager("bitwarden-sm", "Bitwarden Secrets Manager CLI is not installed", "bws"),
    Manager("aws_secrets_manager", "AWS CLI is not installed", "aws"),
    Manager("doppler", "Doppler CLI is not installed", "doppler", "project/config"),
    Manager("enpass", "Enpass CLI is not installed", "enpass-cli", "/vault"),
    Manager("gcp", "gcloud CLI is not installed", "gcloud", None, "default/{}"),
    Manager("passbolt", "Passbolt CLI is not installed", "passbolt"),
)
ALL: Final = pytest.mark.parametrize("manager", MANAGERS, ids=lambda manager: manager.name)
VALUES: Final = ("plain", "two\nlines\n", "a'b\"c", "$HOME $(id) `id`", "ü €", " spaces ", "back\\slash", "x" * 100_000)
HIDDEN: Final = "value-hush"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """The stand-ins alone on the PATH, and no login that an earlier test left."""
    stand_ins = StandIns(tmp_path)
    stand_ins.install()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(SECONDS_VARIABLE, "60")
    for name in ("DOPPLER_TOKEN", "BW_SESSION"):
        monkeypatch.delenv(name, raising=False)
    return stand_ins


def fetch(manager: Manager, *names: str) -> dict[str, str | None]:
    """As a new process would: adapters keep logins, which a fresh one does not have."""
    fresh = type(adapter(manager.name))()
    found = fresh.fetch(names, account="me", source=manager.source)
    return {name: None if value is None else reveal(value) for name, value in found.items()}


def hold(programs: StandIns, manager: Manager, values: Mapping[str, Any], **world: Any) -> None:
    programs.hold({manager.stored.format(name): value for name, value in values.items()}, **world)


def told(error: KamalError) -> str:
    return "\n".join((error.message, *error.details, error.hint or ""))


@ALL
def test_values_arrive_unchanged_and_in_order(manager: Manager, programs: StandIns) -> None:
    """Line breaks, quotes, dollar signs, white space, what is not ASCII, and long values are the manager's own."""
    held = {f"n{number}": value for number, value in enumerate(VALUES)}
    hold(programs, manager, held)
    found = fetch(manager, *held)
    assert list(found.items()) == [(manager.key.format(name), value) for name, value in held.items()]


@pytest.mark.parametrize(
    "manager",
    [each for each in MANAGERS if each.name not in ("gcp", "bitwarden-sm")],  # which have one call for each secret
    ids=lambda manager: manager.name,
)
def test_two_hundred_at_once(manager: Manager, programs: StandIns) -> None:
    """As many as an application may have; AWS takes 20 in a request."""
    held = {f"n{number}": f"v{number}" for number in range(200)}
    hold(programs, manager, held)
    assert list(fetch(manager, *held).values()) == list(held.values())


@ALL
def test_a_missing_program(manager: Manager, programs: StandIns) -> None:
    """spec/cli.md 16.3: the text if missing, and where to get it."""
    (programs.folder / manager.program).unlink()
    with pytest.raises(ToolMissing) as caught:
        fetch(manager, "one")
    assert caught.value.message == manager.missing
    assert "https://" in (caught.value.hint or "")


@ALL
def test_a_missing_secret(manager: Manager, programs: StandIns) -> None:
    """An error that says what to do, or no entry (Enpass): never an empty value."""
    hold(programs, manager, {"one": HIDDEN})
    if manager.name == "enpass":
        assert list(fetch(manager, "one", "two")) == ["one"]
        return
    with pytest.raises(KamalError, match="two") as caught:
        fetch(manager, "one", "two")
    assert caught.value.hint
    assert HIDDEN not in told(caught.value)


@ALL
@pytest.mark.parametrize("fault", ["refused", "truncated", "encoding", "killed", "hangs", "logged out"])
def test_a_failure_is_told_without_a_value(
    manager: Manager, programs: StandIns, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an answer, another encoding, a program that dies or hangs, a wrong password: what to do, and no value."""
    hold(programs, manager, {"one": HIDDEN}, logged_in=fault != "logged out", fault=fault)
    if fault == "hangs":
        monkeypatch.setenv(SECONDS_VARIABLE, "2")
    began = time.monotonic()
    with pytest.raises(KamalError) as caught:
        fetch(manager, "one")
    assert time.monotonic() - began < 30
    assert caught.value.hint
    assert caught.value.__context__ is None or fault == "hangs"
    assert "hush" not in told(caught.value)


@ALL
def test_an_empty_value(manager: Manager, programs: StandIns) -> None:
    """Is a value; Enpass alone leaves items without a password out (spec/cli.md 16.3)."""
    hold(programs, manager, {"one": ""})
    assert fetch(manager, "one") == ({} if manager.name == "enpass" else {manager.key.format("one"): ""})


def test_sessions_stay_out_of_process_lists(programs: StandIns) -> None:
    """The sessions of `op` and `bw` are in their environment, found out once for several fetches."""
    bitwarden = type(adapter("bitwarden"))()
    for keeper, name in ((one_password.OnePassword(), "v/i/f"), (bitwarden, "i/f")):
        programs.hold({name: "x"}, logged_in=False)
        for _ in range(2):
            found = keeper.fetch([name], account="me", source=None)
            assert {key: value and value.reveal() for key, value in found.items()} == {name: "x"}
        calls = programs.called()
        assert not any("hush" in word for call in calls for word in call)
        assert sum(call[1] in ("signin", "unlock") for call in calls) == 1


def test_one_password_reads_an_item_at_a_time(programs: StandIns) -> None:
    """spec/cli.md 16.3: grouped by item, sections joined with a dot, `password` without a field."""
    programs.hold({"v/i/a": "1", "v/i/s/b": "2", "v/j/password": "3"})
    found = one_password.OnePassword().fetch(["op://v/i/a", "v/j", "v/i/s/b"], account="me", source=None)
    assert list(found) == ["v/i/a", "v/i/s/b", "v/j"]
    fixed = ["--vault", "v", "--format", "json", "--account", "me"]
    assert programs.called()[-2:] == [
        ["op", "item", "get", "i", *fixed, "--fields", "label=a,label=s.b"],
        ["op", "item", "get", "j", *fixed, "--fields", "label=password"],
    ]
    programs.hold({"v/i/a": "1", "v/i/empty": None})
    whole = one_password.OnePassword().fetch([], account="me", source="v/i")
    assert {key: value and value.reveal() for key, value in whole.items()} == {"v/i/a": "1", "v/i/empty": None}


def test_aws_takes_documents_apart(programs: StandIns) -> None:
    """spec/cli.md 16.3: keys of an object; other JSON and text as it is; the profile after the names."""
    programs.hold({"o": '{"a":"1","b":[2,true]}', "n": "5", "t": "text"})
    found = type(adapter("aws_secrets_manager"))().fetch(["o", "n", "t"], account="me", source=None)
    assert {key: value and value.reveal() for key, value in found.items()} == {
        "o/a": "1",
        "o/b": "[2,true]",
        "n": "5",
        "t": "text",
    }
    names = ["--secret-id-list", "o", "n", "t", "--profile", "me", "--output", "json"]
    assert programs.called()[-1] == ["aws", "secretsmanager", "batch-get-secret-value", *names]


def test_doppler_needs_a_place_or_a_service_token(programs: StandIns, monkeypatch: pytest.MonkeyPatch) -> None:
    """spec/cli.md 16.3: project and config are the first two parts of the first name."""
    programs.hold({"A": "1"})
    with pytest.raises(KamalError, match="Missing project or config from '--from=project/config' option"):
        doppler.Doppler().fetch(["A"], account=None, source=None)
    doppler.Doppler().fetch(["A"], account=None, source="p/c")
    assert programs.called()[-1] == ["doppler", "secrets", "get", "A", "--json", "-p", "p", "-c", "c"]
    monkeypatch.setenv("DOPPLER_TOKEN", "dp.st.production.x")
    doppler.Doppler().fetch(["A"], account=None, source=None)
    assert programs.called()[-1] == ["doppler", "secrets", "get", "A", "--json"]


def test_gcp_has_accounts_projects_and_versions(programs: StandIns) -> None:
    """spec/cli.md 16.3: `USER|SA,SA`; `default` is what gcloud is configured for."""
    programs.hold({"s": "1"})
    found = gcp.GoogleSecretManager().fetch(["p/s/7"], account="u@x|a@x,b@x", source=None)
    assert list(found) == ["p/s"]
    words = ["secrets", "versions", "access", "7", "--secret=s", "--project=p", "--account=u@x"]
    assert programs.called()[-1] == ["gcloud", *words, "--impersonate-service-account=a@x,b@x", "--format=json"]
    gcp.GoogleSecretManager().fetch(["s"], account="default", source=None)
    assert programs.called()[-1] == ["gcloud", "secrets", "versions", "access", "latest", "--secret=s", "--format=json"]


def test_passbolt_finds_folders_first(programs: StandIns) -> None:
    """spec/cli.md 16.3: one call for the top folders, one for each deeper level, one for all resources."""
    programs.hold({"one": "1", "two": "2"}, folders=("top", "deep"))
    found = passbolt.Passbolt().fetch(["one", "top/deep/two"], account=None, source=None)
    assert list(found) == ["one", "two"]
    deep = 'Name == "deep" && FolderParentID == "id-top"'
    two = '(Name == "two" && FolderParentID == "id-deep")'
    inside = ["--folder", "id-top", "--folder", "id-deep"]
    columns = ["--column", "name", "--column", "password", "--json"]
    assert programs.called()[-3:] == [
        ["passbolt", "list", "folders", "--filter", 'Name == "top"', "--json"],
        ["passbolt", "list", "folders", "--filter", deep, "--json"],
        ["passbolt", "list", "resources", "--filter", f'Name == "one" || {two}', *inside, *columns],
    ]
    with pytest.raises(KamalError, match="Could not find the following folders in Passbolt: gone"):
        passbolt.Passbolt().fetch(["gone/one"], account=None, source=None)
    with pytest.raises(KamalError, match="No secrets given to fetch"):
        passbolt.Passbolt().fetch([], account=None, source=None)
