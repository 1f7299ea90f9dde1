"""Ruby Kamal and this tool understand command lines alike (spec/cli.md 1, 2.2, 10, 12, 18.4).

Nothing is deployed: the hosts of the configuration refuse connections. Compared is whether a command line is refused,
which command it selects, and what is said in substance; Ruby Kamal's refusals end with 1, ours with 2 when the line
itself is at fault (docs/differences.md).
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pykamal.cli.table import COMMANDS, GROUPS, names_of_ours
from pykamal.cli.table.row import CommandRow
from tests import unreachable
from tests.e2e.application import KAMAL
from tests.parity.oracle import ruby_kamal

pytestmark = pytest.mark.parity

CONFIG = f"""\
{unreachable.CONFIG}\
aliases:
  details-of-web: app details -r web
  shown: config --version 1.0
  again: shown
  spoken: lock acquire -m "two words"
"""

SAMPLES = """
app help exec | help re | -h deploy | -x | dpeloy | app sta | app remove-c x | deploy -pvq x | app logs -n 5x
app exec -e A:1 A:2 | accessory boot | config -d nope | app details -h 9.9.9.9,8.* | again x
"""
"""Some of each kind, since Ruby Kamal needs half a second to say no."""

MORE = """
help app | app help st | lo | app stale_c x | co x | deploy --no-skip-push --skip-cache x
app exec --detach -i ls | lock acquire | app details -r jobs
help deploy | help app exec | help foo | app help foo | help help | help tree | app | app -v | app -h 127.0.0.1
app --foo | app --help boot | app boot --help | lock help | ser | -? app | -d staging | -v deploy
--version 5 deploy | app BOOT | foo | app foo | Deploy | stale | build foo | app remove_containers x
proxy up x | accessory upl x | acc bo | l s x | p | s | se | u x | a | deploy -vq x | deploy --skip_push x
deploy --no-no-cache x | deploy --skip-push=true x | deploy -- x | deploy -d=nope x | app -d nope details
app logs -n5 x | app logs -n -5 x | app logs -n +5 x | app logs --lines=5 --lines=7 x | app logs --lines
app maintenance --drain_timeout 5 x | app maintenance --message x y | app exec -e | app exec -e --reuse
app exec | app exec -i | app exec --detach --reuse ls | app exec --detach -i --reuse ls | accessory exec
accessory boot a b | lock acquire -m | rollback a b | app remove_container | registry login x | secrets fetch A
secrets fetch -a nope A | secrets extract | secrets extract A | secrets extract A {}
prune containers --retain 0 | prune containers --retain x | proxy boot_config | proxy boot-config nope
proxy boot_config set x | proxy boot_config set --http-port x | tree x | app tree x | docs a b | config x
config -c nope.yml | config -c=nope.yml | config -h 9.9.9.9 | config -r nope | shown -d nope | shown x
-pH deploy | app -pH | app --no-verbose | -- deploy | app -- | app -- details x
spoken x | details-of-web x | details-of-web -r nope | app shown | lock status -h 127.0.0.2 | app version -p
"""

AS_WRITTEN = "the word is told as it was written, not with `_` for `-`"
DIFFERENT = {
    # Refused there, done here.
    "deploy --help": "help behind every command",
    "help app exec": "help of the command, not of its group",
    "help app foo": "refused, where Ruby Kamal shows the group",
    "version -h 9.9.9.9": "nothing is read for the version",
    "docs nope": "refused, where Ruby Kamal says so and succeeds",
    "rollback": "without a version: the versions there are",
    "app stale-c x": "an abbreviation with `-` for `_`",
    # Refused by both, in other words.
    "-x": AS_WRITTEN,
    "app --foo": AS_WRITTEN,
    "app remove-c x": AS_WRITTEN,
    "deploy -h": "a value is missing, where Ruby Kamal takes the option's name for it",
    "deploy --skip-push true x": "only `=true` is a flag's value (cli.md 22, 13)",
    "app logs -fn5 x": "a value behind clustered flags",
    "accessory exec db": "a command is missing, where Ruby Kamal runs none",
    "server exec": "a command is missing, where Ruby Kamal runs none",
}
"""Command lines that are not understood alike, and how; those of all other lines here are."""


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.replace("\n", "|").split("|") if line.strip()]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command-line")
    (folder / "config").mkdir()
    (folder / "config" / "deploy.yml").write_text(CONFIG)
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", "-C", str(folder)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", "one"], check=True)
    return folder


def understood(program: Path, line: str, folder: Path) -> tuple[bool, str]:
    """Return the verdict on a command line and what its output has in common for both tools."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("KAMAL", "VERSION", "VERBOSE"))
    }
    done = subprocess.run(
        [program, *shlex.split(line)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode != 0, meaning(done.stdout + done.stderr)


MESSAGES = (
    r'Could not find command "[^"]*"',
    r"Ambiguous command .*",
    r'"kamal [^"]*" was called with .*',
    r"No value provided for (required )?options? .*",
    r"Expected numeric value for .*",
    r"You can't specify .*",
    r"Configuration file not found in .*",
    r"No --(hosts|roles) match for \S*",
    r"\w+ is not compatible with .*",
    r"No command provided\..*",
    r"Unknown (secrets adapter|boot_config subcommand).*",
    r"Could not find secret .*",
    r"retain must be at least 1",
)


OURS = names_of_ours()


def is_ours(path: str) -> bool:
    """Tell if Ruby Kamal lacks the command or group."""
    return path.split(maxsplit=1)[0] in OURS or any(command.ours for command in COMMANDS if command.path == path)


def meaning(text: str) -> str:
    text = re.sub(r"\x1b\[[\d;]*m", "", text)
    for message in MESSAGES:
        if found := re.search(message, text):
            return found[0]
    if re.search("Connection refused|refuses connections", text):
        return "unreachable: " + " ".join(sorted(set(re.findall(r"127\.0\.0\.\d", text))))
    if found := re.match(r"Usage:\n  kamal ((?:[a-z_]+(?: |\n))+)", text):
        return f"help of {found[1].strip()}"
    if text.startswith("Commands:\n"):
        listed = re.findall(r"^  kamal ([a-z_]+(?: [a-z_]+)?)", text, re.MULTILINE)
        return f"list of {' '.join(sorted(name for name in listed if not is_ours(name)))}"
    return text


def compared(some: Iterable[str], folder: Path) -> dict[str, str]:
    """Return the differences, by command line."""

    def one(line: str) -> tuple[str, tuple[bool, str], tuple[bool, str]]:
        return line, understood(ruby_kamal(), line, folder), understood(KAMAL, line, folder)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(one, some))
    return {line: f"Ruby Kamal: {ruby}, here: {here}" for line, ruby, here in found if ruby != here}


def told(different: dict[str, str]) -> str:
    return "\n".join(f"{line}: {how}" for line, how in different.items())


def test_samples(project: Path) -> None:
    """Help, abbreviations, mistakes, forms of options, aliases, filters."""
    different = compared(lines(SAMPLES), project)
    assert set(different) == set(DIFFERENT) & set(lines(SAMPLES)), told(different)


@pytest.mark.long
def test_more_of_them(project: Path) -> None:
    """And what is known to be different still is."""
    some = [line for line in [*lines(MORE), *DIFFERENT] if line not in lines(SAMPLES)]
    different = compared(some, project)
    assert set(different) == set(DIFFERENT) & set(some), told(different)


VISIBLE = [command.path for command in COMMANDS if not command.hidden]
LONGEST = 4
KNOWN = [command for command in COMMANDS if not command.ours]


def refused_lines(command: CommandRow) -> Iterable[str]:
    """The command with an argument too many and with an unknown option; none for those that take any words."""
    if command.most_arguments is not None and command.handler:
        required = " ".join(f"--{option.name} x" for option in command.options if option.required)
        words = " ".join(["x"] * (command.most_arguments + 1))
        yield " ".join(filter(None, [command.path, required, words]))
        yield " ".join(filter(None, [command.path.replace("_", "-"), required, words[2:], "--nope"]))


@pytest.mark.long
def test_every_command_by_its_name(project: Path) -> None:
    """It exists there and here, hidden or not, and refuses the same; `config` takes one word here."""
    different = compared((line for command in KNOWN for line in refused_lines(command)), project)
    assert set(different) == set(), told(different)


@pytest.mark.long
def test_the_help_of_every_command(project: Path) -> None:
    """By its group's help, and of every group the same commands are listed."""
    topics = [f"{command.group} help {command.name}" if command.group else f"help {command.name}" for command in KNOWN]
    different = compared([*topics, *(group for group in GROUPS if group not in OURS), "help"], project)
    assert set(different) == set(), told(different)


@pytest.mark.long
def test_every_abbreviation(project: Path) -> None:
    """Each short beginning of each name, at the top and in the groups (cli.md 1.2), with too many arguments to run."""
    some = {f"{start} x" for name in GROUPS if name not in OURS for start in beginnings("", name)}
    for command in KNOWN:
        if command.hidden:
            hidden = beginnings(command.group or "", command.name)
            some |= {f"{start} x" for start in hidden if not any(path.startswith(start) for path in VISIBLE)}
        elif command.most_arguments is not None:
            words = " ".join(["x"] * (command.most_arguments + 1))
            some |= {f"{start} {words}" for start in beginnings(command.group or "", command.name)}
    different = compared(sorted(line for line in some if not runs_something(line)), project)
    assert set(different) == set(), told(different)


def beginnings(group: str, name: str) -> Iterable[str]:
    return (f"{group} {name[:length]}".strip() for length in range(1, min(len(name), LONGEST)))


def runs_something(line: str) -> bool:
    """Tell if the line begins with a command that takes any words."""
    beginning = " ".join(line.split()[:2])
    return any(command.path.startswith(beginning) for command in KNOWN if command.passes_options)
