"""The settings of an adapter: those of its provider in deploy.yml, else variables of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pykamal.secrets.credentials import hidden

PROVIDERS: Final = "x-pykamal/secrets/providers"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of an adapter.

    `key` is its place below a provider of deploy.yml, as in `auth/approle/role_id`. `variables` are those of the
    environment that set it too; the first that has a value counts. A secret setting never stands in deploy.yml: the key
    with `_from` behind it names the variable that holds the value.
    """

    key: str
    about: str
    variables: tuple[str, ...] = ()
    secret: bool = False

    @property
    def declared_key(self) -> str:
        """The key in deploy.yml."""
        return f"{self.key}_from" if self.secret else self.key


class Settings:
    """The values of an adapter's settings. `declared` is what a provider says, by key; `provider` is its name."""

    def __init__(
        self,
        known: Sequence[Setting],
        *,
        environment: Mapping[str, str] = os.environ,
        provider: str | None = None,
        declared: Mapping[str, str] | None = None,
    ) -> None:
        self.environment = environment
        self.provider = provider
        self._known = {each.key: each for each in known}
        self._declared = declared or {}

    def get(self, key: str) -> str | None:
        """Return the value; None where it is not set, and where it is empty. All output hides a secret one."""
        value = self._value(self._known[key])
        if value is not None and self._known[key].secret:
            hidden(value)
        return value

    def _value(self, setting: Setting) -> str | None:
        declared = self._declared.get(setting.declared_key)
        if declared and setting.secret:
            return self.environment.get(declared) or None
        if declared:
            return declared
        return next((value for name in setting.variables if (value := self.environment.get(name))), None)

    def where(self, key: str) -> str:
        """Return the place where a setting is set, or can be set, for errors and hints."""
        setting = self._known[key]
        declared = self._declared.get(setting.declared_key)
        if declared and setting.secret:
            return declared
        if declared or (self.provider is not None and not setting.variables):
            return f"{PROVIDERS}/{self.provider}/{setting.declared_key}"
        named = next((name for name in setting.variables if self.environment.get(name)), None)
        return named or (setting.variables[-1] if setting.variables else setting.declared_key)
