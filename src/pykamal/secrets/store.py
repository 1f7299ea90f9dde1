"""The secrets of a run: read once, on first use, as `Sensitive` values (spec/cli.md 16.1, config.md 1.6)."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pykamal.core.catalogue.files import FILE_UNREADABLE, INVALID_ENCODING
from pykamal.core.catalogue.secrets import SECRET_DEFINED_TWICE, SECRETS_FILE_NOT_READ
from pykamal.core.diagnostics import Diagnostic, Location
from pykamal.core.errors import ConfigurationError, KamalError, SecretNotFound, configuration_error
from pykamal.core.sensitive import Sensitive
from pykamal.core.source import Position
from pykamal.core.spelling import nearest
from pykamal.secrets import dotenv
from pykamal.secrets.adapters.lent_values import Lease
from pykamal.secrets.command_substitution import substitute
from pykamal.secrets.credentials import known_credentials
from pykamal.secrets.declared import Declared
from pykamal.secrets.expansion import Substitute

DEFAULT_PATH = ".kamal/secrets"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of reading the secrets files and asking the managers to the end.

    `empty` has the names whose value is empty and was not written so. `remarks` are the warnings.
    """

    values: Mapping[str, Sensitive]
    failures: Mapping[str, tuple[Position | None, KamalError]]
    empty: Mapping[str, Position | None]
    remarks: Sequence[Diagnostic]


class Secrets:
    """The secrets of a run, read on first use because a secret manager may prompt, and once.

    They come from the secrets files, and from the managers that deploy.yml names (`declared`). `path` is `secrets_path`
    of deploy.yml; the files are `PATH-common`, then `PATH`, or `PATH.DEST` with a destination. `run` runs a command in
    them, `substitute` unless told otherwise. `asked_by` tells where the configuration mentions a name, for the hint of
    `SecretNotFound`. `warn` takes a warning for each command in the files that ends badly, and for what values lose;
    both count as Ruby reads them all the same.
    """

    def __init__(
        self,
        path: str = DEFAULT_PATH,
        destination: str | None = None,
        *,
        environment: Mapping[str, str] = os.environ,
        run: Substitute | None = None,
        declared: Declared | None = None,
        asked_by: Callable[[str], Position | None] | None = None,
        warn: Callable[[Diagnostic], None] | None = None,
    ) -> None:
        self._path = path
        self._destination = destination
        self.files = (f"{path}-common", f"{path}.{destination}" if destination else path)
        self._environment = environment
        self._leases: list[Lease] = []
        self._run = run or (lambda command: substitute(command, self._leases))
        self._declared = declared
        self._asked_by = asked_by
        self.warn = warn or _ignored
        self._lock = threading.Lock()
        self._values: dict[str, Sensitive] | None = None
        self._attempted: tuple[Sensitive, ...] = ()

    def __getitem__(self, name: str) -> Sensitive:
        """Return the secret. Raises `SecretNotFound`, or `ConfigurationError` for a file that cannot be parsed."""
        found = self.read().get(name)
        if found is None:
            raise self._not_found(name)
        return found

    def get(self, name: str) -> Sensitive | None:
        """Return the secret, or None where it is missing or empty (config.md 1.6)."""
        return self.read().get(name) or None

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def all(self) -> dict[str, Sensitive]:
        """Return every entry: those of the common file, of the other file, and what is declared."""
        return dict(self.read())

    def missing(self, names: Iterable[str]) -> list[str]:
        """Return the names that nothing defines. No command in the files is run, and no manager is asked."""
        defined = self.defined()
        return [name for name in dict.fromkeys(names) if name not in defined]

    def defined(self) -> set[str]:
        """Return the names that the files define and deploy.yml declares. Nothing is run, and nobody is asked."""
        return {name for file in self.existing_files for name in _names(file)}.union(self._places)

    def attempt(self) -> Attempt:
        """Read the files and ask the managers to the end, whatever fails on the way.

        What is read is only kept to be hidden in what is shown.
        Raises `ConfigurationError` for what concerns all names: a name in two places, wrong settings of a provider.
        """
        self.refuse_duplicates()
        values: dict[str, Sensitive] = {}
        failures: dict[str, tuple[Position | None, KamalError]] = {}
        empty: dict[str, Position | None] = {}
        remarks = list(self._about_unread_files())
        for file in self.existing_files:
            failed = partial(_keep_failure, failures, file)
            found = self._parse(file, run=self._run, warn=remarks.append, failed=failed)
            values |= {key: Sensitive(value) for key, value in found.items()}
            for entry in dotenv.entries(_text(file)):
                if entry.key in found:
                    failures.pop(entry.key, None)
                    empty.pop(entry.key, None)
                if found.get(entry.key) == "" and (entry.value or "").strip() not in ("", "''", '""'):
                    empty[entry.key] = Position(file, entry.line)
        if self._declared is not None:
            fetched = self._declared.fetch(each=True)
            self._leases += fetched.leases
            values |= fetched.values
            failures |= {name: (self._places[name], error) for name, error in fetched.errors.items()}
            empty |= {name: self._places[name] for name, value in fetched.values.items() if not value}
        self._attempted = tuple(values.values())
        return Attempt(values, failures, empty, remarks)

    def remarks(self) -> list[Diagnostic]:
        """Return the warnings that reading the files would give, as far as no command needs to run for them."""
        found = list(self._about_unread_files())
        for file in self.existing_files:
            self._parse(file, run=lambda _: "", warn=found.append)
        return found

    def known(self) -> tuple[Sensitive, ...]:
        """Return the secrets read so far and what managers are logged in to with, without reading more."""
        declared = () if self._declared is None else self._declared.credentials()
        return (*(self._values or {}).values(), *self._attempted, *declared, *known_credentials())

    @property
    def leases(self) -> tuple[Lease, ...]:
        """The leases of what secret managers lent for the secrets read so far."""
        return tuple(dict.fromkeys(self._leases))

    @property
    def existing_files(self) -> tuple[str, ...]:
        return tuple(file for file in self.files if Path(file).is_file())

    @property
    def _places(self) -> Mapping[str, Position | None]:
        return {} if self._declared is None else self._declared.places

    def read(self) -> Mapping[str, Sensitive]:
        """Read the files and ask the managers, unless that is done. Raises what fails; of managers, all of it."""
        with self._lock:
            if self._values is None:
                self.refuse_duplicates()
                values: dict[str, Sensitive] = {}
                for warning in self._about_unread_files():
                    self.warn(warning)
                for file in self.existing_files:
                    entries = self._parse(file, run=self._run, warn=self.warn)
                    values.update({key: Sensitive(value) for key, value in entries.items()})
                if self._declared is not None:
                    fetched = self._declared.fetch()
                    self._leases += fetched.leases
                    if fetched.errors:
                        raise _together(fetched.errors.values())
                    values.update(fetched.values)
                self._values = values
            return self._values

    def refuse_duplicates(self) -> None:
        """Raise `ConfigurationError` for names that a file defines and deploy.yml declares. No command is run."""
        twice = [
            SECRET_DEFINED_TWICE.diagnostic(
                f"{entry.key} is defined here and declared at {self._places[entry.key]} (x-pykamal/secrets/from)",
                Location(Position(file, entry.line)),
                remedy=f"remove {entry.key} in one of the two",
            )
            for file in self.existing_files
            for entry in (dotenv.entries(_text(file)) if self._places else ())
            if entry.key in self._places and (entry.value is not None or not entry.exported)
        ]
        if twice:
            raise ConfigurationError(str(twice[0]), diagnostics=twice, hint=twice[0].remedy)

    def _parse(
        self,
        file: str,
        *,
        run: Substitute,
        warn: Callable[[Diagnostic], None],
        failed: Callable[[dotenv.Entry, KamalError], None] | None = None,
    ) -> dict[str, str]:
        return dotenv.parse(
            _text(file), substitute=run, environment=self._environment, file=file, warn=warn, failed=failed
        )

    def _about_unread_files(self) -> Iterator[Diagnostic]:
        """Warn of the files that are there where none of those that are read is."""
        unread = [] if self.existing_files else self._unread_files()
        if unread:
            with_destination = f" with -d {self._destination}" if self._destination else ""
            common, own = self.files
            yield SECRETS_FILE_NOT_READ.diagnostic(
                f"no secrets file is read{with_destination}: there is {', '.join(unread)}, not {common} or {own}",
                remedy=f"Rename {unread[0]}: to {common} for what all destinations share, else to {own}.",
            )

    def _not_found(self, name: str) -> SecretNotFound:
        places = [*self.existing_files, *(["x-pykamal/secrets/from"] if self._places else [])]
        if places:
            message = f"Secret '{name}' not found in {', '.join(places)}"
        else:
            message = f"Secret '{name}' not found, no secret files ({', '.join(self.files)}) provided"
        position = self._asked_by(name) if self._asked_by is not None else None
        asked = f" ({position} asks for it)" if position is not None else ""
        elsewhere = self._defined_elsewhere(name)
        found = f"; {elsewhere}" if elsewhere is not None else ""
        near = nearest(name, self.defined())
        meant = f"did you mean {near}? Else " if near is not None else ""
        return SecretNotFound(message, hint=f"{meant}add {name}=... to {self.files[1]}{asked}{found}")

    def _defined_elsewhere(self, name: str) -> str | None:
        """Return a hint where a file of another destination defines the secret. No command in it is run."""
        for file in self._unread_files():
            if name not in _names(file):
                continue
            if file == self._path:
                return f"{file} has it, which is not read with -d: move what all destinations share to {self.files[0]}"
            return f"{file} has it, which is read with -d {file.removeprefix(f'{self._path}.')}"
        return None

    def _unread_files(self) -> list[str]:
        beside = {self._path, *map(str, Path(self._path).parent.glob(f"{Path(self._path).name}.*"))}
        return sorted(file for file in beside if file not in self.files and Path(file).is_file())


def _together(errors: Iterable[KamalError]) -> KamalError:
    """Return the first error, with the others in its details."""
    first, *others = {id(error): error for error in errors}.values()
    for error in others:
        first.details = (*first.details, error.message, *error.details, *([error.hint] if error.hint else []))
    return first


def _keep_failure(
    failures: dict[str, tuple[Position | None, KamalError]], file: str, entry: dotenv.Entry, error: KamalError
) -> None:
    failures[entry.key] = (Position(file, entry.line), error)


def _ignored(_warning: Diagnostic) -> None:
    """Drop a warning."""


def _names(file: str) -> set[str]:
    return {entry.key for entry in dotenv.entries(_text(file))}


def _text(file: str) -> str:
    try:
        return Path(file).read_bytes().decode()
    except UnicodeDecodeError as error:
        message = f"{file} is not UTF-8 text: {error.reason} at byte {error.start}"
        raise configuration_error(INVALID_ENCODING, message) from error
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror}"
        raise configuration_error(FILE_UNREADABLE, message) from error
