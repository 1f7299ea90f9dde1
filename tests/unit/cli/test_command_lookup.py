"""The lookup of words: a command, help, or an error."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pykamal.cli.command_lookup import Help, Run, Tree, route
from pykamal.cli.table import COMMANDS
from pykamal.core.errors import ConfigurationError, UsageError

pytestmark = pytest.mark.unit


def no_aliases(name: str, words: Sequence[str]) -> None:
    return None


def aliases(**lines: str):  # type: ignore[no-untyped-def]
    return lambda name, words: lines[name].split() if name in lines else None


def path(line: str, expand=no_aliases) -> str:  # type: ignore[no-untyped-def]
    found = route(line.split(), expand)
    assert isinstance(found, Run), found
    return found.row.path


def refusal(line: str, expand=no_aliases) -> UsageError:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError) as caught:
        route(line.split(), expand)
    return caught.value


@pytest.mark.parametrize("row", [row for row in COMMANDS if row.handler])
def test_every_command_has_its_name(row) -> None:  # type: ignore[no-untyped-def]
    """An exact name is found, with `-` as good as `_` (cli.md 1.2)."""
    assert path(row.path) == row.path
    assert path(row.path.replace("_", "-")) == row.path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("dep", "deploy"),
        ("app stale", "app stale_containers"),
        ("acc rem db", "accessory remove"),
        ("l st", "lock status"),
    ],
)
def test_an_unambiguous_beginning_is_enough(line: str, expected: str) -> None:
    """In groups as at the top (cli.md 1.2)."""
    assert path(line) == expected


def test_an_ambiguous_beginning() -> None:
    """The matches are listed, sorted (cli.md 1.2)."""
    assert refusal("re").message == "Ambiguous command re matches [redeploy, registry, remove]"
    assert refusal("app sta").message == "Ambiguous command sta matches [stale_containers, start]"


def test_a_typing_error_gets_a_suggestion() -> None:
    """`Could not find command`, and the nearest name (cli.md 1.2)."""
    assert refusal("dpeloy").message == 'Could not find command "dpeloy".'
    assert refusal("dpeloy").hint == 'Did you mean?  "deploy"'
    assert refusal("DEPLOY").hint == 'Did you mean?  "deploy"\n               "redeploy"'
    assert refusal("app bot").hint == 'Did you mean?  "boot"'
    assert refusal("xyzzy").hint is None


@pytest.mark.parametrize("line", ["", "-h", "--help", "-?", "-D", "-v", "--hosts a"])
def test_general_help(line: str) -> None:
    """No word, or one of the words for help, or only global options (cli.md 1.1)."""
    assert route(line.split(), no_aliases) == Help()


@pytest.mark.parametrize(
    ("line", "topic"),
    [
        ("help deploy", "deploy"),
        ("--help deploy", "deploy"),
        ("-h app exec", "app exec"),
        ("help app remove_containers", "app remove_containers"),
        ("app help tree", "tree"),
        ("tree --help", "tree"),
        ("app tree --help", "tree"),
        ("help dep", "deploy"),
        ("help app", "app"),
        ("help app exec", "app exec"),
        ("app", "app"),
        ("app --help", "app"),
        ("app -d staging", "app"),
        ("app -vq", "app"),
        ("app --no-verbose", "app"),
        ("app --", "app"),
        ("app help", "app"),
        ("app help exec", "app exec"),
        ("app exec --help", "app exec"),
        ("app exec ls --help", "app exec"),
        ("deploy --help", "deploy"),
        ("deploy -d staging --help", "deploy"),
        ("lock help", "lock"),
    ],
)
def test_help_about_something(line: str, topic: str) -> None:
    """`help CMD`, `GROUP help SUB`, a group alone, and `--help` behind anything (cli.md 1.1, 1.3)."""
    assert route(line.split(), no_aliases) == Help(topic)


def test_help_behind_the_separator_belongs_to_the_command() -> None:
    """`--` ends our options."""
    assert path("app exec -- ls --help") == "app exec"


def test_options_before_the_command_run_nothing() -> None:
    """Ruby Kamal shows help then; we also say what to write instead (cli.md 1.1)."""
    assert route(["-d", "staging", "app", "details"], no_aliases) == Help(
        "app details", note="Options come after the command: kamal app details -d staging"
    )
    assert route(["-vq", "deploy"], no_aliases) == Help(
        "deploy", note="Options come after the command: kamal deploy -vq"
    )
    assert refusal("-x").message == 'Could not find command "-x".'


@pytest.mark.parametrize(
    "line",
    [
        "app -d staging details",
        "app details -d staging",
        "app --destination staging details",
        "app --destination=staging details",
    ],
)
def test_global_options_between_group_and_command(line: str) -> None:
    """The value of an option is not taken for the command (cli.md 1.1)."""
    found = route(line.split(), no_aliases)
    assert isinstance(found, Run)
    assert found.row.path == "app details"
    assert "staging" in " ".join(found.words)
    assert "details" not in found.words


def test_h_is_hosts_behind_a_command() -> None:
    """`-h` asks for help only as the first word (cli.md 1.3)."""
    found = route(["app", "details", "-h", "10.0.0.1"], no_aliases)
    assert isinstance(found, Run)
    assert found.words == ("-h", "10.0.0.1")


def test_trees() -> None:
    """`tree` of everything or of a group (cli.md 18.4)."""
    assert route(["tree"], no_aliases) == Tree()
    assert route(["app", "tree"], no_aliases) == Tree("app")
    assert route(["app", "-v", "tree", "-d", "staging"], no_aliases) == Tree("app")
    assert refusal("tree app").message == 'ERROR: "kamal tree" was called with arguments ["app"]'
    assert refusal("app tree boot").message == 'ERROR: "kamal tree" was called with arguments ["boot"]'


def test_an_unknown_option_of_a_group() -> None:
    """It is not taken for a wish for help (cli.md 1.1)."""
    assert refusal("app --foo").message == 'Could not find command "--foo".'


def test_names_of_ours_take_no_abbreviation_away() -> None:
    """`co` is `config` as in Ruby Kamal, though there is `completion` here (cli.md 1.2)."""
    assert path("co") == "config"
    assert path("comp bash") == "completion"
    assert route(["sa"], no_aliases) == Help("sandbox")


# -- aliases (cli.md 10)


def test_an_alias_is_followed_by_the_words_behind_it() -> None:
    """The command line of the alias, then the user's words: later options win (cli.md 10)."""
    expand = aliases(console="app exec -i -r web bash", shell="console --reuse")
    found = route(["shell", "-r", "workers"], expand)
    assert isinstance(found, Run)
    assert found.row.path == "app exec"
    assert found.words == ("-i", "-r", "web", "bash", "--reuse", "-r", "workers")
    assert found.alias == "shell"


def test_an_exact_alias_beats_an_abbreviation_but_no_command() -> None:
    """An alias called `vers` runs, although `vers` abbreviates `version` (cli.md 22, 22)."""
    assert path("vers", aliases(vers="app details")) == "app details"
    assert path("vers", no_aliases) == "version"
    assert path("deploy", aliases(deploy="app details")) == "deploy"


def test_aliases_are_not_consulted_inside_groups() -> None:
    """Only the first word can be an alias (cli.md 1.2)."""
    assert refusal("app console", aliases(console="app exec bash")).message == 'Could not find command "console".'


def test_an_alias_that_leads_back_to_itself() -> None:
    """A circle is told instead of followed."""
    assert refusal("one", aliases(one="two", two="one")).message == "Alias one leads back to itself: one -> two -> one"


def test_a_configuration_that_cannot_be_read() -> None:
    """It is no obstacle to an abbreviated command, but to what may have been an alias."""

    def broken(name: str, words: Sequence[str]) -> None:
        raise ConfigurationError("broken")

    assert path("vers", broken) == "version"
    with pytest.raises(ConfigurationError):
        route(["console"], broken)
