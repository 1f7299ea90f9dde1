"""Options and arguments of a command."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykamal.cli.argument_parser import parse
from pykamal.cli.handlers.exec import command_line
from pykamal.cli.invocation import Invocation
from pykamal.cli.table import COMMANDS, command_row
from pykamal.core.errors import UsageError

pytestmark = pytest.mark.unit


def parsed(path: str, line: str = "") -> Invocation:
    return parse(command_row(path), shlex.split(line))


def refusal(path: str, line: str = "") -> UsageError:
    with pytest.raises(UsageError) as caught:
        parsed(path, line)
    return caught.value


def option(path: str, line: str, key: str) -> Any:
    return parsed(path, line).options[key]


def test_defaults() -> None:
    """The defaults of the global options (cli.md 1.4)."""
    options = parsed("app details").options
    assert options["config_file"] == "config/deploy.yml"
    assert (options["lock_wait_timeout"], options["lock_wait_interval"]) == (900, 15)
    assert options["output"] == "text"
    for key in ("version", "hosts", "roles", "destination"):
        assert options[key] is None
    for key in ("verbose", "quiet", "primary", "skip_hooks", "lock_wait", "debug"):
        assert options[key] is False


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_the_global_options(command: Any) -> None:
    """All of them, in whatever place (cli.md 1.4)."""
    arguments = " ".join(["word"] * command.least_arguments)
    required = " ".join(f"--{each.name} x" for each in command.options if each.required)
    for line in (f"-d staging -v {required} {arguments}", f"{required} {arguments} -d staging -v"):
        options = parsed(command.path, line).options
        assert options["destination"] == "staging"
        assert options["verbose"] is True


def test_options_with_several_values() -> None:
    """An array takes the words up to the next option, a repeatable one a word each time (cli.md 1.3, 14.7)."""
    line = "set --docker-options cpus=1 memory=1g --publish-host-ip 1.2.3.4 --publish-host-ip=::1 --no-publish"
    invocation = parsed("proxy boot_config", line)
    assert invocation.arguments == ("set",)
    assert invocation.options["docker_options"] == ("cpus=1", "memory=1g")
    assert invocation.options["publish_host_ip"] == ("1.2.3.4", "::1")
    assert (invocation.options["publish"], option("proxy boot_config", "get", "publish")) == (False, True)


@pytest.mark.parametrize("line", ["--lines 5", "--lines=5", "-n 5", "-n=5", "-n5"])
def test_forms_of_a_value(line: str) -> None:
    """`--opt value`, `--opt=value`, `-o value`, `-o=value`, `-o5` (cli.md 1.3)."""
    assert option("app logs", line, "lines") == 5


@pytest.mark.parametrize("line", ["--skip-push", "--skip_push", "-P", "--skip-push=true"])
def test_forms_of_a_flag(line: str) -> None:
    """Long names accept `-` or `_` (cli.md 1.3)."""
    assert option("deploy", line, "skip_push") is True


@pytest.mark.parametrize("line", ["-v --no-verbose", "-v --skip-verbose", "--verbose=false", "-v --no_verbose"])
def test_a_flag_turned_off(line: str) -> None:
    """Booleans accept `--no-opt` and `--skip-opt` (cli.md 1.3)."""
    assert option("deploy", line, "verbose") is False


@pytest.mark.parametrize("line", ["-P --no-skip-push", "-P --skip-skip-push", "--skip-push=false"])
def test_a_flag_with_a_no_of_its_own_turned_off(line: str) -> None:
    """As every other one: `kamal ci --no-skip-push` undoes what an alias says (cli.md 1.3)."""
    assert option("deploy", line, "skip_push") is False
    assert option("deploy", "--no-cache --no-no-cache", "no_cache") is False


def test_clustered_flags() -> None:
    """Short booleans can be written together (cli.md 1.3)."""
    options = parsed("deploy", "-pq").options
    assert options["primary"]
    assert options["quiet"]


def test_a_value_behind_clustered_flags() -> None:
    """The last short option of a word takes what is left of it, or the words that follow as if it stood alone."""
    assert option("app logs", "-fn5", "lines") == 5
    assert option("app logs", "-fn 5", "lines") == 5
    found = parsed("app exec", "-ie A:1 B:2 env")
    assert (found.arguments, found.options["env"]) == (("env",), {"A": "1", "B": "2"})
    assert refusal("app logs", "-fn --lines 3").message == "No value provided for option '--lines'"


def test_clusters_that_are_not_ours() -> None:
    """Letters that are no options are handed on, as by Ruby Kamal; a word with other signs as a whole (cli.md 1.3)."""
    found = parsed("app exec", "ls -lp")
    assert (found.arguments, found.options["primary"]) == (("ls", "-l"), True)
    assert found.advice is not None
    for word in ("-1p", "-xp5", "-=p"):
        found = parsed("app exec", f"ls {word}")
        assert (found.arguments, found.options["primary"]) == (("ls", word), False)
    assert refusal("deploy", "-xp").message == 'ERROR: "kamal deploy" was called with arguments ["-x"]'


def test_a_word_after_a_flag_is_not_swallowed() -> None:
    """`server exec -p true` runs `true` (cli.md 22, 13)."""
    found = parsed("server exec", "-p true")
    assert found.arguments == ("true",)
    assert found.options["primary"] is True


def test_the_last_one_wins() -> None:
    """`-r web -r workers`, as behind an alias (cli.md 10)."""
    assert option("app details", "-r web -r workers", "roles") == "workers"


def test_follow_is_a_flag() -> None:
    """`-f` takes no value and `--follow=false` does not follow (cli.md 22, 12)."""
    assert option("app logs", "-f", "follow") is True
    assert option("app logs", "--follow=false", "follow") is False
    assert option("app logs", "-f -n 5", "lines") == 5


def test_a_value_that_looks_like_an_option() -> None:
    """`--grep-options=-i` (cli.md 1.3)."""
    assert option("app logs", "--grep-options=-i", "grep_options") == "-i"
    assert option("app logs", '--grep-options "-C 2"', "grep_options") == "-C 2"


def test_pairs() -> None:
    """As many `key:value` words as follow; the first word without a colon is an argument (cli.md 1.3)."""
    found = parsed("app exec", '-e A:1 "B:two words" C:x:y env')
    assert found.options["env"] == {"A": "1", "B": "two words", "C": "x:y"}
    assert found.arguments == ("env",)
    assert option("app exec", "env --env=A:1 -e B:2", "env") == {"A": "1", "B": "2"}


def test_a_pair_of_an_alias_is_replaced() -> None:
    """Later options win (cli.md 10); only in one option a key may not be repeated (cli.md 1.3)."""
    assert option("app exec", "-e A:1 B:1 -e A:2 env", "env") == {"A": "2", "B": "1"}


def test_a_repeated_pair() -> None:
    """The literal text of Ruby Kamal (cli.md 1.3)."""
    expected = "You can't specify 'A' more than once in option '--env'; got A:1 and A:2"
    assert refusal("app exec", "-e A:1 A:2 env").message == expected


@pytest.mark.parametrize(
    ("path", "line", "message"),
    [
        ("app logs", "--lines", "No value provided for option '--lines'"),
        ("app logs", "-n", "No value provided for option '--lines'"),
        ("deploy", "-h -v", "No value provided for option '--hosts'"),
        ("app logs", "--lines abc", "Expected numeric value for '--lines'; got \"abc\""),
        ("lock acquire", "", "No value provided for required options '--message'"),
        ("app details", "-x", 'ERROR: "kamal app details" was called with arguments ["-x"]'),
        ("app details", "word", 'ERROR: "kamal app details" was called with arguments ["word"]'),
        ("accessory boot", "", 'ERROR: "kamal accessory boot" was called with no arguments'),
        ("rollback", "a b", 'ERROR: "kamal rollback" was called with arguments ["a", "b"]'),
        ("accessory exec", "", 'ERROR: "kamal accessory exec" was called with no arguments'),
        ("accessory exec", "db", "No command provided. You must specify a command to execute."),
        ("app exec", "-i", "No command provided. You must specify a command to execute."),
        ("server exec", "", "No command provided. You must specify a command to execute."),
        ("sandbox ssh", "", 'ERROR: "kamal sandbox ssh" was called with no arguments'),
        ("app logs", "--lines +-5", "Expected numeric value for '--lines'; got \"+-5\""),
        ("app logs", "--lines -5", "Expected a number of at least 0 for '--lines'; got \"-5\""),
        ("app maintenance", "--drain-timeout=-1", "Expected a number of at least 0 for '--drain-timeout'; got \"-1\""),
        ("app logs", "--lines=", "Expected numeric value for '--lines'; got \"\""),
        ("app logs", "--lines 5.5", "Expected numeric value for '--lines'; got \"5.5\""),
        ("app logs", f"-n {'9' * 5000}", f"Expected numeric value for '--lines'; got \"{'9' * 5000}\""),
        ("app exec", "-e --reuse env", "No value provided for option '--env'"),
        ("deploy", "--no-verbose=true", "Expected no value for option '--no-verbose'; got \"true\""),
        ("deploy", "-h --no-verbose", "No value provided for option '--hosts'"),
        ("deploy", "--skip-cache x", 'ERROR: "kamal deploy" was called with arguments ["--skip-cache", "x"]'),
        ("audit", "--output xml", "Expected '--output' to be one of text, json; got \"xml\""),
        ("app exec", "-e A env", "Expected key:value for '--env'; got \"A\""),
        ("app exec", "env -e", "No value provided for option '--env'"),
        ("deploy", "--primary=maybe", "Expected no value for option '--primary'; got \"maybe\""),
    ],
)
def test_what_is_refused(path: str, line: str, message: str) -> None:
    """The texts of Ruby Kamal where it has one (cli.md 1.3)."""
    assert refusal(path, line).message == message


def test_usage_is_shown_with_a_refusal() -> None:
    """`Usage: "kamal COMMAND ARGUMENTS"` (cli.md 1.3); a near option is suggested."""
    assert refusal("deploy", "-h").hint == "-h means --hosts; --help shows the help of a command"
    assert refusal("lock acquire", "-m why word").hint == 'Usage: "kamal lock acquire --message TEXT"'
    assert refusal("accessory boot").hint == 'Usage: "kamal accessory boot NAME"'
    assert refusal("app details", "word").hint == 'Usage: "kamal app details"'
    assert refusal("app details", "--destinaton x").hint == 'Did you mean?  "--destination"'


def test_a_command_line_keeps_its_unknown_options() -> None:
    """Known options are recognised anywhere, unknown ones pass through (cli.md 1.3)."""
    found = parsed("app exec", "ls -la foo --color=auto -d staging -p")
    assert found.arguments == ("ls", "-la", "foo", "--color=auto")
    assert found.options["destination"] == "staging"
    assert found.options["primary"] is True


def test_options_of_ours_behind_a_command_line_are_its_own() -> None:
    """Ruby Kamal does not know them and hands them on, so scripts may have them there (cli.md 1.3)."""
    found = parsed("app exec", "--output json bin/tool --output=yaml --debug -d staging --output text")
    assert found.arguments == ("bin/tool", "--output=yaml", "--debug", "--output", "text")
    assert found.json
    assert found.options["debug"] is False
    assert found.options["destination"] == "staging"
    found = parsed("accessory exec", "db --debug psql --debug")
    assert found.arguments == ("db", "psql", "--debug")
    assert found.options["debug"] is True
    assert parsed("app exec", "-x --debug").arguments == ("-x", "--debug")
    assert parsed("app logs", "--debug").options["debug"] is True


def test_the_separator_protects_a_command_line() -> None:
    """Behind `--` every word belongs to the command (cli.md 1.3; one `--` is enough here)."""
    found = parsed("app exec", "-p -- ls -d foo=bar -e x")
    assert found.arguments == ("ls", "-d", "foo=bar", "-e", "x")
    assert found.options["destination"] is None


def test_output_of_a_build_is_docker_s() -> None:
    """`build push --output` is the export type; there is no other output option there (cli.md 12.5)."""
    assert option("build push", "--output=local", "output") == "local"
    assert option("build push", "", "output") == "registry"
    assert parsed("build push", "--output local").json is False
    assert parsed("audit", "--output json").json is True


@pytest.mark.parametrize(
    ("line", "expected"), [("", "normal"), ("-v", "verbose"), ("-q", "quiet"), ("-vq", "quiet"), ("-v --raw", "quiet")]
)
def test_verbosity(line: str, expected: str) -> None:
    """Quiet wins over verbose, `--raw` is quiet (cli.md 1.4, 4.2)."""
    assert parsed("app exec", f"ls {line}").verbosity == expected


FORMS = [form.partition(" ")[0] for command in COMMANDS for option in command.all_options for form in option.forms]
WORDS = st.lists(
    st.one_of(
        st.sampled_from(sorted(set(FORMS))),
        st.builds("{}={}".format, st.sampled_from(sorted(set(FORMS))), st.text(max_size=3)),
        st.sampled_from(
            ["--", "-", "A:1", "A:2", "true", "5", "-5", "", "--no-verbose", "--skip-quiet", "-vq", "-vn5"]
        ),
        st.text(max_size=5),
    ),
    max_size=6,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(command=st.sampled_from(COMMANDS), words=WORDS)
def test_any_words_are_parsed_or_refused(command: Any, words: list[str]) -> None:
    """The parser fails in no other way, and what follows `--` is an argument, unchanged (cli.md 1.3)."""
    try:
        found = parse(command, words)
    except UsageError:
        return
    assert set(found.options) == {option.key for option in command.all_options}
    if "--" in words:
        behind = words[words.index("--") + 1 :]
        assert len(behind) == 0 or list(found.arguments[-len(behind) :]) == behind


def line_of(path: str, line: str, *, name: int = 0) -> str:
    """The command line that an exec hands on; `name` arguments stand before it."""
    invocation = parsed(path, line)
    words = invocation.arguments[name:]
    return command_line(words, literal=min(invocation.literal, len(words)))


@pytest.mark.parametrize("path", ["app exec", "server exec", "accessory exec", "sandbox ssh"])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("""-- python3 -c 'print(1)'""", "python3 -c 'print(1)'"),
        ("""python3 -- -c 'print(1)' -d -h --reuse""", "python3 -c 'print(1)' -d -h --reuse"),
        ("""-- echo 'a b' '$HOME' '*' ''""", "echo 'a b' '$HOME' '*' ''"),
        ("""-- ls -- -x""", "ls -- -x"),
        ("""-- 'ls -la | wc -l'""", "ls -la | wc -l"),
        ("""'ls -la | wc -l'""", "ls -la | wc -l"),
        ("""ls -la 'a b'""", "ls -la a b"),
        ("""echo '"a b"'""", 'echo "a b"'),
    ],
)
def test_words_behind_two_dashes_stay_words(path: str, words: str, expected: str) -> None:
    """cli.md 1.3: behind `--` all words are the command's; several are one word each for the program, a lone one is a
    line."""
    names = {"accessory exec": 1, "sandbox ssh": 1}.get(path, 0)
    assert line_of(path, f"{'db ' * names}{words}", name=names) == expected


@pytest.mark.parametrize(
    ("path", "line", "taken", "meant"),
    [
        ("app exec", "--reuse python3 -c 'print(1)'", "-c", "app exec --reuse -- python3 -c 'print(1)'"),
        ("app exec", "ls -d foo", "-d", "app exec -- ls -d foo"),
        ("server exec", "-p tail -q log", "-q", "server exec -p -- tail -q log"),
        ("accessory exec", "db --reuse psql -h db -d app", "-h, -d", "accessory exec db --reuse -- psql -h db -d app"),
        ("app exec", "mkdir -pv a", "-pv", "app exec -- mkdir -pv a"),
        ("app exec", "bin/x --verbose", "--verbose", "app exec -- bin/x --verbose"),
        ("app exec", "bin/x --no-verbose", "--no-verbose", "app exec -- bin/x --no-verbose"),
        ("app exec", "ls -lp", "-lp", "app exec -- ls -lp"),
    ],
)
def test_options_that_the_command_may_have_meant(path: str, line: str, taken: str, meant: str) -> None:
    """cli.md 1.3: options of ours count wherever they stand; it is said how the command gets its own."""
    advice = f"{taken} was read as an option of kamal; for one of the command's own, write: kamal {meant}"
    assert parsed(path, line).advice == advice


@pytest.mark.parametrize(
    ("line", "misread"),
    [
        ("ls -p x", True),
        ("cp -r a b", True),
        ("'ls -la' -p", False),
        ("bash -i --reuse", False),
        ("ls -d staging", False),
        ("-p ls x", False),
        ("-- ls -p x", False),
        ("ls -la x", False),
    ],
)
def test_an_option_amid_the_command_is_likely_its_own(line: str, misread: bool) -> None:
    """An option between words of the command is warned of at once; one behind it is normal for ours."""
    assert parsed("app exec", line).misread is misread


@pytest.mark.parametrize("line", ["sed -e s/a/b/ file", "cp -r", "psql -h", "tail -n x --lock-wait-timeout y"])
def test_a_usage_error_says_it_too(line: str) -> None:
    """An option of the command's own that ours cannot be is refused with the way to write it."""
    with pytest.raises(UsageError) as caught:
        parsed("app exec", line)
    assert f"write: kamal app exec -- {line}" in (caught.value.hint or "")
