"""Environment of containers: clear values go on the command line, secrets into an env file (spec/config.md 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pykamal.config.models.plain_values import Scalar


@dataclass(frozen=True, slots=True)
class SecretReference:
    """`NAME` or `NAME:SECRET`: the container's variable `name` gets the value of the secret `secret`."""

    name: str
    secret: str

    @classmethod
    def parse(cls, text: str) -> SecretReference:
        name, separator, secret = text.partition(":")
        return cls(name, secret if separator else name)


@dataclass(frozen=True, slots=True)
class Env:
    """`clear` keeps the order of first appearance; `secrets` are the entries as written, duplicates dropped."""

    clear: Mapping[str, Scalar] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()

    def merged(self, others: Iterable[Env]) -> Env:
        """This environment with others laid over it: later clear values win, secrets are united."""
        clear = dict(self.clear)
        secrets = dict.fromkeys(self.secrets)
        for other in others:
            clear.update(other.clear)
            secrets.update(dict.fromkeys(other.secrets))
        return Env(clear, tuple(secrets))

    @property
    def secret_references(self) -> tuple[SecretReference, ...]:
        """One reference a variable, in order of first appearance; a later entry for a variable replaces the earlier."""
        references: dict[str, SecretReference] = {}
        for entry in self.secrets:
            reference = SecretReference.parse(entry)
            references[reference.name] = reference
        return tuple(references.values())
