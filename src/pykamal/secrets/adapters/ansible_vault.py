"""Files of Ansible Vault, and YAML files with `!vault` values (docs/secrets.md).

The format is that of ansible-core: PBKDF2 and HMAC with SHA-256, and AES-256 in counter mode.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters import documents
from pykamal.secrets.adapters.documents import Document, Files, Format
from pykamal.secrets.adapters.protocol import Adapter, Values, refuse_account
from pykamal.secrets.adapters.settings import Setting, Settings
from pykamal.secrets.adapters.tool import OncePerRun, Tool
from pykamal.secrets.credentials import hidden

SETTINGS: Final = (
    Setting("password", "the password", ("ANSIBLE_VAULT_PASSWORD",), secret=True),
    Setting("password_file", "a file with the password, or a program that prints it", ("ANSIBLE_VAULT_PASSWORD_FILE",)),
    Setting(
        "identity_list",
        "vault ids with such a file each, as in `prod@~/.vault-prod, dev@vault-client.py`",
        ("ANSIBLE_VAULT_IDENTITY_LIST",),
    ),
    Setting("format", "`json`, `yaml` or `dotenv`, where the file's name does not say so"),
)

_MAGIC: Final = b"$ANSIBLE_VAULT"
_TAG: Final = "!vault"
_ROUNDS: Final = 10_000
_KEY_BYTES: Final = 32
_BLOCK_BYTES: Final = 16
_DEFAULT_ID: Final = "default"


@dataclass(frozen=True, slots=True)
class Envelope:
    """An encrypted text. `vault_id` says whose password it is likely to have."""

    vault_id: str
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    encrypted: bytes = field(repr=False)


class AnsibleVault:
    needs_account: ClassVar[bool] = False
    settings: ClassVar[Sequence[Setting]] = SETTINGS

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings(SETTINGS)
        self._files = Files(self._decrypted, self._document)
        self._passwords: OncePerRun[Sensitive] = OncePerRun()

    def configured(self, settings: Settings) -> AnsibleVault:
        return AnsibleVault(settings)

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        refuse_account("ansible_vault", account)
        return self._files.values(secrets, source)

    def _decrypted(self, file: str) -> bytes:
        content = documents.read(file)
        if not content.startswith(_MAGIC):
            raise KamalError(f"{file} is not encrypted by Ansible Vault", hint=f"ansible-vault encrypt {file}")
        return self._opened(content, file)

    def _document(self, file: str) -> Document:
        """Return the document in an encrypted file, or one with `!vault` values."""
        content = documents.read(file)
        if content.startswith(_MAGIC):
            content = self._opened(content, file)

        def value(text: str) -> str:
            return self._opened(text.encode(), f"A value in {file}").decode(errors="surrogateescape")

        form = documents.format_of(file, content, self._settings, otherwise=Format.YAML)
        return Document(content, file, form, tags={_TAG: value})

    def _opened(self, content: bytes, origin: str) -> bytes:
        envelope = _parsed(content, origin)
        tried = []
        for label, source in self._identities(envelope.vault_id):
            tried.append(label)
            opened = _decrypt(envelope, self._password(label, source))
            if opened is not None:
                return opened
        if not tried:
            raise KamalError(
                f"{origin} needs a password of Ansible Vault, and there is none",
                hint=f"set {self._settings.where('password_file')}, {self._settings.where('password')} or "
                f"{self._settings.where('identity_list')}",
            )
        raise KamalError(
            f"{origin} is encrypted with another password of Ansible Vault, or was changed since",
            details=(f"its vault id: {envelope.vault_id}", f"passwords tried: {', '.join(tried)}"),
            hint=f"look at {self._settings.where('password_file')} and {self._settings.where('identity_list')}",
        )

    def _identities(self, vault_id: str) -> Iterator[tuple[str, str | None]]:
        """Yield labels and where their passwords are, those of the vault id first; None is the setting `password`."""
        get = self._settings.get
        listed = [each.strip() for each in (get("identity_list") or "").split(",")]
        split = [each.rpartition("@") for each in listed if each]
        identities: list[tuple[str, str | None]] = [(label or _DEFAULT_ID, source) for label, _, source in split]
        if file := get("password_file"):
            identities.append((_DEFAULT_ID, file))
        if get("password"):
            identities.append((_DEFAULT_ID, None))
        yield from sorted(identities, key=lambda each: each[0] != vault_id)

    def _password(self, label: str, source: str | None) -> Sensitive:
        if source is None:
            return Sensitive(self._settings.get("password") or "")
        return self._passwords.get((label, source), lambda: _password_of(label, source))


def _password_of(label: str, source: str) -> Sensitive:
    """Return the password in a file, or the one that it prints when it can be run, as ansible does."""
    if source in ("prompt", "prompt_ask_vault_pass"):
        raise KamalError(
            f"The password of the vault id {label} is to be asked for, and nobody could type it in a deploy",
            hint=f"name a file or a program instead, as in {label}@~/.vault-{label}",
        )
    path = documents.expanded(source).absolute()
    if path.is_file() and os.access(path, os.X_OK):
        words = ["--vault-id", label] if path.stem.endswith("-client") else []
        tool = Tool(str(path), str(path), "its first line names the program that runs it")
        answer = tool.run(*words).expect(f"{source} gave no password", hint=f"run {source} by hand to see what it says")
        password = documents.bounded(answer.ended.output, f"The output of {source}").strip(b"\r\n")
    else:
        password = documents.read(str(path)).strip()
    if not password or password.startswith(_MAGIC):
        problem = "is itself encrypted by Ansible Vault" if password else "has no password in it"
        raise KamalError(f"{source} {problem}", hint="it holds or prints the password and nothing else")
    return hidden(password.decode(errors="surrogateescape"))


def _parsed(content: bytes, origin: str) -> Envelope:
    header, *lines = content.strip().splitlines() or [b""]
    magic, *fields = [each.strip().decode(errors="replace") for each in header.split(b";")]
    if magic.encode() != _MAGIC or fields[:2] not in (["1.1", "AES256"], ["1.2", "AES256"]):
        raise KamalError(
            f"{origin} has another format of Ansible Vault than 1.1 or 1.2 with AES256",
            hint="`ansible-vault rekey` of a current Ansible writes those",
        )
    parts: list[bytes] = []
    try:
        inner = bytes.fromhex("".join(line.decode("ascii") for line in lines))
        parts = [bytes.fromhex(each.decode("ascii")) for each in inner.split(b"\n", 2)]
    except ValueError:  # it may hold a part of the text
        pass
    if len(parts) != 3:
        raise KamalError(f"{origin} is damaged: it is half an Ansible Vault", hint="look at its history in Git")
    return Envelope(fields[2] if len(fields) > 2 else _DEFAULT_ID, *parts)


def _decrypt(envelope: Envelope, password: Sensitive) -> bytes | None:
    """Return the text; None with another password, and for a text that was changed."""
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import CTR
    from cryptography.hazmat.primitives.padding import PKCS7

    secret = password.reveal().encode(errors="surrogateescape")
    derived = hashlib.pbkdf2_hmac("sha256", secret, envelope.salt, _ROUNDS, 2 * _KEY_BYTES + _BLOCK_BYTES)
    cipher_key, digest_key, counter = derived[:32], derived[32:64], derived[64:]
    digest = hmac.digest(digest_key, envelope.encrypted, "sha256")
    if not hmac.compare_digest(digest, envelope.digest):
        return None
    decryptor = Cipher(AES(cipher_key), CTR(counter)).decryptor()
    unpadder = PKCS7(8 * _BLOCK_BYTES).unpadder()
    padded = decryptor.update(envelope.encrypted) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()


ADAPTER: Final[Adapter] = AnsibleVault()
