"""`kamal config` of this tool and of Ruby Kamal 2.11.0 on the same files: the same bytes, or the same refusal.

Most files go through Ruby Kamal in a few runs of it (`oracle_batch`); a sample is given to the command itself.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from scripts.docs.templates import value_tables

from pykamal.cli.dispatch import dispatch
from pykamal.commands.flags import log_flags
from pykamal.commands.words import render
from pykamal.config import load
from pykamal.config.psych_emitter import dumped
from pykamal.config.schema import bundle, resolved
from pykamal.config.show import config_document
from pykamal.config.yaml_reader import read_yaml
from pykamal.core.errors import ConfigurationError
from pykamal.erb.methods import ANY_METHODS
from pykamal.erb.rendered import Rendered
from pykamal.operations.local.local_system import LocalSystem
from tests.config_catalogue import ACCEPTED, REFUSED, changed
from tests.erb_files import FILES_OF_SHELL_LINES, SHELL_LINES, TEMPLATED_FILES, with_shell_line
from tests.erb_forms_table import FAILURES, FORMS
from tests.erb_table import ENVIRONMENT, EXPRESSIONS, FILES, TRIMMED
from tests.init_projects import PROJECTS
from tests.parity.config_generator import every_key_with_every_value, several_changes, shown, whole_files
from tests.parity.oracle import ruby_output
from tests.parity.oracle_batch import VERSION, Case, psych_documents, ruby_config, ruby_configs
from tests.parity.yaml_generator import documents as yaml_documents

pytestmark = pytest.mark.parity

_DATA = Path(__file__).parents[1] / "data" / "config"

# Rows of the error catalogue that Ruby Kamal 2.11.0 does not know yet (spec/config.md 21).
_NEW_IN_2_12 = {48, 49, 107, 123, 124, 125}
_NEW_KEYS = ("stop_timeout", "output", "forward_agent")

_OWN_MESSAGES = {
    *re.findall(r'"x-pattern-message": "([^"]+)"', json.dumps(bundle())),
    "that is not closed",
}
"""Configurations that Ruby Kamal accepts and pykamal refuses."""

_COMPARABLE = [row[1] for row in REFUSED if row[0] not in _NEW_IN_2_12 and not any(key in row[1] for key in _NEW_KEYS)]


def _ours(case: Case, directory: Path) -> str:
    case.write_to(directory)
    system = LocalSystem(directory, {**os.environ, **case.environment})
    try:
        config = load(destination=case.destination, system=system)
    except ConfigurationError as error:
        return f"ERROR ({error.label}): {error.message}"
    return config_document(config, VERSION, [render(word, shown=True) for word in log_flags(config.logging)])


def _accounted_for(case: Case, ours: str, rubys: str) -> str | None:
    """Return the sections of spec/config.md that explain why two answers differ, or None."""
    refusals = ours.startswith("ERROR ("), rubys.startswith("ERROR (")
    our_class, rubys_class = ours.partition(":")[0], rubys.partition(":")[0]
    if all(refusals) and our_class == rubys_class and ("NoMethodError" in our_class or "TypeError" in our_class):
        return "22: a crash of Ruby is a refusal of the same class with words of its own"
    if ours == rubys.replace("is 2.11.0,", "is 2.12.0,"):
        return "21: its version"
    if rubys.startswith("ERROR (Kamal::ConfigurationError): Conflicting proxy run configurations"):
        return "21: identical settings are no conflict"
    if rubys == "ERROR (NoMethodError): undefined method `keys' for nil":
        return "22, row 134: accessories without servers"
    if ours == rubys.replace("\n- \n", "\n", 1):
        return "22: an accessory on a role that is false, as on unknown tags, has no host instead of a null one"
    if "Service name can only include" in ours and not refusals[1]:
        return "22: the whole service name is checked"
    if refusals == (True, False) and any(message in ours for message in _OWN_MESSAGES):
        return "docs/differences.md: names that no container, no shell and no OpenSSH takes are refused"
    if not any(refusals) and _without_key_data(ours) == _without_key_data(rubys):
        return "docs/differences.md: secrets are redacted"
    return None


def _without_key_data(document: str) -> str:
    return re.sub(r"(?m)^  :key_data:\n(  - .*\n)+", "", document)


def _compare(cases: Iterable[Case], directory: Path) -> None:
    """Each pair of answers must be the same, or differ for a reason that is written down."""
    cases = list(cases)
    assert cases
    wrong: list[str] = []
    for index, (case, rubys) in enumerate(zip(cases, ruby_configs(cases), strict=True)):
        ours = _ours(case, directory / str(index))
        if ours != rubys and _accounted_for(case, ours, rubys) is None:
            wrong.append(f"{shown(case)}\nours:   {ours}\nRuby's: {rubys}\n")
    assert not wrong, f"{len(wrong)} of {len(cases)} differ, the first ones:\n" + "\n".join(wrong[:5])


def _file(change: str) -> Case:
    return Case({"config/deploy.yml": changed(change)})


def test_refusals(tmp_path: Path) -> None:
    """Section 20: the same class and the same words, of the same one of several errors."""
    _compare(map(_file, _COMPARABLE), tmp_path)


def test_accepted(tmp_path: Path) -> None:
    """Both tools print the same bytes for a configuration that both accept."""
    _compare(map(_file, ACCEPTED), tmp_path)


_GIVEN_TO_THE_COMMAND = [*_COMPARABLE[::90], *ACCEPTED[::45], "ssh: {log_level: loud}"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(change, marks=[] if index % 4 == 0 else [pytest.mark.long])
        for index, change in enumerate(_GIVEN_TO_THE_COMMAND)
    ],
)
def test_the_command_itself(change: str, tmp_path: Path) -> None:
    """A sample is given to `kamal config`, which agrees with loading many files in one run."""
    case = _file(change)
    assert ruby_config(case, tmp_path / "rubys") == ruby_configs([case])[0]
    _compare([case], tmp_path / "ours")


def _sampled(cases: Iterable[Case], one_in: int) -> Sequence[Case]:
    return list(islice(cases, 0, None, one_in))


@pytest.mark.parametrize("one_in", [15, pytest.param(1, marks=pytest.mark.long)])
def test_every_key_with_every_value(one_in: int, tmp_path: Path) -> None:
    """Sections 3 to 16: each key accepts and refuses what Ruby Kamal does, whatever stands there."""
    _compare(_sampled(every_key_with_every_value(), one_in), tmp_path)


@pytest.mark.parametrize("count", [600, pytest.param(12_000, marks=pytest.mark.long)])
def test_several_errors(count: int, tmp_path: Path) -> None:
    """Section 2.4: of several errors the same one is the first."""
    _compare(several_changes(count, count), tmp_path)


@pytest.mark.parametrize("count", [250, pytest.param(6_000, marks=pytest.mark.long)])
def test_whole_files(count: int, tmp_path: Path) -> None:
    """Sections 1.2, 4, 17, 18 and 19: merged files, rules across sections, derived values, and how they are printed."""
    _compare(whole_files(count, count), tmp_path)


@pytest.mark.parametrize("count", [1500, pytest.param(30_000, marks=pytest.mark.long)])
def test_yaml(count: int) -> None:
    """Sections 1.4 and 19.2: YAML is read and written as Ruby's library does, and refused in its words."""
    texts = list(yaml_documents(count, count))
    pairs = zip(texts, map(_read_and_written, texts), psych_documents(texts), strict=True)
    wrong = [
        f"{text!r}\n  ours:   {ours!r}\n  Ruby's: {rubys!r}"
        for text, ours, rubys in pairs
        if ours != rubys and not rubys.startswith(_CRASH_ON_DOT) and not ours.startswith(_REFUSED_NUL)
    ]
    assert not wrong, f"{len(wrong)} of {count} differ, the first ones:\n" + "\n".join(wrong[:5])


_REFUSED_NUL = "ERROR (Kamal::ConfigurationError): a NUL byte"
"""A text with one is refused here, since it reaches no command (docs/differences.md)."""

_CRASH_ON_DOT = 'ERROR (ArgumentError): invalid value for Float(): "E'
"""What `.E-1` ends in, which looks like a number to Ruby and is none; here it is a text."""


def _read_and_written(text: str) -> str:
    try:
        root, _ = read_yaml(Rendered.untouched("f", text))
    except ConfigurationError as error:
        return f"ERROR ({error.label}): {error.message}"
    return dumped(False if root is None else root)


def test_what_init_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """spec/cli.md 18.3: the first deploy.yml of every kind of project is good for both tools."""
    cases = []
    for kind, project in PROJECTS.items():
        folder = tmp_path / kind
        project.write_to(folder)
        monkeypatch.chdir(folder)
        assert dispatch(["init"]) == 0
        cases.append(Case({"config/deploy.yml": (folder / "config" / "deploy.yml").read_text()}))
    assert [text for text in ruby_configs(cases) if text.startswith("ERROR")] == []
    _compare(cases, tmp_path / "ours")


def test_what_ruby_kamals_init_writes(tmp_path: Path) -> None:
    """spec/cli.md 18.3: its first deploy.yml, whose comments hold templates, is loaded without a word."""
    ruby_output(["init"], tmp_path, {})
    text = (tmp_path / "config" / "deploy.yml").read_text()
    assert "<%= ENV" in text
    assert load(system=LocalSystem(tmp_path)).warnings == ()
    _compare([Case({"config/deploy.yml": text})], tmp_path / "both")


@pytest.mark.parametrize(
    ("name", "destination"), [("minimal", None), ("roles", None), ("staging", "staging"), ("scalars", None)]
)
def test_files(name: str, destination: str | None, tmp_path: Path) -> None:
    """The worked examples of section 19.3, and a file with every kind of scalar: the same bytes."""
    files = {"config/deploy.yml": (_DATA / f"{name}.yml").read_text()}
    if destination is not None:
        files[f"config/deploy.{destination}.yml"] = (_DATA / f"{name}.{destination}.yml").read_text()
    case = Case(files, destination)
    rubys = ruby_config(case, tmp_path / "rubys")
    assert _ours(case, tmp_path / "ours") == rubys == (_DATA / f"{name}.shown").read_text()


def test_templates(tmp_path: Path) -> None:
    """Section 1.3: every expression and template of the tables renders as Ruby renders it."""
    _compare_expressions([expression for expression, _ in (*EXPRESSIONS, *FORMS)], tmp_path)


@pytest.mark.parametrize("name", TEMPLATED_FILES)
def test_templated_files(name: str, tmp_path: Path) -> None:
    """Whole files with code around their keys are the same configuration in both."""
    case = Case({**FILES, "config/deploy.yml": TEMPLATED_FILES[name]}, environment=ENVIRONMENT)
    rubys = ruby_config(case, tmp_path / "rubys")
    assert not rubys.startswith("ERROR")
    assert _ours(case, tmp_path / "ours") == rubys


def test_programs_that_are_not_there(tmp_path: Path) -> None:
    """A shell line without its program is an error where Ruby starts the program itself, else an exit status."""
    files = (with_shell_line(line) for line in SHELL_LINES)
    _compare([Case({**FILES_OF_SHELL_LINES, "config/deploy.yml": file}) for file in files], tmp_path)


def test_failing_templates(tmp_path: Path) -> None:
    """A template that fails in Ruby fails here with the same class and message."""
    rescue = 'rescue Exception => error; "#{error.class}: #{error.message}"; end'
    _compare_expressions([f"begin; {expression}; {rescue}" for expression, _ in FAILURES], tmp_path)


def test_methods_are_rubys_own(tmp_path: Path) -> None:
    """No value has a method here that it has not in Ruby Kamal, but for those of enumerators and of `time`."""
    others = {"with_index", "with_object", "iso8601", "xmlschema"}
    names = {name: " ".join({*table, *ANY_METHODS} - others) for name, table in value_tables().items()}
    is_there = "->(method) { value.respond_to?(method) }"
    missing = [f"{_SAMPLES[name]}.then {{ |value| %w[{words}].grep_v({is_there}) }}" for name, words in names.items()]
    rubys = ruby_config(Case({"config/deploy.yml": _arguments(missing)}), tmp_path)
    assert re.findall(r"(?m)^    e\d+: (.*)$", rubys) == ['"[]"'] * len(missing)


_SAMPLES = {
    "String": '"a"',
    "Array": "[1]",
    "Hash": "{a: 1}",
    "true, false": "true",
    "Integer": "1",
    "Float": "1.5",
    "Symbol": ":a",
    "Range": "(1..2)",
    "Regexp": "/a/",
    "MatchData": '"a".match(/a/)',
    "Time": "Time.now",
    "Date": "Date.today",
    "Gem::Version": 'Gem::Version.new("1")',
    "URI": 'URI.parse("http://a")',
    "Proc": "lambda { }",
    "ERB": 'ERB.new("")',
    "exceptions": 'StandardError.new("a")',
    "classes": "String",
    "`$?`": "(`true`; $?)",
    "`$stdout`, `$stderr`": "$stdout",
    "nil": "nil",
}
"""A value of each class that templates know methods of."""


_AT_ONCE = 200
"""Expressions in one template; there is a limit to how many words of code it may have."""


def _compare_expressions(expressions: Sequence[str], directory: Path) -> None:
    for start in range(0, len(expressions), _AT_ONCE):
        text = _arguments(expressions[start : start + _AT_ONCE])
        case = Case({**FILES, "config/deploy.yml": text}, environment=ENVIRONMENT)
        rubys = ruby_config(case, directory / f"rubys{start}")
        assert not rubys.startswith("ERROR")
        assert _ours(case, directory / f"ours{start}").splitlines() == rubys.splitlines()


def _arguments(expressions: Iterable[str]) -> str:
    shown = (f"<%= (-> {{ {expression} }}.call).to_s.to_json %>" for expression in expressions)
    lines = [f"    e{index}: {tag}\n" for index, tag in enumerate(shown)]
    return changed("builder: -") + "builder:\n  arch: amd64\n  args:\n" + "".join(lines)


def test_trimming(tmp_path: Path) -> None:
    """Section 1.3: tags and the white space around them leave the same text."""
    _compare([_trimming(source) for source, _ in TRIMMED if "\r" not in source], tmp_path)


def _trimming(source: str) -> Case:
    body = source.replace("\n", "\n      ")
    text = changed("builder: -") + f"builder:\n  arch: amd64\n  args:\n    t: |\n      .{body}\n      .\n"
    return Case({**FILES, "config/deploy.yml": text}, environment=ENVIRONMENT)


def test_own_keys_do_not_disturb_ruby(tmp_path: Path) -> None:
    """A file that uses all of `x-pykamal`, by the schema's own examples, is loaded by Ruby Kamal as one without it."""
    settings = _whole(bundle()["$defs"]["x-pykamal"])
    assert {"ssh"} <= set(settings)
    case = _file(f"x-pykamal: {json.dumps(settings)}")
    assert ruby_configs([case]) == ruby_configs([_file("service: app")])
    _compare([case], tmp_path)


def _whole(setting: dict[str, Any]) -> Any:
    """A value that uses every key below a setting of the schema, each with its first example."""
    setting = resolved(setting)
    if properties := setting.get("properties"):
        return {key: _whole(inner) for key, inner in properties.items()}
    return setting["examples"][0]
