"""Fetches the secrets that deploy.yml declares (x-pykamal/secrets): one call for each provider, all at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from pykamal.config.models import Config
from pykamal.config.models.secrets_extension import SecretProvider
from pykamal.config.node_reading import child
from pykamal.core.catalogue.files import NUL_BYTE
from pykamal.core.catalogue.secrets import UNRESOLVED_SECRET
from pykamal.core.diagnostics import Location, Rule
from pykamal.core.errors import ConfigurationError, DependencyError, KamalError, configuration_error
from pykamal.core.sensitive import Sensitive
from pykamal.core.source import Position
from pykamal.secrets.adapters.lent_values import Lease, LeasedValues
from pykamal.secrets.adapters.protocol import Adapter, RenamedValues, Values
from pykamal.secrets.adapters.settings import PROVIDERS
from pykamal.secrets.interruptible import interruptible
from pykamal.secrets.value_names import exact_names, longer_names

FROM: Final = "x-pykamal/secrets/from"


@dataclass(frozen=True, slots=True)
class Resolution:
    """The values of secrets by name, the errors of those that have none, and the leases of what was lent."""

    values: Mapping[str, Sensitive]
    errors: Mapping[str, KamalError]
    leases: tuple[Lease, ...] = ()


class Declared:
    """The secrets of `x-pykamal/secrets/from`. Nothing is imported or asked before `fetch`.

    Without `fetches` all values are empty and nobody is asked, for files of others (`--safe`).
    """

    def __init__(self, config: Config, *, environment: Mapping[str, str] = os.environ, fetches: bool = True) -> None:
        self._config = config
        self._environment = environment
        self._fetches = fetches
        self._used: tuple[Sensitive, ...] = ()
        self.places: Mapping[str, Position | None] = {
            name: self._place(name) for name in config.extension.secrets.declared
        }

    def credentials(self) -> tuple[Sensitive, ...]:
        """Return what the providers log in with: the values of the variables that their settings name.

        From `fetch` on also those of the variables that their adapters read by themselves.
        """
        names = (name for provider in self._providers for name in self._variables(provider).values())
        return (*(Sensitive(value) for name in names if (value := self._environment.get(name))), *self._used)

    def fetch(self, *, each: bool = False) -> Resolution:
        """Fetch all: one call for each provider, the providers in parallel.

        A call that fails is the error of all its names. With `each`, its names are then asked for one by one, to tell
        those that are missing from those that are not. Raises `ConfigurationError` for wrong settings of a provider.
        """
        if not self._fetches or not self.places:
            return Resolution(dict.fromkeys(self.places, Sensitive("")), {})
        from concurrent.futures import ThreadPoolExecutor

        from pykamal.secrets.providers import check_providers, provider_credentials

        check_providers(self._config)
        self._used = tuple(
            credential
            for provider in self._providers
            for credential in provider_credentials(self._config, provider, self._environment)
        )
        calls = [self._call(provider) for provider in self._providers]

        def ask() -> list[Resolution]:
            with ThreadPoolExecutor(len(calls)) as pool:
                return list(pool.map(lambda call: call.each() if each else call.together(), calls))

        found = interruptible(ask)
        values = {name: value for resolution in found for name, value in resolution.values.items()}
        errors = {name: error for resolution in found for name, error in resolution.errors.items()}
        leases = tuple(lease for resolution in found for lease in resolution.leases)
        return Resolution({name: values[name] for name in self.places if name in values}, errors, leases)

    @property
    def _providers(self) -> list[str]:
        """The providers that have a secret."""
        return list(dict.fromkeys(secret.provider for secret in self._config.extension.secrets.declared.values()))

    def _variables(self, provider: str) -> dict[str, str]:
        """The settings of a provider that name a variable, each with the variable."""
        settings = self._config.extension.secrets.providers[provider].settings
        return {key: variable for key, variable in settings.items() if key.endswith("_from")}

    def _call(self, name: str) -> _Call:
        from pykamal.secrets.providers import provider_adapter

        secrets = self._config.extension.secrets
        asked = {secret: each.name for secret, each in secrets.declared.items() if each.provider == name}
        unset = tuple(
            f"{PROVIDERS}/{name}/{key} names {variable}, which is not set"
            for key, variable in self._variables(name).items()
            if not self._environment.get(variable)
        )
        adapter = provider_adapter(self._config, name, self._environment)
        return _Call(name, secrets.providers[name], adapter, asked, self.places, unset)

    def _place(self, name: str) -> Position | None:
        node = child(self._config.document, *FROM.split("/"), name)
        return None if node is None else node.position


@dataclass(frozen=True, slots=True)
class _Call:
    """The question to one provider.

    `names` are those of secrets, each with its name at the provider. `unset` are sentences about variables that the
    provider's settings name and that have no value.
    """

    provider: str
    settings: SecretProvider
    adapter: Adapter
    names: Mapping[str, str]
    places: Mapping[str, Position | None]
    unset: tuple[str, ...]

    @property
    def _named(self) -> str:
        return f"the adapter {self.settings.adapter} of the provider {self.provider}"

    def together(self) -> Resolution:
        """Ask for everything at once."""
        from pykamal.secrets.adapters import adapter_calls

        wanted = list(dict.fromkeys(self.names.values()))
        try:
            account, source = self.settings.account, self.settings.source
            answer = adapter_calls.fetch(self.adapter, self._named, wanted, account=account, source=source)
        except KamalError as error:
            place = self.places[next(iter(self.names))]
            where = f"{place}: " if place is not None else ""
            about = f"{where}the provider {self.provider} was asked for {', '.join(self.names)}"
            error.details = (*error.details, about, *self.unset)
            return Resolution({}, dict.fromkeys(self.names, error))
        values: dict[str, Sensitive] = {}
        errors: dict[str, KamalError] = {}
        for name, reference in self.names.items():
            try:
                values[name] = self._value(name, reference, answer)
            except ConfigurationError as error:
                errors[name] = error
        return Resolution(values, errors, answer.leases if isinstance(answer, LeasedValues) else ())

    def each(self) -> Resolution:
        """Ask for everything at once, and after a failure of the whole call for one name after the other.

        That ends with the second failure of one kind: then it is not the names.
        """
        whole = self.together()
        if len(self.names) == 1 or whole.values or not _of_names(whole):
            return whole
        values: dict[str, Sensitive] = {}
        errors: dict[str, KamalError] = {}
        leases: list[Lease] = []
        for name, reference in self.names.items():
            alone = replace(self, names={name: reference}).together()
            values.update(alone.values)
            leases += alone.leases
            for error in alone.errors.values():
                if error.message in {other.message for other in errors.values()}:
                    return replace(whole, leases=(*whole.leases, *leases))
            errors.update(alone.errors)
        return Resolution(values, errors, tuple(leases))

    def _value(self, name: str, reference: str, answer: Values) -> Sensitive:
        if isinstance(answer, RenamedValues) and reference in answer.by_reference:
            value = answer.by_reference[reference]
        elif (key := _key(reference, answer)) is not None:
            value = answer[key]
        else:
            raise self._no_single_value(name, reference, answer)
        if value is None:
            message = f"{reference} has no value in {self.provider}"
            raise self._error(UNRESOLVED_SECRET, name, message, "give it a value there")
        if "\0" in value.reveal():
            message = "the value holds a NUL byte, which no environment variable and no command can carry"
            raise self._error(NUL_BYTE, name, message, "store it encoded, in base64 for instance")
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
        return self._error(UNRESOLVED_SECRET, name, message, hint)

    def _error(self, rule: Rule, name: str, message: str, hint: str) -> ConfigurationError:
        place = f"{FROM}/{name}"
        return configuration_error(rule, f"{place}: {message}", Location(self.places[name], place), hint=hint)


def _of_names(resolution: Resolution) -> bool:
    """True where names may be what a call failed for: not where a program or the server is missing."""
    from pykamal.secrets.adapters.http_tls import ManagerUnreachable

    return not any(isinstance(error, DependencyError | ManagerUnreachable) for error in resolution.errors.values())


def _key(reference: str, answer: Values) -> str | None:
    """Return the key of the answer that a reference means: itself, or the only one that ends in it."""
    exact = exact_names(reference, answer)
    longer = longer_names(reference, answer)
    return exact[0] if exact else longer[0] if len(longer) == 1 else None
