"""The store of secrets and its helpers."""

from __future__ import annotations

from pathlib import Path

import pytest

from pykamal.core.diagnostics import Diagnostic
from pykamal.core.errors import ConfigurationError, KamalError, SecretNotFound
from pykamal.core.sensitive import Sensitive
from pykamal.core.source import Position
from pykamal.secrets import helpers
from pykamal.secrets.adapters import adapter
from pykamal.secrets.store import Secrets

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".kamal").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".kamal"


def test_the_destination_file_replaces_the_plain_one(folder: Path) -> None:
    """Common file first, then PATH, or PATH.DEST instead of it; later entries replace (cli.md 16.1)."""
    (folder / "secrets-common").write_text("A=common\nB=common\n")
    (folder / "secrets").write_text("A=plain\nC=plain\n")
    (folder / "secrets.staging").write_text("A=staging\n")

    def shown(secrets: Secrets) -> dict[str, str]:
        return {name: value.reveal() for name, value in secrets.all().items()}

    assert shown(Secrets()) == {"A": "plain", "B": "common", "C": "plain"}
    assert shown(Secrets(destination="staging")) == {"A": "staging", "B": "common"}


def test_missing_names_run_nothing(folder: Path) -> None:
    """Missing names are reported without running the commands of the entries."""
    (folder / "secrets-common").write_text("A=$(false)\n")
    (folder / "secrets").write_text("B=x\nexport C=y\n")

    def run(command: str) -> str:
        raise AssertionError(f"{command} was run")

    assert Secrets(run=run).missing(["A", "B", "C", "D", "E", "D"]) == ["D", "E"]


@pytest.mark.parametrize(
    ("destination", "file", "advice"),
    [
        ("staging", "secrets", ".kamal/secrets has it, which is not read with -d: move what all destinations share"),
        (None, "secrets.staging", ".kamal/secrets.staging has it, which is read with -d staging"),
        ("production", "secrets.staging", ".kamal/secrets.staging has it, which is read with -d staging"),
    ],
)
def test_a_secret_of_a_file_that_is_not_read(folder: Path, destination: str | None, file: str, advice: str) -> None:
    """The hint names the file that has the secret and how it is read."""
    (folder / file).write_text("TOKEN=$(touch never)\n")
    with pytest.raises(SecretNotFound) as caught:
        Secrets(destination=destination)["TOKEN"]
    assert advice in (caught.value.hint or "")
    assert not Path("never").exists()


def test_an_entry_refers_to_its_own_file_only(folder: Path) -> None:
    """`REF=$C` with C only in the common file is empty (cli.md 16.1)."""
    (folder / "secrets-common").write_text("C=common\n")
    (folder / "secrets").write_text("REF=$C\n")
    assert Secrets(environment={})["REF"] == Sensitive("")


def test_nothing_is_read_before_the_first_question_and_once_after_it(folder: Path) -> None:
    """Reading may ask for a password, so it happens late and once (cli.md 16.1)."""
    ran: list[str] = []

    def run(command: str) -> str:
        ran.append(command)
        return "value"

    (folder / "secrets").write_text("A=$(tool)\n")
    secrets = Secrets(run=run)
    assert ran == []
    assert secrets["A"].reveal() == "value"
    assert secrets.all() == {"A": Sensitive("value")}
    assert ran == ["tool"]


def test_what_is_known_so_far(folder: Path) -> None:
    """Asking for it reads nothing (cli.md 16.1)."""
    (folder / "secrets").write_text("A=1\nB=2\n")
    secrets = Secrets()
    assert secrets.known() == ()
    assert secrets["A"] == Sensitive("1")
    assert secrets.known() == (Sensitive("1"), Sensitive("2"))


def test_values_do_not_show(folder: Path) -> None:
    """A secret renders as `[REDACTED]` (design.md, rule 1)."""
    (folder / "secrets").write_text("A=hush\n")
    assert "hush" not in f"{Secrets().all()} {Secrets()['A']}"


def test_a_missing_key_names_the_files_that_exist(folder: Path) -> None:
    """The literal text, the file to add the entry to, and who asks for it (config.md 1.6)."""
    (folder / "secrets").write_text("A=1\n")
    secrets = Secrets(asked_by=lambda name: Position("config/deploy.yml", 7, 5))
    with pytest.raises(SecretNotFound) as caught:
        secrets["B"]
    assert caught.value.message == "Secret 'B' not found in .kamal/secrets"
    assert caught.value.hint == "add B=... to .kamal/secrets (config/deploy.yml:7:5 asks for it)"


def test_a_missing_key_without_files(folder: Path) -> None:
    """The second file name carries the destination (config.md 1.6)."""
    with pytest.raises(SecretNotFound) as caught:
        Secrets(destination="staging")["B"]
    expected = "Secret 'B' not found, no secret files (.kamal/secrets-common, .kamal/secrets.staging) provided"
    assert caught.value.message == expected


def test_an_empty_value_is_found_but_does_not_exist(folder: Path) -> None:
    """Empty counts as found when looked up, as absent when asked for existence (config.md 1.6)."""
    (folder / "secrets").write_text("A=\n")
    secrets = Secrets()
    assert secrets["A"] == Sensitive("")
    assert "A" not in secrets
    assert secrets.get("A") is None


def test_the_environment_is_no_fallback(folder: Path) -> None:
    """A key that is only in the environment is missing (cli.md 16.1)."""
    with pytest.raises(SecretNotFound):
        Secrets(environment={"A": "1"})["A"]


@pytest.mark.process
def test_commands_that_fail_are_told(folder: Path) -> None:
    """Their exit status does not count (cli.md 16.1), but nobody wants to deploy an empty password unawares."""
    warnings: list[Diagnostic] = []
    (folder / "secrets").write_text("A=1\nB=$(exit 3)\nC=$(echo half; exit 1)-$A\n")
    assert Secrets(warn=warnings.append).all() == {"A": Sensitive("1"), "B": Sensitive(""), "C": Sensitive("half-1")}
    assert [str(warning) for warning in warnings] == [
        ".kamal/secrets:2:1: the command of B ended with exit status 3 and printed nothing",
        ".kamal/secrets:3:1: the command of C ended with exit status 1",
    ]


def test_helpers_that_fail_are_told_with_their_line(folder: Path) -> None:
    """Errors inside abort the run (cli.md 16.1); they say which line it was, and what there is to extract."""
    fetched = "$(kamal secrets fetch -a test --account me --from V ONE TWO)"
    (folder / "secrets").write_text(f"ALL={fetched}\n\nB=$(kamal secrets extract THREE $ALL)\n")
    with pytest.raises(KamalError, match="Could not find secret THREE") as caught:
        Secrets().all()
    assert caught.value.details == (".kamal/secrets:3:1: the command of B failed",)
    assert caught.value.hint == "what was fetched has V/ONE, V/TWO"


def test_a_file_that_is_not_text(folder: Path) -> None:
    """Bytes that are no UTF-8 are told with their place, without showing them."""
    (folder / "secrets").write_bytes(b"A=\xff\n")
    with pytest.raises(ConfigurationError, match=r"\.kamal/secrets is not UTF-8 text: .* at byte 2"):
        Secrets()["A"]


def test_fetch_with_the_test_adapter() -> None:
    """Compact JSON in the order asked for, names with `--from` in front (cli.md 16.2 and 16.3)."""
    found = helpers.fetch(["AB", "LPARENx"], adapter_name="TEST", account="me", source="v")
    assert found == '{"v/AB":"BA/v","v/LPARENx":"x(/v"}'


@pytest.mark.parametrize(
    ("name", "document", "expected"),
    [
        ("A", '{"A":"1"}', "1"),
        ("A", '{"x/A":"1","y/A":"2"}', "1"),
        ("A", '{"x/A":"1","A":"2"}', "2"),
        ("A", '{"A":""}', ""),
        ("A", '{"A":5}', "5"),
    ],
)
def test_extract(name: str, document: str, expected: str) -> None:
    """The exact key, else the first that ends in `/NAME` (cli.md 16.2)."""
    assert helpers.extract(name, document) == expected


@pytest.mark.parametrize("name", ["shop/db#KEY", "shop/db/KEY", "db#KEY", "db/KEY", "KEY"])
@pytest.mark.parametrize("fetched", ["shop/db#KEY", "shop/db/KEY"])
def test_a_key_of_an_item_has_two_spellings(name: str, fetched: str) -> None:
    """`extract` takes `ITEM#KEY` and `ITEM/KEY` alike, as deploy.yml does, whatever an adapter calls it."""
    assert helpers.extract(name, f'{{"other/KEYS":"0","{fetched}":"1"}}') == "1"


@pytest.mark.parametrize("document", ['{"AB":"1"}', "[1]", '"A"'])
def test_extract_of_a_missing_name(document: str) -> None:
    """The literal text of Ruby Kamal (cli.md 16.2)."""
    with pytest.raises(KamalError, match=r"^Could not find secret A$"):
        helpers.extract("A", document)


def test_extract_never_shows_what_it_was_given() -> None:
    """Invalid JSON may still be a secret, so the error does not show it."""
    with pytest.raises(KamalError) as caught:
        helpers.extract("A", "hush")
    assert "hush" not in caught.value.message


def test_an_unknown_adapter() -> None:
    """The literal text of Ruby Kamal (cli.md 16.2)."""
    with pytest.raises(KamalError, match=r"^Unknown secrets adapter: nope$"):
        adapter("nope")


def test_other_helpers_are_refused_inside_a_file() -> None:
    """`$(kamal secrets print)` would read the file that is being read."""
    with pytest.raises(KamalError, match="cannot be used inside a secrets file"):
        helpers.run("print", [])
