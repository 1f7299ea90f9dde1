"""`kamal secrets ...` on the command line and inside secrets files."""

from __future__ import annotations

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
