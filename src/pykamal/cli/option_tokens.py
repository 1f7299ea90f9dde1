"""The words of a command line as tokens: options with their values, and other words (spec/cli.md 1.3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pykamal.cli.options import OURS, Kind, Option

SEPARATOR = "--"


@dataclass(frozen=True, slots=True)
class Token:
    """An option with one value, or a word that is no option.

    `word` is as typed, without the `=VALUE` of an option, and `position` its place in the line. An option with several
    values, and several short options in one word, give a token each. `value` is None for a flag alone, and where a
    value is missing. `turned_off` marks a flag in the form `--no-NAME` or `--skip-NAME`, `literal` a word behind `--`.
    """

    word: str
    position: int
    option: Option | None = None
    value: str | None = None
    turned_off: bool = False
    literal: bool = False

    @property
    def is_separator(self) -> bool:
        return self.word == SEPARATOR and not self.literal


def tokens(words: Sequence[str], options: Iterable[Option], command_at: int | None = None) -> Iterator[Token]:
    """Read a command line. Nothing is refused: an unknown option is a word, and values are not checked.

    A command line to run begins with the argument `command_at`. Behind its first word, options that Ruby Kamal does
    not have are words of it.
    """
    reader = _Reader(words, options)
    arguments = 0
    while reader.rest:
        found = reader.next(inside=command_at is not None and arguments > command_at)
        yield from found
        if found[0].is_separator:
            yield from (Token(word, position, literal=True) for position, word in reader.rest)
            return
        arguments += found[-1].option is None


class _Reader:
    """Reads options and words one after another. `rest` are the words that are not read yet, with their places."""

    def __init__(self, words: Sequence[str], options: Iterable[Option]) -> None:
        self.rest = deque(enumerate(words))
        self._forms = {form.partition(" ")[0]: option for option in options for form in option.forms}

    def next(self, *, inside: bool) -> list[Token]:
        """The tokens of the next option or word; `inside` a command line to run."""
        position, word = self.rest.popleft()
        if word == SEPARATOR:
            return [Token(word, position)]
        name, equals, text = word.partition("=")
        value = text if equals else None
        option = self._forms.get(name.replace("_", "-"))
        if option is not None:
            if inside and option.name in OURS:
                return [Token(word, position)]
            return self._with_values(Token(name, position, option, value))
        flag = self._turned_off(name)
        if flag is not None:
            return [Token(name, position, flag, value, turned_off=True)]
        return self._short_options(word, position) or [Token(word, position)]

    def _with_values(self, token: Token) -> list[Token]:
        """An option with its values, which are the words that follow unless one is given with it."""
        option = token.option
        if option is None or option.kind is Kind.FLAG:
            return [token]
        if token.value is None and self.rest and not self._is_known(self.rest[0][1]):
            token = replace(token, value=self.rest.popleft()[1])
        found = [token]
        while token.value is not None and self.rest and _continues(option, self.rest[0][1]):
            found.append(replace(token, value=self.rest.popleft()[1]))
        return found

    def _short_options(self, word: str, position: int) -> list[Token]:
        """Short options in one word: `-pq`, `-n5`, `-vn5`. Of letters alone, unknown ones are a word behind the known.

        None at all where the word is something else.
        """
        letters = word[1:] if word.startswith("-") and not word.startswith(SEPARATOR) else ""
        options = [self._forms.get(f"-{letter}") for letter in letters]
        valued = next((at for at, each in enumerate(options) if each and each.kind is not Kind.FLAG), len(letters))
        unknown = "".join(letter for letter, each in zip(letters[:valued], options, strict=False) if each is None)
        if unknown and (len(unknown) == len(letters) or not (letters.isascii() and letters.isalpha())):
            return []
        found = [Token(word, position, each) for each in options[:valued] if each is not None]
        if valued < len(letters):
            found += self._with_values(Token(word, position, options[valued], letters[valued + 1 :] or None))
        return [*found, Token(f"-{unknown}", position)] if unknown else found

    def _is_known(self, word: str) -> bool:
        name = word.partition("=")[0]
        return word == SEPARATOR or name.replace("_", "-") in self._forms or self._turned_off(name) is not None

    def _turned_off(self, name: str) -> Option | None:
        """The flag that `--no-FLAG` or `--skip-FLAG` turns off."""
        long = name.replace("_", "-")
        for prefix in ("--no-", "--skip-"):
            option = self._forms.get(f"--{long.removeprefix(prefix)}") if long.startswith(prefix) else None
            if option is not None and option.kind is Kind.FLAG:
                return option
        return None


def _continues(option: Option, word: str) -> bool:
    """Return True where a word is one more value of the option before it."""
    if word.startswith("-"):
        return False
    return option.kind is Kind.WORDS or (option.kind is Kind.PAIRS and ":" in word)
