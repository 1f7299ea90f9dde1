"""`kamal secrets scan` over real repositories: each place proves that a planted leak is found."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pykamal.cli.dispatch import dispatch
from pykamal.operations.local.deployed_versions import remember

pytestmark = [pytest.mark.unit, pytest.mark.process]

SECRET = "Tr0ub4dor&3/x"
CONFIG = """\
service: app
image: me/app
servers: [127.0.0.1]
registry: {username: me, password: [REGISTRY_PASSWORD]}
builder: {arch: amd64}
env: {secret: [DATABASE_PASSWORD, SHORT]}
"""
Scan = Callable[..., tuple[int, str, str]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in a Git repository with one commit; its secrets file is ignored."""
    folder = tmp_path / "project"
    for path, text in {
        "config/deploy.yml": CONFIG,
        ".kamal/secrets": f"REGISTRY_PASSWORD=t0p-registry-pass\nDATABASE_PASSWORD='{SECRET}'\nSHORT=abc\n",
        ".gitignore": ".kamal/secrets\n",
        "Dockerfile": "FROM scratch\n",
        "app.rb": "puts 1\n",
    }.items():
        write(folder / path, text)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KAMAL_DESTINATION", raising=False)
    git("init", "-q", "-b", "main")
    commit("the first commit")
    return folder


@pytest.fixture
def scan(project: Path, capsys: pytest.CaptureFixture[str]) -> Scan:
    """Run the command; exit code, standard output, standard error. No value is ever in them."""

    def run(*options: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = dispatch(["secrets", "scan", *options])
        printed = capsys.readouterr()
        for text in (printed.out, printed.err):
            assert SECRET not in text
            assert SECRET[2:] not in text
        return code, printed.out, printed.err

    return run


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def git(*words: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *who, *words], check=True, capture_output=True, text=True).stdout.strip()


def commit(message: str) -> str:
    git("add", "-A")
    git("commit", "-q", "--allow-empty", "-m", message)
    return git("rev-parse", "HEAD")


def test_nothing_leaks(scan: Scan) -> None:
    """Exit code 0; the value that is too short is told of as not searched for."""
    code, out, err = scan()
    assert code == 0
    assert "no leaked secret was found" in out
    assert "SHORT is not searched for: it has fewer than 8 characters [not-searched-for]" in err


@pytest.mark.parametrize(
    "file", ["lib/settings.rb", "config/deploy.production.yml", ".kamal/hooks/pre-build", "Dockerfile"]
)
def test_a_leak_in_a_file(file: str, project: Path, scan: Scan) -> None:
    """Tracked or, if a deploy reads it, not: with file, line and column, and not the value."""
    write(project / file, f"first\n  x = {SECRET}\n")
    if file.startswith("lib"):
        git("add", file)
    else:
        git("rm", "-q", "--cached", "--ignore-unmatch", file)
    code, out, err = scan()
    assert code == 1
    assert f"{file}:2:7: the value of DATABASE_PASSWORD stands here, as it is [leaked-secret]" in err
    assert "1 leaked secret" in out


def test_a_leak_in_bytes_that_are_no_text(project: Path, scan: Scan) -> None:
    """A database file, a value in base64."""
    write(project / "shop.db", b"\0\1\xff" * 5000 + base64.b64encode(b"user:" + SECRET.encode()) + b"\0" * 5000)
    commit("a database")
    code, _, err = scan()
    assert code == 1
    assert "shop.db:1:" in err
    assert "the value of DATABASE_PASSWORD stands here, in base64" in err


def test_a_leak_in_the_history(project: Path, scan: Scan) -> None:
    """A leak that a later commit took out is there still; the commit is named."""
    write(project / "old.env", f"PASSWORD={SECRET}\n")
    leaking = commit("leak")
    git("rm", "-q", "old.env")
    removing = commit("take it out")
    code, _, err = scan()
    assert code == 1
    assert "old.env:1:10: the value of DATABASE_PASSWORD stands here" in err
    assert leaking[:12] in err or removing[:12] in err


def test_a_leak_in_a_merge_and_in_a_message(project: Path, scan: Scan) -> None:
    """A merge may add what none of its parents has; `git log -p` does not show it."""
    git("checkout", "-q", "-b", "side")
    commit("aside")
    git("checkout", "-q", "main")
    commit(f"the password is {SECRET}")
    git("merge", "-q", "--no-ff", "--no-commit", "side")
    write(project / "evil", SECRET)
    git("add", "-A")
    git("commit", "-q", "-m", "merge")
    write(project / "evil", "gone")
    commit("gone")
    code, _, err = scan()
    assert code == 1
    assert "evil:1:1: the value of DATABASE_PASSWORD" in err
    assert "history:commit " in err


def test_the_history_before_the_last_deploy_is_left_out(project: Path, scan: Scan) -> None:
    """With `--since`, or since the version that was last deployed from here."""
    write(project / "old.env", SECRET)
    commit("leak")
    git("rm", "-q", "old.env")
    deployed = commit("take it out")
    commit("later")
    assert scan()[0] == 1
    assert scan("--since", deployed)[0] == 0
    assert scan("--since", "HEAD~3")[0] == 1
    remember("app", None, f"{deployed}_uncommitted_0123")
    assert scan()[0] == 0
    assert scan("--since", "nothing")[0] == 2
    assert scan("--since", "--all")[0] == 2


def test_the_committed_version_counts_too(project: Path, scan: Scan) -> None:
    """Images are built from the commit: what is only taken out of the work tree leaks."""
    write(project / "a.env", SECRET)
    deployed = commit("leak")
    for change in ("clean\n", None):
        (project / "a.env").unlink()
        if change is not None:
            write(project / "a.env", change)
        code, _, err = scan("--since", deployed)
        assert code == 1
        assert "a.env:1:1: the value of DATABASE_PASSWORD" in err


def test_a_replaced_object_hides_nothing(project: Path, scan: Scan) -> None:
    """`refs/replace` shows Git's commands another content than what a push sends."""
    write(project / "a.env", SECRET)
    commit("leak")
    leaking = git("rev-parse", "HEAD:a.env")
    write(project / "a.env", "clean\n")
    commit("clean")
    git("replace", leaking, git("rev-parse", "HEAD:a.env"))
    assert scan()[0] == 1


def test_a_well_known_key_needs_no_value(project: Path, scan: Scan) -> None:
    """By its format."""
    write(project / "key.txt", "token: ghp_" + "q7ZxW2eR4tY6uI8oP0aS1dF3gH5jK7lZ9xC2\n")
    commit("key")
    code, _, err = scan()
    assert code == 1
    assert "key.txt:1:8: a GitHub token stands here [leaked-key]" in err
    assert "q7ZxW2eR" not in err


def test_waivers(project: Path, scan: Scan) -> None:
    """A comment in the line or a line of the file, each with a reason. What they accept is reported only."""
    write(project / "a.txt", f"{SECRET} # kamal: allow-secret a sample\n")
    write(project / "test/b.txt", f"{SECRET}\n")
    write(project / ".kamal/scan-ignore", "# places\n*test/* DATABASE_PASSWORD of the tests\n*a.txt leaked-secret\n")
    commit("samples")
    code, _, err = scan()
    assert code == 0
    assert "(waived: a sample)" in err
    assert "(waived: of the tests)" in err
    assert ".kamal/scan-ignore:3:1: this line has no reason" in err
    write(project / ".kamal/scan-ignore", "*test/* REGISTRY_PASSWORD of another secret\n")
    assert scan()[0] == 1


def test_what_is_not_searched_has_not_passed(project: Path, scan: Scan) -> None:
    """A pipe in place of a file, a directory that became a link out of the project, a submodule: exit code 4."""
    write(project / "pipe", "x")
    write(project / "dir/file", "x")
    commit("files")
    (project / "pipe").unlink()
    os.mkfifo(project / "pipe")
    (project / "dir/file").unlink()
    (project / "dir").rmdir()
    write(project.parent / "outside/file", SECRET)
    (project / "dir").symlink_to(project.parent / "outside")
    git("update-index", "--add", "--cacheinfo", f"160000,{git('rev-parse', 'HEAD')},module")
    code, out, err = scan()
    assert code == 4
    assert "pipe: not searched: it is no regular file" in err
    assert "dir/file: not searched: its directory is a symbolic link that leaves the repository" in err
    assert "module: not searched: it is a submodule" in err
    assert "3 not searched" in out
    write(project / ".kamal/scan-ignore", "* not-examined known\n")
    assert scan()[0] == 0


def test_a_link_is_not_followed(project: Path, scan: Scan) -> None:
    """Its own text is searched, since that is what the repository holds."""
    write(project.parent / "outside.env", SECRET)
    (project / "link").symlink_to("../outside.env")
    commit("link")
    assert scan()[0] == 0
    (project / "link").unlink()
    (project / "link").symlink_to(f"nowhere{SECRET.replace('/', '')}")
    (project / "other").symlink_to(f"user:{SECRET}")
    commit("links")
    code, _, err = scan("--since", "HEAD")
    assert code == 1
    assert "other:1:6" in err


def test_names_of_files_forge_no_lines(project: Path, scan: Scan) -> None:
    """Names with line breaks, escapes and bytes that are no UTF-8 are shown in one line, and fit into each report."""
    for name in (b"a\nb: fine", b"\x1b[31mred", b"\xff\xfe"):
        write(Path(os.fsdecode(os.fsencode(project) + b"/" + name)), SECRET)
    commit("names")
    _, _, err = scan()
    assert "a\\x0ab: fine:1:1: the value of" in err
    assert "\x1b" not in err
    assert "\\xff\\xfe:1:1: the value of" in err
    for form in ("json", "sarif", "github", "gitlab"):
        code, out, _ = scan("--output", form)
        assert code == 1
        assert out.count("\n") > 2
        if form == "sarif":
            (run,) = json.loads(out)["runs"]
            assert {each["ruleId"] for each in run["results"]} == {"leaked-secret", "not-searched-for", "not-examined"}
            assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]


def test_a_hostile_repository_runs_nothing(project: Path, scan: Scan) -> None:
    """Filters, text conversions, diff programs and file system monitors of the repository are not started."""
    write(project / ".gitattributes", "* filter=evil diff=evil\n")
    write(project / "a.env", SECRET)
    commit("leak")
    for key in ("core.fsmonitor", "filter.evil.clean", "filter.evil.process", "diff.evil.textconv", "diff.external"):
        git("config", key, "touch hit;")
    write(project / "a.env", f"{SECRET} changed")
    assert scan()[0] == 1
    assert not (project / "hit").exists()
    subprocess.run(["git", "status"], check=False, capture_output=True)
    assert (project / "hit").exists(), "a plain call of Git does run them"


def test_without_a_repository(project: Path, scan: Scan) -> None:
    """The files that a deploy reads are searched all the same, and the rest has not passed."""
    (project / ".git").rename(project.parent / "git")
    code, _, err = scan()
    assert code == 4
    assert "history: not searched: there is no Git repository here" in err
    write(project / "Dockerfile", f"ARG P={SECRET}\n")
    assert scan()[0] == 1


def test_a_shallow_clone_has_not_passed(project: Path, scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its history is elsewhere, unless a commit is named behind which all is there."""
    commit("second")
    clone = project.parent / "clone"
    git("clone", "-q", "--depth", "1", f"file://{project}", str(clone))
    write(clone / ".kamal/secrets", (project / ".kamal/secrets").read_text())
    monkeypatch.chdir(clone)
    code, _, err = scan()
    assert code == 4
    assert "the clone is shallow" in err
    assert scan("--since", "HEAD")[0] == 0


@pytest.fixture
def engine(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], int]:
    """A stand-in for the program `docker` that has one image, for archives that no engine writes."""
    saved = tmp_path / "image.tar"
    program = tmp_path / "bin" / "docker"
    write(program, f'#!/bin/sh\ncase "$*" in "image save"*) cat {saved};; *) echo sha256:1;; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return saved.write_bytes


def tar(**entries: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        for name, content in entries.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            file.addfile(about, io.BytesIO(content))
    return stream.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_leak_in_a_layer(pack: Callable[[bytes], bytes], engine: Callable[[bytes], int], scan: Scan) -> None:
    """In an engine that keeps layers compressed, and in one that does not."""
    engine(tar(layer=pack(tar(clean=b"x", leaking=f"\nP={SECRET}".encode()))))
    code, _, err = scan("--image", "me/app:1")
    assert code == 1
    assert "image:leaking: the value of DATABASE_PASSWORD stands here, as it is, in layer layer" in err


@pytest.mark.parametrize(
    "broken",
    [
        b"no archive at all" * 100,
        tar(layer=gzip.compress(tar(a=b"x" * 9999))[:-20]),
        tar(layer=tar(a=b"x" * 9999)[:5000]),
        tar(layer=b"\x28\xb5\x2f\xfd" + b"x" * 600),
    ],
    ids=["no archive", "cut gzip", "cut layer", "zstandard"],
)
def test_an_image_that_cannot_be_read_has_not_passed(broken: bytes, engine: Callable[[bytes], int], scan: Scan) -> None:
    """Exit code 4."""
    engine(broken)
    code, _, err = scan("--image", "me/app:1")
    assert code == 4
    assert "me/app:1: image: not searched: " in err


def test_an_image_that_is_named_has_to_be_there(scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one, it is told and counts for nothing."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    code, _, err = scan()
    assert code == 0
    assert "is not on this machine, so no image is searched" in err
    assert scan("--image", "me/other:1")[0] == 4
