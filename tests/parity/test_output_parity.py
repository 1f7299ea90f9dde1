"""Ruby Kamal and this tool print the same in the same state, as far as a script may read it.

Compared are exit codes, standard error, results (spec/cli.md 4.4), progress messages (4.2), the label of the final
error and its evidence (4.5). Not compared, since the two work differently by design: the log lines of commands (4.3),
and the order of hosts, which is that of arrival there and that of the configuration here. What else may differ is in
`DIFFERENT`, with the reason.
"""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from pykamal.sandbox.sandbox import Sandbox
from tests.conftest import reset
from tests.e2e.application import Outcome
from tests.parity.team import Team, Tool, rehearsing

pytestmark = pytest.mark.parity


@dataclass(frozen=True, slots=True)
class Case:
    """`before` is run by ours before each of the tools, `after` when both are done; `V2` stands for that version."""

    line: str
    before: str = ""
    after: str = ""


HELD: Final = "lock acquire -m hands"

SAMPLE: Final = (
    Case("details"),
    Case("app exec --reuse --version V1 -r worker echo hi"),
    Case("accessory logs jobs -n 5"),
    Case("lock acquire -m mine", before=HELD, after="lock release"),
)
"""Runs in every test run; the others with `make parity`."""

READING: Final = """
details -q | app details | app details -q | app details -r worker | app details -r nope
app version | app version -q | app version -v -p | app version -p
app containers | app containers -q | app images | app images -q | app stale_containers | app stale_containers -v
app logs | app logs -n 3 | app logs -q | app logs -T | app logs -s 1m -r web | app logs -s nonsense
app logs -g listens | app logs -g listens -q -T | app logs -g nobody-writes-this | app logs -g LISTENS --grep-options=-i
app logs -g listens --grep-options "-C 1" -n 5 | app logs -r worker -n 1 | app logs --container-id abc
app exec echo hi | app exec -q echo hi | app exec -p echo hi
app exec -p "sh -c 'echo $A $B $QUOTES'" -e A:1 "B:two  words"
app exec -p "python3 -c 'print(1); print()'" | app exec --detach echo
app exec --detach -q echo | app exec -r web "sh -c 'exit 3'" | app exec -q -p "sh -c 'exit 3'"
app exec --version nope -p echo hi
app exec --version V1 echo hi | app exec -p no-such-program
app exec --reuse echo hi | app exec --reuse -q echo hi | app exec --reuse -p -v echo hi
app exec --reuse -r web no-such-program
app exec --reuse -p "sh -c 'echo out; echo err >&2; exit 3'" | app exec --reuse --version nope -r web echo hi
app exec --reuse -p "sh -c 'echo $A'" -e A:1
accessory details jobs | accessory details all | accessory details jobs -q | accessory details nope
accessory logs jobs | accessory logs jobs -q | accessory logs jobs -T -s 1h | accessory logs jobs -g nothing
accessory logs nope | accessory exec jobs echo hi | accessory exec jobs -q echo hi
accessory exec jobs --reuse echo hi | accessory exec jobs --reuse -q echo hi
accessory exec jobs --reuse "sh -c 'echo out; echo err >&2; exit 3'" | accessory exec jobs no-such-program
accessory exec nope ls
proxy details | proxy details -q | proxy logs -n 2 -p | proxy logs -n 1 -T -p | proxy logs -n 1 -p -q
proxy logs -g nobody-writes-this -p | proxy boot_config get
server exec hostname | server exec -q hostname | server exec -p -v hostname
server exec no-such-program -p | server exec -p "echo out; echo err >&2; exit 3"
audit -q -p | lock status | lock status -q | lock status -v | lock release | lock release -q
registry login | registry login -q | registry login -L | registry login -R | registry setup
build details | build details -q | secrets print | secrets print -q | config | config -q | config -v | version
app details -h 9.9.9.9 | app version -c nope.yml | app version -c config/unknown.yml
app version -c config/refused.yml | registry login -c config/stranger.yml -L
registry login -c config/stranger.yml | registry login -c config/secretless.yml
"""

CHANGING: Final = (
    *(Case(line) for line in ("deploy", "deploy -q", "setup -P", "redeploy -P", "rollback nope", "app boot -r nope")),
    *(Case(line) for line in ("app maintenance", "app maintenance -q --message Later")),
    *(Case(line, before="app maintenance") for line in ("app live", "app live -q")),
    *(Case(line, after="app start") for line in ("app stop", "app stop -q")),
    *(Case(line, before="app stop", after="app start") for line in ("app version", "app details", "app logs -n 2")),
    *(Case(line, before="app stop", after="app start") for line in ("app exec --reuse -p echo hi", "app start")),
    *(Case(line) for line in ("app stale_containers --stop", "app remove_container nope")),
    *(
        Case(f"accessory {verb} jobs")
        for verb in ("boot", "stop", "start", "restart", "reboot", "upload", "pull_image")
    ),
    *(Case(line) for line in ("accessory boot all", "accessory reboot all -q", "accessory boot nope")),
    *(Case(line) for line in ("proxy boot", "proxy stop", "proxy start", "proxy restart", "proxy reboot -y")),
    *(Case(line) for line in ("proxy reboot --rolling -y", "proxy remove")),
    Case("proxy boot_config set --log-max-size 5m", after="proxy boot_config reset"),
    Case("proxy boot_config reset"),
    *(Case(line) for line in ("build push", "build push -q", "build pull", "build deliver")),
    *(Case(line) for line in ("prune all", "prune all -q", "prune containers", "prune containers --retain 0")),
    *(Case(line) for line in ("prune images", "server bootstrap")),
    *(Case(line, before="lock release", after="lock release") for line in (HELD, f"{HELD} -q")),
    *(Case(line, before=HELD, after="lock release") for line in ("lock status -p", "lock status -p -q", "app stop -p")),
    *(Case(line, before=HELD) for line in ("lock release -p", "lock release -p -q")),
    *(Case(line, after="registry login") for line in ("registry logout", "registry remove")),
    # The error pages of the commit that is checked out are gone after these.
    *(Case(line) for line in ("app boot", "app boot -q", "app boot --version nope")),
    Case("rollback V1", before="deploy --skip-push --version V1"),
)

UNKNOWN: Final = "an unknown name is a failure here, as everywhere else (spec/cli.md 22, 11)"
NOBODY: Final = "No accessory by the name of 'nope' (options: jobs)"
BEHIND: Final = "what is known of an error is behind its line"
WORDS: Final = "the same label, and a sentence that names the host and the address"
LOGIN: Final = "docker is not given the password as an argument, so it does not warn of that"

DIFFERENT: Final = {
    "accessory boot nope": (f"{NOBODY}\n{NOBODY}\n", f"ERROR (RuntimeError): {NOBODY}", UNKNOWN),
    "accessory details nope": (NOBODY, f"ERROR (RuntimeError): {NOBODY}", UNKNOWN),
    "accessory exec nope ls": (NOBODY, f"ERROR (RuntimeError): {NOBODY}", UNKNOWN),
    "accessory logs nope": (NOBODY, f"ERROR (RuntimeError): {NOBODY}", UNKNOWN),
    "app boot --version nope": ("manifest unknown", "not started: ", "whole phases are told of"),
    "app logs --container-id abc": ("\nabc\n", "There is no container abc on ", "a failure (spec/cli.md 21)"),
    "app logs -s nonsense": ("Nothing found", 'invalid value for "since"', "what Docker refuses is a failure"),
    "app remove_container nope": ('"docker container rm" requires', "There is no container", "looked for before"),
    "app stop -p": ("Message: hands\n", "more information\nLocked by: Ada", BEHIND),
    "app version -c config/refused.yml": ("(Errno::ECONNREFUSED)", "(Errno::ECONNREFUSED)", WORDS),
    "lock acquire -m mine": ("Message: hands\n", "more information\nLocked by: Ada", BEHIND),
    "proxy logs -n 1 -p -q": ("Proxy Host: ", "", "-q drops all headings (spec/cli.md 4.4)"),
    "proxy remove": ("Not removing the proxy", "ERROR (RuntimeError): Not removing", "a refusal is a failure"),
    "redeploy -P": ("Releasing", "Prune old containers and images...", "redeploy prunes"),
    "registry login -c config/stranger.yml": ("docker exit status: 256", "docker exit status: 1", LOGIN),
    "registry login -c config/stranger.yml -L": ("docker exit status: 1", "docker exit status: 1", LOGIN),
    "rollback nope": ("is not available as a container", "ERROR (RuntimeError): The app version 'nope'", UNKNOWN),
    "server exec no-such-program -p": ("/usr/bin/env: ", "not found", "the line goes to the shell as it is"),
    "version": ("2.11.0", "2.12.0", "the release that is followed"),
}
"""By line: what Ruby Kamal's output has, what ours has, and why."""


@dataclass(frozen=True, slots=True)
class Told:
    """The output that a script may read.

    `blocks` are runs of lines, `evidence` the final error's without their order.
    """

    exit_code: int
    blocks: tuple[str, ...]
    label: str | None
    evidence: frozenset[str]
    stderr: str


MASKS: Final = (
    (r"\x1b\[[0-9;]*m", ""),  # Ruby Kamal's last line is red wherever it goes
    (r"exec-(\w+)-[0-9a-f]{6}\b", r"exec-\1-SUFFIX"),
    (r"\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b", "ID"),
    (r"\d{4}-\d\d-\d\d[T ][\d:.]+(Z| UTC| \+0000)", "TIME"),
    (r"\bUp \S.*?(?= {2,})", "UP"),
    (r"(Less than a second|About an? \w+|\d+ \w+) ago", "AGO"),
    (r"\d+\.\d seconds", "SECONDS"),
    (r"tini \(\d+\)", "tini"),
    (r".* did \d+ jobs\n", ""),  # the worker goes on between the two
    (r"(?m) +$", ""),
    (r" {2,}", "  "),
)
LOGGED: Final = re.compile(r"^(  INFO| DEBUG) .*\n", re.MULTILINE)
BY_HOST: Final = re.compile(r"^(?=(?:(?:App|Proxy|Accessory \w+) Host: |Host \S+: ))", re.MULTILINE)
FINAL: Final = re.compile(r"^  ERROR \(([\w:]+)\): ", re.MULTILINE)
LOST_VALUE = re.compile(r"^warning: \.kamal/secrets\S* .*\[unset-variable\]\n", re.MULTILINE)
"""The secrets of these tests have a `$` too many, of which Ruby Kamal says nothing."""
NOT_IN_BOTH: Final = re.compile(
    r"Exception while executing on (?!host )\w+: |Exceptions on \d+ hosts:"  # which role's thread, how many
    r"|(?<=: )[\w ]+: (?=\S+ exit status)"  # the step
    r"|(?:^|(?<=: )).+?(?= exit status: )|^.+?(?= (?:stdout|stderr): )"  # a free line is told whole there, once here
)


def told(outcome: Outcome) -> Told:
    text = outcome.stdout
    for pattern, replacement in MASKS:
        text = re.sub(pattern, replacement, text)
    text, *error = FINAL.split(LOGGED.sub("", text), maxsplit=1)
    # The role's thread hides the cause's label there: the cause is named here.
    label = error[0].replace("SSHKit::Runner::ExecuteError", "SSHKit::Command::Failed") if error else None
    evidence = (NOT_IN_BOTH.sub("", line).strip() for line in (error[1] if error else "").splitlines())
    return Told(
        outcome.exit_code,
        tuple(_in_order(text)),
        label,
        frozenset(filter(None, evidence)),
        LOST_VALUE.sub("", outcome.stderr),
    )


def _in_order(text: str) -> Iterator[str]:
    """Results of one kind sorted: by host, as far as they are headed."""
    first, *rest = BY_HOST.split(text)
    yield first if rest else "\n\n".join(sorted(first.split("\n\n")))
    for _, blocks in itertools.groupby(rest, key=lambda block: block.partition("Host")[0]):
        yield from sorted(blocks)


@pytest.fixture(scope="module")
def team(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Team:
    """Set up by ours."""
    for host in reset(sandbox):
        host.run(["rm", "-rf", "/root/hello-jobs", "/srv/jobs"])
    team = rehearsing(tmp_path_factory.mktemp("output") / "life", sandbox)
    team.be_at(1)
    team.run("ours", "setup", "-q")
    return team


@pytest.fixture(scope="module")
def later(team: Team) -> Team:
    """The same after a deploy; beside its configuration there are some that cannot work."""
    team.be_at(2)
    team.run("ours", "deploy", "-q")
    _break(team.application.folder / "config")
    return team


def _break(folder: Path) -> None:
    working = (folder / "deploy.yml").read_text()
    for name, right, wrong in (
        ("unknown", "service: hello\n", "service: hello\nservise: hello\n"),
        ("refused", "  user: root\n", "  user: root\n  port: 1\n"),
        ("stranger", "  username: sandbox\n", "  username: stranger\n"),
        ("secretless", "  - REGISTRY_PASSWORD\n", "  - NOWHERE\n"),
    ):
        assert right in working
        (folder / f"{name}.yml").write_text(working.replace(right, wrong))
        (folder / f"{name}.staging.yml").write_text((folder / "deploy.staging.yml").read_text())


def _cases() -> Iterator[Any]:
    reading = [Case(line.strip()) for line in re.split(r"[|\n]", READING) if line.strip()]
    for case in (*reading, *CHANGING):
        yield pytest.param(case, id=f"{case.before}, {case.line}" if case.before else case.line)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.line) for case in SAMPLE])
def test_a_script_reads_the_same(team: Team, case: Case) -> None:
    """spec/cli.md 4 and 5; evidence of ours may go further than Ruby Kamal's."""
    _compare(team, case)


@pytest.mark.long
@pytest.mark.parametrize("case", list(_cases()))
def test_a_script_reads_the_same_of_every_command(later: Team, case: Case) -> None:
    """spec/cli.md 4 and 5: the whole list."""
    _compare(later, case)


def _compare(team: Team, case: Case) -> None:
    ruby, ours = (_run(team, tool, case) for tool in ("ruby", "ours"))
    if case.after:
        team.run("ours", *case.after.split())
    there, here = told(ruby), told(ours)
    if case.line in DIFFERENT:
        in_ruby, in_ours, _ = DIFFERENT[case.line]
        assert in_ruby in ruby.text
        assert in_ours in ours.text
        assert not _same(there, here), "there is no difference any more"
    else:
        assert _same(there, here), f"ruby:\n{ruby.text}\nours:\n{ours.text}\n{there}\n{here}"


def _same(ruby: Told, ours: Told) -> bool:
    return (
        (ruby.exit_code, ruby.blocks, ruby.label, ruby.stderr) == (ours.exit_code, ours.blocks, ours.label, ours.stderr)
    ) and ruby.evidence <= ours.evidence


def _run(team: Team, tool: Tool, case: Case) -> Outcome:
    if case.before:
        team.run("ours", *_words(team, case.before), expect=None)
    return team.run(tool, *_words(team, case.line), expect=None)


def _words(team: Team, line: str) -> list[str]:
    return [team.versions[int(word[1:]) - 1] if re.fullmatch(r"V\d", word) else word for word in shlex.split(line)]
