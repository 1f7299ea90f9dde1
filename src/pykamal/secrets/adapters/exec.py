"""Any program that prints secrets (docs/secrets.md). It is started without a shell.

A command that has `{}` in it is run once a name, which stands in that place, and prints one value. Another command is
run once and prints a document that has all of them.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import ClassVar, Final

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters import documents
from pykamal.secrets.adapters.documents import Document
from pykamal.secrets.adapters.protocol import Adapter, Values, refuse_account
from pykamal.secrets.adapters.settings import Setting, Settings
from pykamal.secrets.adapters.tool import OncePerRun, Tool

SETTINGS: Final = (
    Setting("command", "the program and its arguments, as in `shop-secrets export --stage production`"),
    Setting("format", "`json`, `yaml` or `dotenv`, where the output's look does not say so"),
)

_NAME: Final = "{}"


class Exec:
    needs_account: ClassVar[bool] = False
    settings: ClassVar[Sequence[Setting]] = SETTINGS

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings(SETTINGS)
        self._outputs: OncePerRun[bytes] = OncePerRun()

    def configured(self, settings: Settings) -> Exec:
        return Exec(settings)

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        refuse_account("exec", account)
        if not secrets:
            raise KamalError("No secrets given to fetch", hint="name those of the command's output")
        words = self._command(source)
        if any(_NAME in word for word in words):
            return {name: self._one(words, name) for name in secrets}
        document = self._document(words)
        return {name: document.value(name) for name in secrets}

    def _command(self, source: str | None) -> tuple[str, ...]:
        written = source or self._settings.get("command") or ""
        try:
            words = tuple(shlex.split(written))
        except ValueError:  # it holds the command, in which somebody may have written a secret
            words = ()
        if not words:
            raise KamalError(
                "The adapter exec has no command, or one whose quotes do not fit",
                hint="give it with --from 'PROGRAM ARGUMENT...', or as the provider's `command`",
            )
        return words

    def _one(self, words: Sequence[str], name: str) -> Sensitive | None:
        argument, sign, key = name.partition("#")
        filled = tuple(word.replace(_NAME, argument) for word in words)
        return self._document(filled).value(key) if sign else documents.whole(self._output(filled))

    def _document(self, words: tuple[str, ...]) -> Document:
        output = self._output(words)
        origin = f"The output of {words[0]}"
        return Document(output, origin, documents.format_of("", output, self._settings))

    def _output(self, words: tuple[str, ...]) -> bytes:
        return self._outputs.get(words, lambda: _run(*words))


def _run(program: str, *arguments: str) -> bytes:
    tool = Tool(program, program, "it is the command of the adapter exec")
    hint = f"run {program} by hand to see what it says"
    answer = tool.run(*arguments).expect(f"{program} gave no secrets", hint=hint)
    return documents.bounded(answer.ended.output, f"The output of {program}")


ADAPTER: Final[Adapter] = Exec()
