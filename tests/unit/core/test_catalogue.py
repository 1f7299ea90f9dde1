"""The catalogue of diagnostics: complete, shown to be true, and current in the documentation."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pykamal.cli.argument_parser import parse
from pykamal.cli.completion.candidates import candidates
from pykamal.cli.config_checks import hidden_aliases, missing_ssh_files, placeholders, undefined_secrets
from pykamal.cli.dispatch import dispatch
from pykamal.cli.safe_mode import warnings as safety_warnings
from pykamal.cli.table import command_row
from pykamal.config import load
from pykamal.core import errors
from pykamal.core.catalogue import files, hosts, rules, secrets, settings
from pykamal.core.catalogue.reference import as_text, with_reference
from pykamal.core.diagnostic_report import report
from pykamal.core.diagnostics import Diagnostic, Location, Rule
from pykamal.core.errors import ConfigurationError, KamalError
from pykamal.core.host_strings import HostAddress
from pykamal.erb.system import CommandRefused
from pykamal.operations.run import key_texts
from pykamal.operations.secrets.check import check
from pykamal.secrets import dotenv
from pykamal.secrets.adapters.test import ReversedNames
from pykamal.secrets.command_substitution import substitute
from pykamal.secrets.declared import Declared
from pykamal.secrets.doctor import examine, uses_in_files
from pykamal.secrets.providers import check_providers
from pykamal.secrets.store import Secrets
from pykamal.transport.client_config import settings_for
from tests.config_catalogue import changed
from tests.config_world import World

pytestmark = pytest.mark.unit

SOURCE = Path(__file__).parents[3] / "src" / "pykamal"
DOCUMENT = Path(__file__).parents[3] / "docs" / "diagnostics.md"
CONFIGURATION = [
    rule for module in (files, secrets, settings) for rule in vars(module).values() if isinstance(rule, Rule)
]


class _RunsNothing(World):
    def run_shell(self, line: str, environment: Mapping[str, str]) -> str:
        raise CommandRefused(line)


def _loading(world: World, destination: str | None = None) -> Iterator[Diagnostic]:
    """Return the diagnostics of loading a world's files, and of `config validate` behind it."""
    try:
        config = load(destination=destination, system=world)
        check_providers(config)
    except ConfigurationError as error:
        yield from error.diagnostics
        return
    yield from (*config.warnings, *hidden_aliases(config), *missing_ssh_files(config), *placeholders(config))


def _of(text: str | bytes) -> Iterator[Diagnostic]:
    return _loading(World(files={"config/deploy.yml": text}))


def _secrets_file(text: str) -> Iterator[Diagnostic]:
    warnings: list[Diagnostic] = []
    try:
        dotenv.parse(text, substitute=substitute, environment={"PATH": os.environ["PATH"]}, warn=warnings.append)
    except ConfigurationError as error:
        yield from error.diagnostics
    yield from warnings


def _ssh_config(tmp_path: Path) -> Iterator[Diagnostic]:
    file = tmp_path / "config"
    file.write_text("Port many\n")
    with pytest.raises(ConfigurationError) as caught:
        settings_for(HostAddress("192.0.2.1"), [str(file)])
    yield from caught.value.diagnostics


def _inline_key() -> Iterator[Diagnostic]:
    config = load(system=World(files={"config/deploy.yml": changed("ssh: {key_data: ['-----BEGIN']}")}))
    warnings: list[Diagnostic] = []
    key_texts(config, Secrets("/nowhere", warn=warnings.append))
    yield from warnings


def _missing_secret() -> Iterator[Diagnostic]:
    config = load(system=World(files={"config/deploy.yml": changed("env: {secret: [RAILS_MASTER_KEY]}")}))
    return undefined_secrets(config, Secrets("/nowhere"))


def _checked(tmp_path: Path, text: str) -> Iterator[Diagnostic]:
    config = load(system=World(files={"config/deploy.yml": changed("env: {secret: [DATABASE_URL]}")}))
    (tmp_path / "secrets").write_text(text)
    return iter(check(config, Secrets(str(tmp_path / "secrets"), environment={})).diagnostics)


def _declared_secret(file: Path, secrets: str) -> Iterator[Diagnostic]:
    text = changed("x-pykamal: {secrets: {providers: {t: {adapter: test, account: a}}, from: {TOKEN: 't:token'}}}")
    file.write_text(secrets)
    declared = Declared(load(system=World(files={"config/deploy.yml": text})))
    with pytest.raises(ConfigurationError) as caught:
        Secrets(str(file), declared=declared).read()
    yield from caught.value.diagnostics


def _unusable_manager(file: Path) -> Iterator[Diagnostic]:
    file.write_text("A=$(kamal secrets fetch -a nope A)\n")
    return filter(None, (each.diagnostic() for each in examine(list(uses_in_files([str(file)])))))


def _hidden_variable(path: Path) -> Iterator[Diagnostic]:
    path.write_text("service: <%= ENV['RAILS_MASTER_KEY'] %>\n")
    return iter(safety_warnings(parse(command_row("config"), ["validate", "--safe", "-c", str(path)])))


def _otherwise(identifier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Diagnostic] | None:
    """Diagnostics of what no lines of deploy.yml can show; None for any other rule."""
    match identifier:
        case "file-not-found":
            return _loading(World(files={}))
        case "file-unreadable":
            return _loading(World(files={"config/deploy.yml/x": ""}))
        case "file-too-large":
            return _of("#" * (1024 * 1024 + 1))
        case "invalid-encoding":
            return _of(b"service: \xff")
        case "not-a-mapping":
            return _of("- a list\n")
        case "renamed-hook":
            hook = {".kamal/hooks/pre-traefik-reboot": ""}
            return _loading(World(files={"config/deploy.yml": changed("image: x"), **hook}))
        case "command-refused":
            return _loading(_RunsNothing(files={"config/deploy.yml": changed(rules()[identifier].example)}))
        case "missing-value":
            return _secrets_file("export DATABASE_URL\n")
        case "secret-command-failed":
            return _secrets_file("DATABASE_URL=$(exit 1)\n")
        case "eaten-dollar":
            (tmp_path / "value").write_text("pa$word")
            return _secrets_file(f"DATABASE_URL=$(cat {tmp_path}/value)\n")
        case "unset-variable":
            return _secrets_file("REGISTRY_PASSWORD=${REGISTRY_TOKEN}\n")
        case "shell-expansion":
            return _secrets_file("LOG_KEY=${LOG_KEY:-none}\n")
        case "no-command":
            return _secrets_file("SMTP_USER=$(op read op://Shop/smtp#user)\n")
        case "program-not-found":
            return _secrets_file("DATABASE_URL=$(no-such-program read)\n")
        case "secrets-file-not-read":
            (tmp_path / "secrets").write_text("A=1\n")
            return iter(Secrets(str(tmp_path / "secrets"), "staging").remarks())
        case "unresolved-secret":
            return _checked(tmp_path, "DATABASE_URL=$(kamal secrets fetch -a nope DATABASE_URL)\n")
        case "manager-not-usable":
            return _unusable_manager(tmp_path / "secrets")
        case "empty-secret":
            return _checked(tmp_path, "DATABASE_URL=$NO_SUCH_VARIABLE\n")
        case "ssh-config-unreadable":
            return _ssh_config(tmp_path)
        case "inline-key":
            return _inline_key()
        case "secret-defined-twice":
            return _declared_secret(tmp_path / "secrets", "TOKEN=1\n")
        case "unresolved-secret":
            monkeypatch.setattr(ReversedNames, "fetch", lambda *_, **__: {})
            return _declared_secret(tmp_path / "secrets", "")
        case "missing-secret":
            return _missing_secret()
        case "hidden-variable":
            return _hidden_variable(tmp_path / "deploy.yml")
    return None


@pytest.mark.process
@pytest.mark.parametrize("rule", CONFIGURATION, ids=lambda rule: rule.identifier)
def test_examples(rule: Rule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of each rule of the configuration leads to a diagnostic of it, with its severity."""
    found = _otherwise(rule.identifier, tmp_path, monkeypatch)
    text = changed(rule.example.replace("\n", "\n@"))
    diagnostics = list(_of(text) if found is None else found)
    severities = {each.severity for each in diagnostics if each.identifier == rule.identifier}
    assert severities == {rule.severity}, [str(each) for each in diagnostics]


def test_every_failure_is_in_the_catalogue() -> None:
    """`identifier` of each error of `core/errors.py` has its entry."""

    def classes(of: type[KamalError]) -> Iterator[type[KamalError]]:
        yield of
        for each in of.__subclasses__():
            yield from classes(each)

    assert [each for each in classes(errors.KamalError) if each.identifier not in rules()] == []


def test_every_rule_is_used() -> None:
    """A rule that no code reports would be documented in vain."""
    code = [path.read_text() for path in SOURCE.rglob("*.py") if "catalogue" not in path.parts]
    modules = (files, secrets, settings, hosts)
    constants = [name for module in modules for name, value in vars(module).items() if isinstance(value, Rule)]
    assert [name for name in constants if not any(re.search(rf"\b{name}\b", text) for text in code)] == []


def test_a_rule_is_all_that_a_diagnostic_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """CONTRIBUTING, "Where things go": explanation, completion, documentation and reports follow from the rule."""
    invented = Rule("invented-fault", "A fault was invented", "Nobody made it.", "Forget it.", "fault: invented")
    monkeypatch.setattr(hosts, "INVENTED_FAULT", invented, raising=False)
    rules.cache_clear()
    try:
        assert dispatch(["explain", "invented-fault"]) == 0
        assert "What to do: Forget it." in capsys.readouterr().out
        assert "invented-fault" in [each.value for each in candidates(["explain", ""])]
        assert "### invented-fault\n\nA fault was invented (error).\n" in with_reference(DOCUMENT.read_text())
        found = invented.diagnostic("a fault", Location(host="192.0.2.1"))
        for form in ("json", "sarif", "github", "gitlab"):
            document = report(form, [found], "config/deploy.yml")
            assert "invented-fault" in document
            assert "Forget it." in document
    finally:
        rules.cache_clear()


def test_identifiers_are_kebab_case_and_alone() -> None:
    """Each identifier stands once; explanation, remedy and example are there and are sentences."""
    written = [
        identifier
        for path in sorted((SOURCE / "core" / "catalogue").glob("*.py"))
        for identifier in re.findall(r'Rule\(\n    "(.*)",', path.read_text())
    ]
    assert sorted(written) == sorted(rules()), "an identifier is taken twice"
    for rule in rules().values():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.identifier)
        assert not rule.title.endswith(".")
        assert rule.explanation.endswith(".")
        assert rule.remedy.endswith(".")
        assert rule.example in as_text(rule).replace("\n  ", "\n")


def test_documentation_is_current() -> None:
    """`make docs` would change nothing."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert with_reference(text) == text
    assert all(f"### {identifier}\n" in text for identifier in rules())
