"""The adapters of spec/cli.md 16.3 against stand-ins: command lines, messages, and what only one of them does.

What holds for all of them is in test_stand_in_conformance.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pykamal.core.errors import KamalError, ToolMissing
from pykamal.secrets.adapters import adapter, doppler, enpass, gcp, one_password, passbolt
from tests.unit.secrets.stand_ins import StandIns

pytestmark = pytest.mark.unit

TITLES = {
    "1password": "1Password CLI",
    "lastpass": "LastPass CLI",
    "bitwarden": "Bitwarden CLI",
    "bitwarden-sm": "Bitwarden Secrets Manager CLI",
    "aws_secrets_manager": "AWS CLI",
    "doppler": "Doppler CLI",
    "enpass": "Enpass CLI",
    "gcp": "gcloud CLI",
    "passbolt": "Passbolt CLI",
}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """The stand-ins alone on the PATH, and no login in the environment."""
    stand_ins = StandIns(tmp_path)
    stand_ins.install()
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("DOPPLER_TOKEN", "BW_SESSION"):
        monkeypatch.delenv(name, raising=False)
    return stand_ins


@pytest.mark.process
@pytest.mark.parametrize("name", TITLES)
def test_a_missing_program(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """spec/cli.md 16.3: the text if missing; the hint says where to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match=f"^{TITLES[name]} is not installed$") as caught:
        adapter(name).fetch(["one"], account="me", source="a/b")
    assert "https://" in (caught.value.hint or "")


def test_enpass_leaves_out(programs: StandIns) -> None:
    """spec/cli.md 16.3: items without a password, and names that are not found."""
    programs.hold({"one": "1", "two": ""})
    assert list(enpass.Enpass().fetch(["one", "two", "three"], account=None, source="/vault")) == ["one"]


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
