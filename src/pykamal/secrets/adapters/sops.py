"""SOPS files by the program `sops` (docs/secrets.md): YAML, JSON, dotenv, INI, and whole files of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters import documents
from pykamal.secrets.adapters.documents import Document, Files, Format
from pykamal.secrets.adapters.protocol import Adapter, Values, refuse_account
from pykamal.secrets.adapters.settings import Setting, Settings
from pykamal.secrets.adapters.tool import Answer, Tool

# It is not asked for its version before it is used: it would ask the network for the newest one.
_SOPS: Final = Tool("sops", "SOPS", "https://getsops.io")

SETTINGS: Final = (
    Setting("age_key_file", "a file of age identities", ("SOPS_AGE_KEY_FILE",)),
    Setting("age_key", "an age identity", ("SOPS_AGE_KEY",), secret=True),
    Setting("format", "`yaml`, `json`, `dotenv`, `ini` or `binary`, where the file's name does not say so"),
)

_TAMPERED: Final = (25, 51)
"""The exit statuses for a wrong MAC, of the file and of a value."""

_NO_KEY: Final = 128


class Sops:
    needs_account: ClassVar[bool] = False
    credential_variables: ClassVar[Sequence[str]] = (
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AZURE_CLIENT_SECRET",
        "VAULT_TOKEN",
        "BAO_TOKEN",
    )
    settings: ClassVar[Sequence[Setting]] = SETTINGS

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings(SETTINGS)
        self._files = Files(self._whole, self._document)

    def configured(self, settings: Settings) -> Sops:
        return Sops(settings)

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        refuse_account("sops", account)
        return self._files.values(secrets, source)

    def status(self, *, account: str | None) -> str | None:
        refuse_account("sops", account)
        _SOPS.find()
        if self._settings.get("age_key"):
            return f"an age identity in {self._settings.where('age_key')}"
        if key_file := self._settings.get("age_key_file"):
            documents.read(str(documents.expanded(key_file)))
            return f"the age identities in {key_file}"
        return None  # its other keys, of PGP or of a cloud, are known to the program alone

    def _whole(self, file: str) -> bytes:
        return self._decrypted(file)

    def _document(self, file: str) -> Document:
        return Document(self._decrypted(file, "--output-type", "json"), file, Format.JSON)

    def _decrypted(self, file: str, *options: str) -> bytes:
        if b"sops" not in documents.read(file):
            raise KamalError(f"{file} is not encrypted by SOPS", hint=f"sops encrypt --in-place {file}")
        get = self._settings.get
        keys: dict[str, str | Sensitive] = {}
        if key_file := get("age_key_file"):
            keys["SOPS_AGE_KEY_FILE"] = str(documents.expanded(key_file))
        if key := get("age_key"):
            keys["SOPS_AGE_KEY"] = Sensitive(key)
        if input_format := get("format"):
            options = ("--input-type", input_format, *options)
        path = str(documents.expanded(file).absolute())  # which is never taken for an option
        answer = _SOPS.run("--decrypt", *options, path, environment=keys)
        if not answer.ok:
            raise _refused(answer, file)
        return documents.bounded(answer.ended.output, file)


def _refused(answer: Answer, file: str) -> KamalError:
    status = answer.ended.status
    if status == _NO_KEY:
        return KamalError(
            f"No key on this machine decrypts {file}",
            details=answer.evidence,
            hint="set SOPS_AGE_KEY_FILE or SOPS_AGE_KEY, import the PGP key, or log in to the cloud that has the key; "
            "the `sops` part of the file says to whom it is encrypted",
        )
    if status in _TAMPERED:
        return KamalError(
            f"{file} was changed after it was encrypted",
            details=answer.evidence,
            hint="use none of its values: look at its history in Git, and change it with `sops edit` alone",
        )
    return KamalError(
        f"SOPS could not decrypt {file}", details=answer.evidence, hint=f"see what it says: sops decrypt {file}"
    )


ADAPTER: Final[Adapter] = Sops()
