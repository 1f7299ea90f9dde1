"""The answers that the shells' completion scripts get."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pykamal.cli.completion import config_names as project_module
from pykamal.cli.completion.answer import answer
from pykamal.cli.completion.bash_line import bash_line
from pykamal.cli.completion.candidates import candidates
from pykamal.cli.table import COMMANDS, GROUPS
from pykamal.operations.local.deployed_versions import remember, remembered

pytestmark = pytest.mark.unit

CONFIG = """\
service: app
image: me/app
servers:
  web: [web-1, web-2]
  jobs: [job-1, {web-2: tagged}]
accessories:
  db: {image: "mysql:8", role: jobs}
  search: {image: search, host: other}
aliases:
  console: app exec -i --reuse -d staging bash
  again: console -r web
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the configuration above, and a cache directory of its own."""
    project_module._read.cache_clear()
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "deploy.yml").write_text(CONFIG)
    (tmp_path / "config" / "deploy.staging.yml").write_text("servers: {jobs: [staging-1]}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def values(*words: str) -> list[str]:
    return [candidate.value for candidate in candidates(words)]


def test_first_words() -> None:
    """Groups, commands and aliases of deploy.yml; no hidden command."""
    found = values("")
    assert {*GROUPS, "deploy", "tree", "help", "console", "again"} <= set(found)
    assert values("c") == ["completion", "config", "console"]
    assert values("-") == ["--help"]


def test_commands_of_a_group() -> None:
    """Visible ones, with what every group has; `-` for `_` where the user writes so."""
    visible = [command.name for command in COMMANDS if command.group == "app" and not command.hidden]
    assert sorted(values("app", "")) == sorted([*visible, "help", "tree"])
    assert values("app", "stale_") == ["stale_containers"]
    assert values("app", "stale-") == ["stale-containers"]
    assert values("ap", "cont") == ["containers"]
    assert values("app", "-d", "staging", "boo") == ["boot"]


def test_help() -> None:
    """`help` is about commands, in a group about the group's."""
    assert values("help", "dep") == ["deploy"]
    assert values("help", "app", "bo") == ["boot"]
    assert values("app", "help", "bo") == ["boot"]
    assert values("help", "deploy", "") == []


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.handler])
def test_options_of_every_command(command) -> None:  # type: ignore[no-untyped-def]
    """All its options, and help."""
    expected = {f"--{option.name}" for option in command.all_options} | {"--help"}
    assert set(values(*command.path.split(), "--")) == expected


def test_options_already_given() -> None:
    """They are not offered again, long or short; nor is anything behind `--`."""
    assert "--skip-push" not in values("deploy", "--skip_push", "--")
    assert "--skip-push" not in values("deploy", "-P", "--")
    assert "-P" in values("deploy", "-")
    assert values("app", "exec", "--", "-") == []


def test_options_turned_off() -> None:
    """`--no-` completes to what can be turned off (cli.md 1.3)."""
    assert "--no-verbose" in values("deploy", "--no-")
    assert "--no-cache" in values("deploy", "--no-")


def test_values_of_options() -> None:
    """In each of the ways to write them (cli.md 1.3)."""
    assert values("deploy", "--output", "") == ["text", "json"]
    assert values("deploy", "--output=j") == ["--output=json"]
    assert values("deploy", "-r", "j") == ["jobs"]
    assert values("deploy", "-r=j") == ["-r=jobs"]
    assert values("app", "-r", "j") == ["jobs"]
    assert values("deploy", "-d", "") == ["staging"]
    assert values("app", "logs", "-n", "") == []


def test_hosts_and_roles() -> None:
    """Hosts and roles are those of the selected configuration (`-c`, `-d`), with accessories' hosts (cli.md 2.1)."""
    assert values("deploy", "-h", "") == ["job-1", "web-2", "web-1", "other"]
    assert values("deploy", "-d", "staging", "-h", "") == ["staging-1", "web-1", "web-2", "other"]
    assert values("deploy", "-r", "") == ["jobs", "web"]
    (about,) = [candidate.about for candidate in candidates(["deploy", "-h", "web-2"])]
    assert about == "jobs, web, db"


def test_secrets(folder: Path) -> None:
    """The names that deploy.yml has, each with the first setting that names it; no secrets file is read."""
    more = "env: {secret: [KEY, 'A:B']}\nregistry: {password: [TOKEN]}\n"
    (folder / "config" / "deploy.yml").write_text(CONFIG + more)
    found = {each.value: each.about for each in candidates(["secrets", "rotate", ""])}
    assert found == {"TOKEN": "registry/password/0", "KEY": "env/secret/0", "B": "env/secret/1"}
    assert values("secrets", "rotate", "T") == ["TOKEN"]


def test_lists_and_wildcards() -> None:
    """After a comma what the list does not have yet; a wildcard that matches stands for itself (cli.md 2.2)."""
    assert values("deploy", "-h", "web-1,") == ["web-1,job-1", "web-1,web-2", "web-1,other"]
    assert values("deploy", "-h", "web-*,") == ["web-*,job-1", "web-*,other"]
    assert values("deploy", "-h", "web-*") == ["web-*"]
    assert next(candidates(["deploy", "-h", "web-*"])).about == "web-2, web-1"
    assert values("deploy", "-h", "nope*") == []


def test_arguments() -> None:
    """Accessories with `all` where it means something, sections, words of a choice."""
    assert values("accessory", "boot", "") == ["db", "search", "all"]
    assert values("accessory", "logs", "") == ["db", "search"]
    assert values("accessory", "exec", "db", "") == []
    assert values("docs", "re") == ["registry"]
    assert values("docs", "Re") == ["Registry"]
    assert values("config", "v") == ["validate"]
    assert values("completion", "") == ["bash", "zsh", "fish"]


def test_options_follow_where_no_argument_does() -> None:
    """An empty word behind a command that takes none shows what else there is."""
    assert "--skip-push" in values("deploy", "")
    assert values("app", "exec", "") == []


def test_aliases() -> None:
    """Behind an alias, of an alias too, comes what comes behind its command, with its destination (cli.md 10)."""
    assert values("console", "-h", "sta") == ["staging-1"]
    assert "--detach" in values("again", "--")


def test_an_alias_named_like_a_command() -> None:
    """The command wins, as it does when it runs."""
    Path("config/deploy.yml").write_text("aliases: {sandbox: app logs, completion: app logs}\n")
    assert "up" in values("sandbox", "")
    assert values("completion", "") == ["bash", "zsh", "fish"]


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.handler and not command.needs_project])
def test_a_command_that_needs_no_project_has_no_values_of_it(command, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """Its completion reads no configuration, whatever option stands before the cursor."""
    monkeypatch.setattr(project_module, "read_root", lambda *_: pytest.fail("the configuration was read"))
    for option in ("-h", "-r", "-d", "-c", "--version", "--hosts="):
        values(*command.path.split(), option, "")
    values(*command.path.split(), "")


@pytest.mark.process
def test_versions(folder: Path) -> None:
    """Versions deployed from here come first, the latest at the top, then commits; no server is asked."""
    for version in ("v1", "v2", "v1"):
        remember("app", None, version)
    remember("app", "staging", "v3")
    assert values("rollback", "v") == ["v1", "v2"]
    assert values("rollback", "-d", "staging", "v") == ["v3"]
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", "A first\tone"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert values("rollback", "") == ["v1", "v2", head]
    assert "A first\tone" in next(candidates(["app", "boot", "--version", head])).about


def test_what_is_remembered_is_limited(folder: Path) -> None:
    """Twenty versions of each service and destination, readable by their owner alone."""
    for number in range(25):
        remember("app", None, f"v{number}")
    assert remembered("app", None) == [f"v{number}" for number in range(24, 4, -1)]
    assert (folder / "cache" / "pykamal" / "versions").stat().st_mode & 0o077 == 0


def test_versions_that_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deploy does not fail for it."""
    (folder / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "file"))
    remember("app", None, "v1")
    assert remembered("app", None) == []


def test_configuration_files(folder: Path) -> None:
    """YAML files and directories below what is typed."""
    (folder / "other.yaml").write_text("")
    (folder / "README").write_text("")
    (folder / ".git").mkdir()
    assert values("deploy", "-c", "") == ["config/", "other.yaml"]
    assert values("deploy", "-c", "config/deploy.s") == ["config/deploy.staging.yml"]
    assert values("deploy", "-c", ".g") == [".git/"]
    assert values("deploy", "-c", "nowhere/") == []


def test_nothing_of_the_configuration_is_run(folder: Path) -> None:
    """Shell lines of a template give nothing at TAB: nobody expects a password manager to ask there."""
    text = '<% `touch ran` %>\nservers: ["a<%= `touch ran; echo b` %>"]\n'
    (folder / "config" / "deploy.yml").write_text(text)
    assert values("deploy", "-h", "") == ["a"]
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("text", ["servers: [a\n", "- list\n", "<% nonsense( %>\n", "servers: 5\naliases: 7\n", ""])
def test_a_configuration_that_cannot_be_used(text: str, folder: Path) -> None:
    """It has no hosts, and the commands are still there."""
    (folder / "config" / "deploy.yml").write_text(text)
    assert values("deploy", "-h", "") == []
    assert "deploy" in values("")


@pytest.mark.parametrize("words", [["bash"], [], ["fish"], ["zsh", "nonsense", ""], ["fish", "app", "nonsense", ""]])
def test_requests_that_mean_nothing(words: list[str]) -> None:
    """No answer, and no error."""
    assert list(answer(words)) == []


TYPED = [
    *(word for command in COMMANDS for word in command.path.split()),
    *(form.partition(" ")[0] for command in COMMANDS for option in command.all_options for form in option.forms),
    *(
        "console",
        "again",
        "help",
        "--help",
        "--",
        "-",
        "-vq",
        "-h=",
        "--roles=",
        "web-*,",
        "=",
        "é",
        "config/",
        "staging",
    ),
]


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.process
@given(words=st.lists(st.one_of(st.sampled_from(TYPED), st.text(max_size=4)), min_size=1, max_size=5))
def test_any_words_can_be_completed(words: list[str]) -> None:
    """Completion never fails, and every candidate begins with the typed word."""
    assert all(candidate.value.startswith(words[-1]) for candidate in candidates(words))


@pytest.mark.parametrize(
    ("shell", "request_", "expected"),
    [
        ("bash", ["kamal accessory boot d", "d"], "db"),
        ("fish", ["accessory", "boot", "d"], "db\tmysql:8"),
        ("zsh", ["accessory", "boot", "d"], "db:mysql:8"),
    ],
)
def test_the_form_of_each_shell(shell: str, request_: list[str], expected: str) -> None:
    """Bash wants values, the others what they are about too."""
    assert list(answer([shell, *request_])) == [expected]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("kamal app bo", ["kamal", "app", "bo"]),
        ("kamal app ", ["kamal", "app", ""]),
        ("A=1 B='2 3' kamal app ", ["kamal", "app", ""]),
        ("kamal app exec 'ls -l", ["kamal", "app", "exec", "ls -l"]),
        ('kamal -d "sta', ["kamal", "-d", "sta"]),
        ("kamal a\\ b", ["kamal", "a b"]),
    ],
)
def test_words_of_an_unfinished_line(line: str, words: list[str]) -> None:
    """As the shell will see them."""
    assert bash_line(line, "").words == words


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("kamal ", r"""db\$\(x\)\'\"\!\`\ \\"""),
        ("kamal '", r"""db$(x)'\''"!` \ """[:-1]),
        ('kamal "', r"""db\$(x)'\""\!"\` \\"""),
    ],
)
def test_what_bash_puts_in(before: str, expected: str) -> None:
    """Quoted for the place where it goes, so that the shell reads back the name and runs nothing."""
    assert bash_line(before, "").insertion("db$(x)'\"!` \\") == expected


@pytest.mark.parametrize(("quote", "name", "expected"), [("'", "a'", r"a'\'''"), ('"', 'a"', r'a\""'), ('"', "a", "a")])
def test_bash_is_left_to_close_a_quote(quote: str, name: str, expected: str) -> None:
    """Unless the name ends with one, which bash would take for the end."""
    assert bash_line(f"kamal {quote}", "").insertion(name) == expected


def test_bash_replaces_the_end_of_a_word() -> None:
    """It keeps what stands before the last of its word breaks."""
    assert bash_line("kamal deploy --hosts=fd00::1,1", "1,1").insertion("--hosts=fd00::1,10") == "1,10"
    assert (
        bash_line('kamal deploy -c "my dir/d', "my dir/d").insertion("my dir/deploy $.yml") == r"my dir/deploy \$.yml"
    )
