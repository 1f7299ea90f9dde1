"""Files as they are (docs/secrets.md): secrets that Docker or Kubernetes mount, and documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from pykamal.secrets.adapters import documents
from pykamal.secrets.adapters.documents import Document, Files
from pykamal.secrets.adapters.protocol import Adapter, Values, refuse_account
from pykamal.secrets.adapters.settings import Setting, Settings

SETTINGS: Final = (Setting("format", "`json`, `yaml` or `dotenv`, where the file's name does not say so"),)


class PlainFile:
    needs_account: ClassVar[bool] = False
    settings: ClassVar[Sequence[Setting]] = SETTINGS

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings(SETTINGS)
        self._files = Files(documents.read, self._document)

    def configured(self, settings: Settings) -> PlainFile:
        return PlainFile(settings)

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        refuse_account("file", account)
        return self._files.values(secrets, source)

    def _document(self, file: str) -> Document:
        content = documents.read(file)
        return Document(content, file, documents.format_of(file, content, self._settings))


ADAPTER: Final[Adapter] = PlainFile()
