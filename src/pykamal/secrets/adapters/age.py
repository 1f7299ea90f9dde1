"""Files that are encrypted by age (docs/secrets.md): documents, and whole files of any kind.

The program `age` decrypts them. Where it is not installed, the library pyrage does, which knows no plugins.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from types import ModuleType
from typing import ClassVar, Final

from pykamal.core.errors import DependencyError, KamalError, ToolMissing
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters import documents
from pykamal.secrets.adapters.documents import Document, Files
from pykamal.secrets.adapters.extras import import_extra
from pykamal.secrets.adapters.protocol import Adapter, Values, refuse_account
from pykamal.secrets.adapters.settings import Setting, Settings
from pykamal.secrets.adapters.tool import Tool
from pykamal.secrets.credentials import hidden

_AGE: Final = Tool("age", "age", "https://age-encryption.org")

SETTINGS: Final = (
    Setting("key", "the identity itself", ("AGE_KEY",), secret=True),
    Setting("key_file", "a file of age identities, or a private SSH key", ("AGE_KEY_FILE",)),
    Setting("format", "`json`, `yaml` or `dotenv`, where the file's name does not say so"),
)

_BINARY: Final = b"age-encryption.org/v1\n"
_ARMOR: Final = b"-----BEGIN AGE ENCRYPTED FILE-----"
_PASSPHRASE: Final = b"-> scrypt "
_PUBLIC_KEY: Final = re.compile(r"^# public key: (age1\w+)$", re.MULTILINE)
"""The line that age-keygen writes above an identity."""

_SSH_KEY: Final = "-----BEGIN OPENSSH PRIVATE KEY-----"
_SSH_UNENCRYPTED: Final = b"openssh-key-v1\0\0\0\0\4none"


class Age:
    needs_account: ClassVar[bool] = False
    settings: ClassVar[Sequence[Setting]] = SETTINGS

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings(SETTINGS)
        self._files = Files(self._decrypted, self._document)

    def configured(self, settings: Settings) -> Age:
        return Age(settings)

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        refuse_account("age", account)
        return self._files.values(secrets, source)

    def status(self, *, account: str | None) -> str | None:  # noqa: ARG002 - an identity is no account
        try:
            _AGE.require()
        except ToolMissing:
            _library()
        found = _PUBLIC_KEY.search(self._identity().reveal())
        return found[1] if found is not None else None

    def _document(self, file: str) -> Document:
        content = self._decrypted(file)
        return Document(content, file, documents.format_of(file, content, self._settings))

    def _decrypted(self, file: str) -> bytes:
        encrypted = documents.read(file)
        header = _header(encrypted)
        if not header.startswith(_BINARY):
            raise KamalError(f"{file} is not encrypted by age", hint=f"age --encrypt -r RECIPIENT -o {file} PLAIN-FILE")
        if header.startswith(_BINARY + _PASSPHRASE):
            raise KamalError(
                f"{file} is encrypted with a passphrase, which nobody could type in a deploy",
                hint="encrypt it to the public keys of those who deploy: age --encrypt -r RECIPIENT",
            )
        identity = self._identity()
        try:
            return documents.bounded(self._by_program(file, identity), file)
        except ToolMissing:
            return self._by_library(file, encrypted, identity)

    def _identity(self) -> Sensitive:
        """Return the text of the identities. Raises `KamalError` for those that ask for a passphrase."""
        key, key_file = self._settings.get("key"), self._settings.get("key_file")
        if not key and not key_file:
            raise KamalError(
                "There is no age identity to decrypt with",
                hint=f"{self._settings.where('key_file')} names a file with one, made by `age-keygen -o FILE`, or "
                f"{self._settings.where('key')} holds it",
            )
        path = str(documents.expanded(key_file or ""))
        text = key or documents.read(path).decode(errors="surrogateescape")
        if _needs_passphrase(text):
            raise KamalError(
                f"The age identity in {self._where()} has a passphrase, which nobody could type in a deploy",
                hint="use an identity without one, or one that a plugin of age keeps in a token",
            )
        return hidden(text)

    def _by_program(self, file: str, identity: Sensitive) -> bytes:
        path = str(documents.expanded(file).absolute())  # which is never taken for an option
        answer = _AGE.run("--decrypt", "--identity", "-", path, stdin=identity)
        if not answer.ok:
            raise self._refused(file, *answer.evidence)
        return answer.ended.output

    def _by_library(self, file: str, encrypted: bytes, identity: Sensitive) -> bytes:
        pyrage = _library()
        problem = ""
        try:
            return bytes(pyrage.decrypt(encrypted, _parsed(identity.reveal())))
        except (pyrage.DecryptError, pyrage.IdentityError, ValueError) as error:
            problem = str(error)
        raise self._refused(file, f"pyrage: {problem}")

    def _where(self) -> str:
        return self._settings.where("key" if self._settings.get("key") else "key_file")

    def _refused(self, file: str, *evidence: str) -> KamalError:
        return KamalError(
            f"age could not decrypt {file} with the identity in {self._where()}",
            details=evidence,
            hint="the file has to be encrypted to its public key, which `age-keygen -y FILE` prints",
        )


def _library() -> ModuleType:
    try:
        return import_extra("pyrage", extra="age")
    except DependencyError as error:
        raise DependencyError(
            "Neither the program age nor the Python package pyrage is installed",
            details=(error.message,),
            hint=f"install age where kamal runs ({_AGE.home}), or: {error.hint}",
        ) from None


def _parsed(identities: str) -> list[object]:
    """Return the identities as pyrage has them."""
    x25519, ssh = import_extra("pyrage.x25519", extra="age"), import_extra("pyrage.ssh", extra="age")
    if identities.lstrip().startswith("-----BEGIN"):
        return [ssh.Identity.from_buffer(identities.encode())]
    lines = [line.strip() for line in identities.splitlines()]
    return [x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]


def _header(encrypted: bytes) -> bytes:
    """Return the beginning of a file without its armor."""
    if not encrypted.lstrip().startswith(_ARMOR):
        return encrypted[:100]
    try:
        return binascii.a2b_base64(encrypted.split(maxsplit=5)[4])
    except (IndexError, ValueError):
        return b""


def _needs_passphrase(identity: str) -> bool:
    text = identity.lstrip()
    if text.startswith(_SSH_KEY):
        try:
            return not binascii.a2b_base64(text.split(maxsplit=5)[4][:32]).startswith(_SSH_UNENCRYPTED)
        except (IndexError, ValueError):
            return False
    return text.encode("utf-8", "surrogateescape").startswith((_BINARY, _ARMOR)) or "ENCRYPTED" in text[:200]


ADAPTER: Final[Adapter] = Age()
