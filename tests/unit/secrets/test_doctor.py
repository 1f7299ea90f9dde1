"""`kamal secrets doctor`: programs, logins and the adapters that a project names."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pykamal.cli.dispatch import dispatch
from pykamal.secrets.adapters import MODULES, adapter
from pykamal.secrets.doctor import examine, uses_in_files
from tests.unit.secrets.stand_ins import StandIns

pytestmark = [pytest.mark.unit, pytest.mark.process]

CONFIG = """\
service: app
image: me/app
servers: [127.0.0.1]
registry: {username: me, password: [REGISTRY_PASSWORD]}
builder: {arch: amd64}
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """The stand-ins alone on the PATH, in a project that is the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("config", ".kamal", "bin"):
        (tmp_path / name).mkdir()
    (tmp_path / "config" / "deploy.yml").write_text(CONFIG)
    stand_ins = StandIns(tmp_path / "bin")
    stand_ins.install()
    stand_ins.hold({})
    monkeypatch.setenv("PATH", str(stand_ins.folder))
    for name in ("DOPPLER_TOKEN", "BW_SESSION", "KAMAL_DESTINATION"):
        monkeypatch.delenv(name, raising=False)
    return stand_ins


def test_adapters_of_secrets_files(tmp_path: Path) -> None:
    """Every `kamal secrets fetch` names one, with its account and line; what a variable holds is not known."""
    file = tmp_path / "secrets"
    file.write_text(
        "A=$(kamal secrets fetch --adapter 1password --account acme --from V A B)\n"
        "# B=$(kamal secrets fetch -a lastpass --account x C)\n"
        'C="$(kamal secrets fetch C -a=Doppler)"\n'
        "D=$(kamal secrets fetch --account=$ME -a bitwarden)\n"
        "E=$(kamal secrets extract fetch $A)\n"
    )
    found = [(use.adapter, use.account, use.position and use.position.line) for use in uses_in_files([str(file)])]
    assert found == [("1password", "acme", 1), ("doppler", None, 3), ("bitwarden", None, 4)]


IDENTITIES = {
    "1password": "ada@example.com",
    "aws_secrets_manager": "arn:aws:iam::1:user/ada",
    "bitwarden": "ada@example.com",
    "bitwarden-sm": None,
    "doppler": "ada",
    "enpass": None,
    "gcp": "me",
    "lastpass": "me",
    "passbolt": None,
}


def test_logins_are_told(programs: StandIns) -> None:
    """The manager says as whom it knows us, where it can; nobody is asked to log in."""
    states = {each.name: (each.identity, each.problem) for each in examine([])}
    assert {name: states[name] for name in IDENTITIES} == {name: (known, None) for name, known in IDENTITIES.items()}
    assert not _asked_for_a_login(programs)


def test_missing_logins_are_told(programs: StandIns) -> None:
    """Without a login an adapter is not usable, and how to log in is said. Enpass has no command that tells."""
    programs.hold({}, logged_in=False, fault="not logged in")
    problems = {each.name: each.problem for each in examine([])}
    hints = {name: problem.hint for name in IDENTITIES if (problem := problems[name]) is not None}
    assert set(hints) == set(IDENTITIES) - {"enpass"}
    assert all(hints.values())
    assert not _asked_for_a_login(programs)


def _asked_for_a_login(programs: StandIns) -> bool:
    return any({"login", "signin", "unlock"} & set(call) for call in programs.called())


def test_a_program_that_is_missing(programs: StandIns) -> None:
    """Adapters with and without a status of their own tell of it."""
    for program in programs.folder.iterdir():
        program.unlink()
    states = {each.name: each.problem for each in examine([])}
    missing = {name: problem.message for name, problem in states.items() if problem is not None}
    assert missing.keys() >= IDENTITIES.keys()
    assert missing["1password"] == "1Password CLI is not installed"


def test_a_program_alone_proves_nothing(programs: StandIns, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is claimed of an adapter that has its program and cannot tell whether somebody is logged in."""
    assert (programs.folder / "enpass-cli").exists()
    assert "  enpass               installed: only a fetch can tell whether it is usable\n" in doctor(capsys)[1]
    states = {each["name"]: each["usable"] for each in json.loads(doctor(capsys, "--output", "json")[1])["adapters"]}
    assert states["enpass"] is None


def test_age_needs_an_identity(programs: StandIns, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its program or its library is not enough to decrypt with."""
    assert programs.folder.exists()
    monkeypatch.delenv("AGE_KEY", raising=False)
    monkeypatch.delenv("AGE_KEY_FILE", raising=False)
    problem = {each.name: each.problem for each in examine([])}["age"]
    assert problem is not None
    monkeypatch.setitem(sys.modules, "pyrage", ModuleType("pyrage"))
    (tmp_path / "key").write_text("AGE-SECRET-KEY-1\n")
    monkeypatch.setenv("AGE_KEY_FILE", str(tmp_path / "key"))
    assert {each.name: each.problem for each in examine([])}["age"] is None


def test_every_adapter_is_examined_once(programs: StandIns) -> None:
    """Of several names of an adapter the shortest is shown."""
    assert (programs.folder / "op").exists()
    names = [each.name for each in examine([])]
    assert len({MODULES[name] for name in names}) == len(names) == len(set(MODULES.values()))


def doctor(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    code = dispatch(["secrets", "doctor", *options])
    return code, capsys.readouterr().out


def test_the_project_decides_the_exit_code(programs: StandIns, capsys: pytest.CaptureFixture[str]) -> None:
    """Adapters that the project names come first and must be usable; a missing program of a command counts too."""
    assert doctor(capsys)[0] == 0
    Path(".kamal/secrets").write_text("A=$(kamal secrets fetch -a lastpass --account me A)\n")
    code, out = doctor(capsys)
    assert code == 0
    assert out.splitlines()[:2] == ["Adapters of this project:", "  lastpass             usable as me"]

    (programs.folder / "lpass").unlink()
    code, out = doctor(capsys)
    assert code == 1
    assert ".kamal/secrets:1:1: lastpass cannot be used here: LastPass CLI is not installed [manager-not-usable]" in out
    assert "https://github.com/lastpass" in out

    Path(".kamal/secrets").write_text("A=$(pass show a)\n")
    code, out = doctor(capsys)
    assert code == 1
    assert "A runs pass, which is not installed here" in out


DECLARED = """\
x-pykamal:
  secrets:
    providers:
      team: {adapter: 1password, account: acme}
      box: {adapter: doppler}
"""


def test_providers_of_deploy_yml(programs: StandIns, capsys: pytest.CaptureFixture[str]) -> None:
    """Providers that are declared are examined by their names, and count."""
    Path("config/deploy.yml").write_text(CONFIG + DECLARED)
    (programs.folder / "doppler").unlink()
    code, out = doctor(capsys)
    assert code == 1
    assert "  team                 usable as ada@example.com\n" in out
    assert "config/deploy.yml:10:12: box cannot be used here: Doppler CLI is not installed" in out
    assert ["op", "whoami", "--account", "acme", "--format", "json"] in programs.called()


def test_json(programs: StandIns, capsys: pytest.CaptureFixture[str]) -> None:
    """One document has every adapter, and what is wrong in the form of all reports."""
    (programs.folder / "bw").unlink()
    Path(".kamal/secrets").write_text("A=$(kamal secrets fetch -a bitwarden --account me A)\n")
    code, out = doctor(capsys, "--output", "json")
    document = json.loads(out)
    first = document["adapters"][0]
    assert (code, document["usable"]) == (1, False)
    assert (first["name"], first["used"], first["account"], first["usable"]) == ("bitwarden", True, "me", False)
    assert first["problem"] == "Bitwarden CLI is not installed"
    assert [each["identifier"] for each in document["diagnostics"]] == ["manager-not-usable"]
    states = {each["name"]: each["usable"] for each in document["adapters"]}
    assert (states["1password"], states["test"]) == (True, None), "nothing is claimed of what cannot be examined"


def test_all_adapters_can_be_loaded() -> None:
    """The doctor imports each of them."""
    assert all(adapter(name) for name in MODULES)
