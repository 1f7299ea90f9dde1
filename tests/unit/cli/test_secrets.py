"""`kamal secrets ...` on the command line and inside secrets files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pykamal.cli.dispatch import dispatch

pytestmark = pytest.mark.unit

CONFIG = """\
service: app
image: me/app
servers: [127.0.0.1]
registry: {username: me, password: [REGISTRY_PASSWORD]}
builder: {arch: amd64}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of secrets files of a project that is the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KAMAL_DESTINATION", raising=False)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "deploy.yml").write_text(CONFIG)
    (tmp_path / ".kamal").mkdir()
    return tmp_path / ".kamal"


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["fetch", "-a", "test", "--account", "me", "AB", "C D"], '{"AB":"BA","C D":"D C"}'),
        (["fetch", "--adapter=TEST", "--account", "me", "--from", "v", "AB"], '{"v/AB":"BA/v"}'),
        (["fetch", "-a", "test", "--account", "me"], "{}"),
        (["fetch", "-a", "test", "--account", "me", "--inline", "AB"], r"\{\"AB\":\"BA\"\}"),
        (["extract", "AB", '{"v/AB":"x y"}'], "x y"),
        (["extract", "--inline", "AB", '{"v/AB":"x y"}'], "x y"),
    ],
)
def test_what_is_printed(
    words: list[str], printed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Compact JSON, or the bare value; no configuration is needed (cli.md 1.5, 16.2)."""
    monkeypatch.chdir(tmp_path)
    assert dispatch(["secrets", *words]) == 0
    assert capsys.readouterr().out == f"{printed}\n"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["fetch", "A"], 2, "No value provided for required options '--adapter'\n"),
        (["fetch", "-a", "test", "A"], 2, "No value provided for required options '--account'\n"),
        (["fetch", "-a", "nope", "A"], 1, "  ERROR (RuntimeError): Unknown secrets adapter: nope\n"),
        (["extract", "A", '{"B":"1"}'], 1, "  ERROR (RuntimeError): Could not find secret A\n"),
        (["extract", "A", "{"], 1, "  ERROR (RuntimeError): Cannot extract A: what was handed over is not JSON\n"),
        (["extract", "A"], 2, 'ERROR: "kamal secrets extract" was called with arguments ["A"]\n'),
    ],
)
def test_what_is_refused(
    words: list[str],
    code: int,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The texts of Ruby Kamal; a missing account fails, so that no script goes on without the secrets (cli.md 16.2)."""
    monkeypatch.chdir(tmp_path)
    assert dispatch(["secrets", *words]) == code
    captured = capsys.readouterr()
    assert (captured.out + captured.err).startswith(told)


def test_print(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`KEY=VALUE`, unmasked, the common file first, later entries in the place of the first (cli.md 16.2)."""
    (project / "secrets-common").write_text("A=common\nB=common\n")
    (project / "secrets").write_text("C='x y'\nA=own\n")
    assert dispatch(["secrets", "print"]) == 0
    assert capsys.readouterr().out == "A=own\nB=common\nC=x y\n"


def test_helpers_inside_a_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`$(kamal secrets ...)` runs in this process, as with `--inline`; words are a shell's (cli.md 16.1)."""
    (project / "secrets").write_text(
        "ALL=$(kamal secrets fetch --adapter test --account me --from v ONE 'T WO')\n"
        "A=$(kamal secrets extract ONE $ALL)\n"
        "B=$( kamal  secrets   extract 'v/T WO' $ALL )\n"
    )
    assert dispatch(["secrets", "print"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == r"ALL=\{\"v/ONE\":\"ENO/v\",\"v/T\ WO\":\"OW\ T/v\"\}"
    assert lines[1:] == ["A=ENO/v", "B=OW T/v"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("A=$(kamal secrets fetch -a test B)", "No value provided for required options '--account'"),
        ("A=$(kamal secrets fetch -a nope --account me B)", "Unknown secrets adapter: nope"),
        ("A=$(kamal secrets extract B {})", "Could not find secret B"),
        ("A=$(kamal secrets extract 'B {})", "Cannot read `kamal secrets extract`: No closing quotation"),
        ("A=$(kamal secrets )", "`kamal secrets` cannot be used inside a secrets file"),
    ],
)
def test_errors_inside_a_file_end_the_run(
    line: str, told: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, and nothing of the file is printed (cli.md 16.1)."""
    (project / "secrets").write_text(f"FIRST=hush\n{line}\n")
    assert dispatch(["secrets", "print"]) == 1
    out = capsys.readouterr().out
    assert out.startswith(f"  ERROR (RuntimeError): {told}\n")
    assert "hush" not in out


# -- `kamal secrets check`

EVERYTHING = """\
service: app
image: me/app
servers:
  web:
    hosts: [127.0.0.1]
    env: {secret: [WEB_KEY]}
  job:
    hosts: [127.0.0.1]
registry: {username: [REGISTRY_USER], password: [REGISTRY_PASSWORD]}
builder: {arch: amd64, secrets: [BUILD_TOKEN]}
proxy: {host: app.example.com, ssl: {certificate_pem: CERTIFICATE, private_key_pem: PRIVATE_KEY}}
ssh: {key_data: [SSH_KEY]}
env:
  secret: [ROOT_KEY, "ALIASED:DATABASE_URL"]
  tags: {blue: {secret: [TAG_KEY]}}
accessories:
  db:
    image: postgres
    host: 127.0.0.1
    registry: {server: ghcr.io, username: me, password: [DB_REGISTRY]}
    env: {secret: [POSTGRES_PASSWORD]}
x-pykamal: {proxy: {engine: pykamal, basic_auth: {users: {ada: ADA_HASH}}}}
"""
NAMES = (
    *("REGISTRY_USER", "REGISTRY_PASSWORD", "BUILD_TOKEN", "ROOT_KEY", "DATABASE_URL", "TAG_KEY", "WEB_KEY"),
    *("CERTIFICATE", "PRIVATE_KEY", "DB_REGISTRY", "POSTGRES_PASSWORD", "SSH_KEY", "ADA_HASH"),
)


def checked(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str, str]:
    code = dispatch(["secrets", "check", *options])
    return code, *capsys.readouterr()


def test_check_finds_every_name(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every place of deploy.yml that names a secret is told with its line, all of them at once."""
    (project.parent / "config" / "deploy.yml").write_text(EVERYTHING)
    (project / "secrets").write_text("SSH_KEY=x\n")
    code, out, _ = checked(capsys, "--output", "json")
    found = {each["message"].split()[2]: each["location"] for each in json.loads(out)["diagnostics"]}
    assert code == 1
    assert set(found) == set(NAMES) - {"SSH_KEY"}
    assert (found["WEB_KEY"]["line"], found["WEB_KEY"]["setting"]) == (6, "servers/web/env/secret/0")
    assert found["ADA_HASH"]["setting"] == "x-pykamal/proxy/basic_auth/users/ada"


def test_check_shows_nothing_of_values(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 0 where all resolve, and no value is in any form of output."""
    (project.parent / "config" / "deploy.yml").write_text(EVERYTHING)
    (project / "secrets").write_text("".join(f"{name}=hush-{name}\n" for name in NAMES))
    code, out, err = checked(capsys)
    assert (code, out, err) == (0, "All 13 secrets that config/deploy.yml names resolve.\n", "")
    for form in ("json", "sarif", "github", "gitlab"):
        code, out, err = checked(capsys, "--output", form, "--strict")
        assert (code, "hush" in out + err) == (0, False)


@pytest.mark.process
def test_check_tells_all_failures(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Missing, failing and empty ones, with file, line and key; what depends on a failure is told as such."""
    (project.parent / "config" / "deploy.yml").write_text(CONFIG + "env: {secret: [A, B, C, D, E, F]}\n")
    (project / "secrets").write_text(
        "REGISTRY_PASSWORD=x\n"
        "SECRETS=$(kamal secrets fetch -a nope A)\n"
        "A=$(kamal secrets extract A $SECRETS)\n"
        "B=$(echo hush; exit 3)\n"
        "C=$NO_SUCH_VARIABLE\n"
        "D=$(printf hush) ${HOME:-hush}\n"
        "F=\n"
    )
    code, _, err = checked(capsys)
    assert code == 1
    assert "hush" not in err
    for line in (
        ".kamal/secrets:2:1: SECRETS cannot be fetched: Unknown secrets adapter: nope [unresolved-secret]",
        ".kamal/secrets:3:1: A cannot be fetched: A refers to SECRETS, which failed [unresolved-secret]",
        "    config/deploy.yml:6:16: env/secret/0 names it",
        ".kamal/secrets:4:1: the command of B ended with exit status 3 [secret-command-failed]",
        ".kamal/secrets:5:1: C is empty [empty-secret]",
        "warning: .kamal/secrets:6:1: D has `${HOME...}` with more than a name in it",
        "config/deploy.yml:6:28: the secret E is not defined in .kamal/secrets-common or .kamal/secrets",
    ):
        assert line in err
    assert "F is empty" not in err


def test_check_is_strict_on_demand(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A loss is a warning, and an error with `--strict`."""
    (project / "secrets").write_text("REGISTRY_PASSWORD=pa$word-x\n")
    assert [checked(capsys)[0], checked(capsys, "--strict")[0]] == [0, 1]
