"""Process lists show names of secrets to other users of the operator's machine, never values.

Every program on the PATH is a recorder that notes its arguments and then does its work, and Python notes what it starts
itself. `docker`, `pack` and `ssh` do nothing else.
"""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest

pytestmark = pytest.mark.hostile

KAMAL = Path(sys.executable).with_name("kamal")
SECRETS = {
    "REGISTRY_PASSWORD": "registry-hush",
    "BUILD_SECRET": "build-hush $HOME",
    "SSH_KEY": "-----BEGIN key-hush-----",
    "FETCHED": "fetched-hush",
}
ARGUMENT, VALUE = "argument-hush $HOME", "value-hush"
HIDDEN = (*SECRETS.values(), ARGUMENT, VALUE)

RECORDER = """\
#!/bin/sh
name=${0##*/}
printf '%s\\0' "$name" "$@" END-OF-LINE >> "$RECORD"
case $name in
docker | pack)
  cat > /dev/null
  env -0 > "$RECORD.$name"
  case $* in *type=tar*) tar --create --files-from /dev/null ;; esac
  exit 0 ;;
ssh | ssh-agent) exit 0 ;;
esac
for directory in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
  [ ! -x "$directory/$name" ] || exec "$directory/$name" "$@"
done
exit 127
"""

HOOK = """\
import os, sys


def note(event, arguments):
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn"):
        words = [os.fspath(word) for word in (arguments[1] or [])]
        with open(os.environ["RECORD"], "ab") as record:
            record.write(b"".join(os.fsencode(word) + b"\\0" for word in [*words, "END-OF-LINE"]))


sys.addaudithook(note)
"""

DEPLOY = """\
service: shop
image: acme/shop
servers: [127.0.0.1]
registry: {{server: registry.example.com, username: ada, password: [REGISTRY_PASSWORD]}}
ssh: {{key_data: [SSH_KEY]}}
builder:
  arch: amd64
  args: {{TOKEN: "{argument}", EMPTY: }}
  secrets: [BUILD_SECRET]
{builder}
"""


@dataclass
class Machine:
    """A project, and the arguments of every program that was started since it was made."""

    folder: Path
    programs: Path

    def configure(self, builder: str = "driver: docker") -> None:
        text = DEPLOY.format(argument=ARGUMENT, builder=f"  {builder}")
        (self.folder / "config" / "deploy.yml").write_text(text)

    def kamal(self, *arguments: str, expect: int = 0) -> str:
        environment = {
            "PATH": str(self.programs),
            "HOME": str(self.folder.parent),
            "PYTHONPATH": str(self.programs.parent / "hook"),
            "RECORD": str(self.record),
        }
        done = subprocess.run(
            [str(KAMAL), *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout

    @property
    def record(self) -> Path:
        return self.folder.parent / "record"

    def started(self) -> list[list[str]]:
        lines = (self.record.read_text() if self.record.exists() else "").split("\0END-OF-LINE\0")[:-1]
        return [line.split("\0") for line in lines]

    def seen(self) -> list[list[str]]:
        """Command lines that hold a secret, as it is or in a usual form of it."""
        forms = [form for secret in HIDDEN for form in forms_of(secret)]
        return [line for line in self.started() if any(form in word for word in line for form in forms)]

    def environment_of(self, program: str) -> dict[str, str]:
        entries = self.record.with_name(f"record.{program}").read_text().split("\0")[:-1]
        return dict(entry.split("=", 1) for entry in entries)


def forms_of(secret: str) -> Sequence[str]:
    login = base64.b64encode(f"ada:{secret}".encode()).decode()
    return secret, secret.removesuffix(" $HOME"), base64.b64encode(secret.encode()).decode(), quote(secret), login


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a recorder for every program of this machine, and Python's beside it."""
    programs = tmp_path_factory.mktemp("recorders") / "bin"
    programs.mkdir()
    (programs / "recorder").write_text(RECORDER)
    (programs / "recorder").chmod(0o755)
    folders = [Path(name) for name in ("/usr/local/bin", "/usr/sbin", "/usr/bin", "/bin")]
    names = {program.name for folder in folders for program in folder.iterdir() if program.suffix != ".sh"}
    for name in names | {"docker", "pack", "ssh", "ssh-agent"}:
        (programs / name).symlink_to("recorder")
    (programs.parent / "hook").mkdir()
    (programs.parent / "hook" / "sitecustomize.py").write_text(HOOK)
    return programs


@pytest.fixture
def machine(tmp_path: Path, programs: Path) -> Machine:
    made = Machine(tmp_path / "shop", programs)
    (made.folder / "config").mkdir(parents=True)
    (made.folder / ".kamal").mkdir()
    lines = [f"{name}='{value}'" for name, value in SECRETS.items() if name != "FETCHED"]
    fetched = SECRETS["FETCHED"][::-1]
    lines += [
        f"ALL=$(kamal secrets fetch --adapter test --account me {fetched})",
        f"FETCHED=$(kamal secrets extract {fetched} $ALL)",
    ]
    (made.folder / ".kamal" / "secrets").write_text("\n".join(lines))
    (made.folder / "Dockerfile").write_text("FROM scratch\n")
    made.configure()
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        subprocess.run(["git", *identity, *arguments], cwd=made.folder, check=True)
    return made


def test_a_build_by_docker(machine: Machine) -> None:
    """Arguments and secrets of the build, the registry's password: arguments have names only."""
    machine.kamal("build", "push")
    assert machine.seen() == []
    (build,) = [line for line in machine.started() if line[:3] == ["docker", "buildx", "build"]]
    assert build[build.index("--build-arg") + 1] == "TOKEN"
    assert "id=BUILD_SECRET" in build
    found = machine.environment_of("docker")
    assert (found["TOKEN"], found["BUILD_SECRET"]) == (ARGUMENT, SECRETS["BUILD_SECRET"])


def test_a_build_by_buildpacks(machine: Machine) -> None:
    """The same for `pack --env`."""
    machine.configure("pack: {builder: heroku/builder:24}")
    machine.kamal("build", "push")
    assert machine.seen() == []
    (build,) = [line for line in machine.started() if line[:2] == ["pack", "build"]]
    names = [word for flag, word in pairwise(build) if flag == "--env"]
    assert names == ["BP_IMAGE_LABELS=service=shop", "TOKEN", "EMPTY", "BUILD_SECRET"]
    found = machine.environment_of("pack")
    assert (found["TOKEN"], found["BUILD_SECRET"]) == (ARGUMENT, SECRETS["BUILD_SECRET"])


@pytest.mark.parametrize(
    "command",
    [
        "build dev",
        "build create",
        "build remove",
        "build details",
        "registry setup --skip-remote",
        "registry remove --skip-remote",
        "secrets print",
        "config",
        "config validate",
        "server exec -i ls",
    ],
)
def test_other_commands_on_this_machine(machine: Machine, command: str) -> None:
    """Every other program that a command starts keeps secrets out of its arguments."""
    machine.kamal(*command.split())
    assert machine.seen() == []


def test_a_hook_that_is_careless_is_noticed(machine: Machine) -> None:
    """A planted hole: what the user's own script puts on a command line is seen, so the recorders see everything."""
    hooks = machine.folder / ".kamal" / "hooks"
    hooks.mkdir()
    (hooks / "pre-build").write_text(f"#!/bin/sh\nexec docker login -p '{SECRETS['BUILD_SECRET']}'\n")
    (hooks / "pre-build").chmod(0o755)
    machine.kamal("build", "push")
    assert machine.seen() == [["docker", "login", "-p", SECRETS["BUILD_SECRET"]]]
