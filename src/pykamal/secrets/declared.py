"""Fetches the secrets that deploy.yml declares (x-pykamal/secrets): one call for each provider, all at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pykamal.config.models import Config
from pykamal.config.node_reading import child
from pykamal.core.catalogue.files import NUL_BYTE
from pykamal.core.catalogue.secrets import UNRESOLVED_SECRET
from pykamal.core.diagnostics import Location, Rule
from pykamal.core.errors import ConfigurationError, DependencyError, KamalError, configuration_error
from pykamal.core.sensitive import Sensitive
from pykamal.core.source import Position
from pykamal.secrets.adapters.protocol import Adapter, Values
from pykamal.secrets.adapters.settings import PROVIDERS

FROM: Final = "x-pykamal/secrets/from"


@dataclass(frozen=True, slots=True)
class Resolution:
    """The values of secrets by name, and the errors of those that have none."""

    values: Mapping[str, Sensitive]
    errors: Mapping[str, KamalError]


class Declared:
    """The secrets of `x-pykamal/secrets/from`. Nothing is imported or asked before `fetch`.

    Without `fetches` all values are empty and nobody is asked, for files of others (`--safe`).
    """

    def __init__(self, config: Config, *, environment: Mapping[str, str] = os.environ, fetches: bool = True) -> None:
        self._config = config
        self._environment = environment
        self._fetches = fetches
        secrets = config.extension.secrets
        self.places: Mapping[str, Position | None] = {name: self._place(name) for name in secrets.declared}

    def credentials(self) -> tuple[Sensitive, ...]:
        """Return what the providers log in with: the variables that their settings name."""
        variables = (
            value
            for provider in self._config.extension.secrets.providers.values()
            for key, value in provider.settings.items()
            if key.endswith("_from")
        )
        return tuple(Sensitive(value) for name in variables if (value := self._environment.get(name)))

    def fetch(self, *, each: bool = False) -> Resolution:
        """Fetch all: one call for each provider, the providers in parallel.

        A call that fails is the error of all its names. With `each`, its names are then asked for one by one, to tell
        those that are missing from those that are not. Raises `ConfigurationError` for wrong settings of a provider.
        """
        declared = self._config.extension.secrets.declared
        if not self._fetches or not declared:
            return Resolution(dict.fromkeys(declared, Sensitive("")), {})
        from concurrent.futures import ThreadPoolExecutor

        from pykamal.secrets.providers import check_providers, provider_adapter

        check_providers(self._config)
        asked: dict[str, dict[str, str]] = {}
        for name, secret in declared.items():
            asked.setdefault(secret.provider, {})[name] = secret.name
        calls = [
            _Call(self, provider, names, provider_adapter(self._config, provider, self._environment))
            for provider, names in asked.items()
        ]
        with ThreadPoolExecutor(len(calls)) as pool:
            found = list(pool.map(lambda call: call.each() if each else call.together(), calls))
        values = {name: value for resolution in found for name, value in resolution.values.items()}
        errors = {name: error for resolution in found for name, error in resolution.errors.items()}
        return Resolution({name: values[name] for name in declared if name in values}, errors)

    def source(self, provider: str) -> tuple[str | None, str | None]:
        """Return the account of a provider, and what all its names are in."""
        found = self._config.extension.secrets.providers[provider]
        return found.account, found.source

    def located(self, provider: str, names: Sequence[str], error: KamalError) -> KamalError:
        """Add to an error of a manager which secrets it is about, and which variables have no value."""
        place = self.places[names[0]]
        unset = [
            f"{PROVIDERS}/{provider}/{key} names {variable}, which is not set"
            for key, variable in self._config.extension.secrets.providers[provider].settings.items()
            if key.endswith("_from") and not self._environment.get(variable)
        ]
        where = f"{place}: " if place is not None else ""
        error.details = (*error.details, f"{where}{', '.join(names)} come from the provider {provider}", *unset)
        return error

    def error(self, rule: Rule, name: str, message: str, hint: str) -> ConfigurationError:
        """Make the error of one secret."""
        place = f"{FROM}/{name}"
        return configuration_error(rule, f"{place}: {message}", Location(self.places[name], place), hint=hint)

    def _place(self, name: str) -> Position | None:
        node = child(self._config.document, *FROM.split("/"), name)
        return None if node is None else node.position


@dataclass(frozen=True, slots=True)
class _Call:
    """What one provider is asked for: `names` are those of secrets, each with its name at the provider."""

    declared: Declared
    provider: str
    names: Mapping[str, str]
    adapter: Adapter

    def together(self) -> Resolution:
        """Ask for everything at once."""
        try:
            answer = self._ask(self.names)
        except KamalError as error:
            located = self.declared.located(self.provider, list(self.names), error)
            return Resolution({}, dict.fromkeys(self.names, located))
        return self._sorted(answer)

    def each(self) -> Resolution:
        """Ask for everything at once, and for what cannot be had so one by one.

        That ends where two names fail in the same way: then it is not the names.
        """
        whole = self.together()
        if len(self.names) == 1 or whole.values or not _of_names(whole):
            return whole
        values: dict[str, Sensitive] = {}
        errors: dict[str, KamalError] = {}
        for name in self.names:
            alone = _Call(self.declared, self.provider, {name: self.names[name]}, self.adapter).together()
            values.update(alone.values)
            for error in alone.errors.values():
                if error.message in {other.message for other in errors.values()}:
                    return whole
            errors.update(alone.errors)
        return Resolution(values, errors)

    def _ask(self, names: Mapping[str, str]) -> Values:
        account, source = self.declared.source(self.provider)
        return self.adapter.fetch(list(dict.fromkeys(names.values())), account=account, source=source)

    def _sorted(self, answer: Values) -> Resolution:
        values: dict[str, Sensitive] = {}
        errors: dict[str, KamalError] = {}
        for name, reference in self.names.items():
            try:
                values[name] = self._value(name, reference, answer)
            except ConfigurationError as error:
                errors[name] = error
        return Resolution(values, errors)

    def _value(self, name: str, reference: str, answer: Values) -> Sensitive:
        key = _key(reference, answer)
        if key is None:
            raise self._no_single_value(name, reference, answer)
        value = answer[key]
        if value is None:
            message = f"{reference} has no value in {self.provider}"
            raise self.declared.error(UNRESOLVED_SECRET, name, message, "give it a value there")
        if "\0" in value.reveal():
            message = "the value holds a NUL byte, which no environment variable and no command can carry"
            raise self.declared.error(NUL_BYTE, name, message, "store it encoded, in base64 for instance")
        return value

    def _no_single_value(self, name: str, reference: str, answer: Values) -> ConfigurationError:
        inside = [
            key for key in answer if key.startswith((f"{reference}/", f"{reference}#")) or f"/{reference}/" in key
        ]
        if inside:
            message = f"{reference} is not one value in {self.provider}: it has {', '.join(inside)}"
            hint = f"name one of them, as in {self.provider}:{inside[0]}"
        else:
            message = f"{self.provider} has no value for {reference}"
            hint = f"its answer has {', '.join(answer) or 'nothing'}; see the names of its adapter in docs/secrets.md"
        return self.declared.error(UNRESOLVED_SECRET, name, message, hint)


def _of_names(resolution: Resolution) -> bool:
    """True where names may be what a call failed for: not where a program or the server is missing."""
    from pykamal.secrets.adapters.http import ManagerUnreachable

    return not any(isinstance(error, DependencyError | ManagerUnreachable) for error in resolution.errors.values())


def _key(reference: str, answer: Values) -> str | None:
    """Return the key of the answer that a reference means: itself, or the only one that ends in it."""
    spellings = (reference, reference.replace("#", "/"))
    for spelling in spellings:
        if spelling in answer:
            return spelling
    ending = [key for key in answer if key.endswith(tuple(f"/{spelling}" for spelling in spellings))]
    return ending[0] if len(ending) == 1 else None
