"""The secret managers of deploy.yml, checked against their adapters, which are imported here and not before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

from pykamal.config.decoding.secrets_extension import adapter_settings
from pykamal.config.document import Node
from pykamal.config.models import Config
from pykamal.config.node_reading import child, entries, text
from pykamal.core.catalogue.settings import INVALID_VALUE, MISSING_KEY, PLAIN_SECRET, UNKNOWN_ADAPTER, UNKNOWN_KEY
from pykamal.core.diagnostics import Diagnostic, Location, Rule
from pykamal.core.errors import ConfigurationError, KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.core.spelling import nearest
from pykamal.secrets.adapters import MODULES, adapter
from pykamal.secrets.adapters.adapter_calls import guarded
from pykamal.secrets.adapters.protocol import Adapter, Configurable
from pykamal.secrets.adapters.settings import PROVIDERS, Setting, Settings

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_providers(config: Config, *, imports_others: bool = True) -> None:
    """Raise one `ConfigurationError` with everything that is wrong with the providers and their settings.

    Without `imports_others` the adapter of another package is an error, for files of others (`--safe`): it would run.
    No diagnostic quotes a line: one of them may hold a secret where the name of a variable was meant.
    """
    written = entries(child(config.document, *PROVIDERS.split("/")))
    found = [each for name, node in written for each in _problems(name, node, imports_others=imports_others)]
    if found:
        raise ConfigurationError(found[0].message, diagnostics=found)


def provider_adapter(config: Config, name: str, environment: Mapping[str, str]) -> Adapter:
    """Return the adapter of a provider, with the settings of deploy.yml and of the environment."""
    found, named = _found(config, name)
    settings = _settings(config, name, environment)
    if not _settings_of(found, named):
        return found
    return guarded(named, lambda: cast("Configurable", found).configured(settings))


def provider_credentials(config: Config, name: str, environment: Mapping[str, str]) -> Iterator[Sensitive]:
    """Yield what a provider logs in with, from the variables of deploy.yml and those that its adapter has."""
    settings = _settings(config, name, environment)
    for each in _settings_of(*_found(config, name)):
        if each.secret and (value := settings.get(each.key)):
            yield Sensitive(value)


def _found(config: Config, name: str) -> tuple[Adapter, str]:
    """Return the adapter of a provider, and the words for it in errors."""
    adapter_name = config.extension.secrets.providers[name].adapter
    return adapter(adapter_name), f"the adapter {adapter_name} of the provider {name}"


def _settings(config: Config, name: str, environment: Mapping[str, str]) -> Settings:
    declared = config.extension.secrets.providers[name].settings
    return Settings(_settings_of(*_found(config, name)), environment=environment, provider=name, declared=declared)


def _settings_of(found: Adapter, named: str) -> Sequence[Setting]:
    return guarded(named, lambda: tuple(getattr(found, "settings", ())))


def _problems(name: str, node: Node, *, imports_others: bool) -> Iterator[Diagnostic]:
    written = child(node, "adapter")
    if not imports_others and (text(written) or "").lower() not in MODULES:
        message = f"{text(written)} is no adapter of pykamal itself, and those of others are not imported here"
        remedy = "Where the file is trusted, leave out --safe."
        yield _problem(UNKNOWN_ADAPTER, f"{name}/adapter", message, written or node, remedy)
        return
    try:
        found = adapter(text(written) or "")
    except KamalError as error:
        yield _problem(UNKNOWN_ADAPTER, f"{name}/adapter", error.message, written or node, error.hint)
        return
    named = f"the adapter {text(written)} of the provider {name}"
    if guarded(named, lambda: found.needs_account) and not text(child(node, "account")):
        message = f"account is required: the adapter {text(written)} needs one"
        yield _problem(MISSING_KEY, name, message, node, "write whom to log in as, as in account: NAME")
    settings = _settings_of(found, named)
    for key, value in adapter_settings(node):
        yield from _setting_problems(name, key, value, settings, text(written) or "")


def _setting_problems(
    provider: str, key: str, node: Node, settings: Sequence[Setting], adapter_name: str
) -> Iterator[Diagnostic]:
    known = {each.declared_key: each for each in settings}
    path, last = f"{provider}/{key}", key.rpartition("/")[2]
    if any(each.secret and each.key == key for each in settings):
        remedy = f"write `{last}_from: VARIABLE` with the name of the environment variable that holds it"
        yield _problem(PLAIN_SECRET, path, f"{last} is secret, and deploy.yml holds no secrets", node, remedy)
    elif key not in known:
        near = nearest(key, known, likeness=0.6)
        listed = f"the adapter {adapter_name} has {', '.join(known) or 'no settings of its own'}"
        remedy = f"did you mean {near}?" if near else listed
        yield _problem(UNKNOWN_KEY, path, f"unknown setting of the adapter {adapter_name}", node, remedy)
    elif (value := text(node)) is None:
        yield _problem(INVALID_VALUE, path, "should be a text", node)
    elif known[key].secret and not _VARIABLE.fullmatch(value):
        yield _problem(INVALID_VALUE, path, "should be the name of an environment variable", node)


def _problem(rule: Rule, path: str, message: str, node: Node, remedy: str | None = None) -> Diagnostic:
    setting = f"{PROVIDERS}/{path}"
    return rule.diagnostic(f"{setting}: {message}", Location(node.position, setting), remedy=remedy)
