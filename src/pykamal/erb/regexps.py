"""Compiles Ruby's regular expressions to programs that `matcher` runs in time linear in the text.

Python's own matcher backtracks: a dozen characters of a pattern make it run for hours. What needs backtracking without
bound (back-references, possessive repeats, recursion) is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from pykamal.erb.characters import CharacterTest, any_of, character_class, escaped, exactly, named_property

MAXIMUM_SOURCE: Final = 1000
MAXIMUM_PROGRAM: Final = 4000
MAXIMUM_NESTING: Final = 40
_BOUNDS: Final = re.compile(r"\{(?:(\d{1,6})(,(\d{0,6}))?|,(\d{1,6}))\}")
_FLAGS: Final = re.compile(r"\(\?([imx]*)(?:-([imx]*))?([:)])")
_NAMED: Final = re.compile(r"\(\?(?:<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')")
_LOOK: Final = {"(?=": ("ahead", True), "(?!": ("ahead", False), "(?<=": ("behind", True), "(?<!": ("behind", False)}
_POSITIONS: Final = {"A": "start", "z": "end", "Z": "last line end", "b": "boundary", "B": "no boundary"}
_WIDEST_LOOK_BEHIND: Final = 255
_ANY: Final[CharacterTest] = bool
_NO_LINE_END: Final[CharacterTest] = "\n".__ne__


class Refused(Exception):
    """The pattern uses an unsupported construct, which the message names."""


class Invalid(Exception):
    """The pattern is no regular expression."""


Instruction = tuple[Any, ...]
"""`("test", f)`, `("split", first, second)`, `("jump", to)`, `("save", slot)`, `("position", kind)`,
`("look", program, positive, widths or None)`, `("match",)`."""


@dataclass(frozen=True, slots=True)
class Program:
    instructions: tuple[Instruction, ...]
    groups: int
    names: dict[str, list[int]]
    first: str | None
    """The first character of every match, where it is fixed."""


@dataclass(frozen=True, slots=True)
class _Options:
    ignore_case: bool
    dot_all: bool
    extended: bool

    def changed(self, on: str, off: str) -> _Options:
        value = {"i": self.ignore_case, "m": self.dot_all, "x": self.extended}
        value |= dict.fromkeys(on, True) | dict.fromkeys(off, False)
        return _Options(value["i"], value["m"], value["x"])


# A node is a function that writes its instructions; its widths say how many characters it takes.
Node = tuple[Callable[["_Writer"], None], int, int | None]


class _Writer:
    """Emits a program. Programs inside it, of lookaheads and lookbehinds, count towards its size."""

    def __init__(self, around: _Writer | None = None) -> None:
        self.code: list[Instruction] = []
        self._written: list[int] = [0] if around is None else around._written

    def write(self, *instruction: Any) -> int:
        self._written[0] += 1
        if self._written[0] > MAXIMUM_PROGRAM:
            raise Refused("so many repeats")
        self.code.append(instruction)
        return len(self.code) - 1


def compile_regexp(source: str, flags: str) -> Program:
    """Compile a pattern. Raises Refused outside the subset and Invalid for an invalid one."""
    unknown = set(flags) - set("imxou")
    if unknown:
        raise Refused(f"the flag {''.join(sorted(unknown))}")
    if len(source) > MAXIMUM_SOURCE:
        raise Refused(f"more than {MAXIMUM_SOURCE} characters")
    parser = _Parser(source, _Options("i" in flags, "m" in flags, "x" in flags))
    node = parser.whole()
    writer = _Writer()
    writer.write("save", 0)
    node[0](writer)
    writer.write("save", 1)
    writer.write("match")
    return Program(tuple(writer.code), parser.groups, parser.names, _first_character(writer.code))


def _first_character(code: list[Instruction]) -> str | None:
    for instruction in code:
        if instruction[0] == "test":
            return getattr(instruction[1], "only", None)
        if instruction[0] != "save":
            return None
    return None


class _Parser:
    def __init__(self, source: str, options: _Options) -> None:
        self.groups = 0
        self.names: dict[str, list[int]] = {}
        self._source = source
        self._position = 0
        self._options = options
        self._depth = 0
        self._capturing = _NAMED.search(source) is None

    def whole(self) -> Node:
        node = self._alternatives()
        if self._position < len(self._source):
            self._fail("an unmatched )")
        return node

    def _fail(self, what: str) -> NoReturn:
        raise Invalid(f"{what}: /{self._source}/")

    def _at(self, text: str) -> bool:
        return self._source.startswith(text, self._position)

    def _alternatives(self) -> Node:
        self._depth += 1
        if self._depth > MAXIMUM_NESTING:
            raise Refused("so many groups inside each other")
        options = self._options
        branches = [self._sequence()]
        while self._at("|"):
            self._position += 1
            branches.append(self._sequence())
        self._options = options
        self._depth -= 1
        return branches[0] if len(branches) == 1 else _either(branches)

    def _sequence(self) -> Node:
        nodes: list[Node] = []
        while self._position < len(self._source) and self._source[self._position] not in "|)":
            if self._options.extended and self._blank():
                continue
            atom = self._atom()
            if atom is not None:
                nodes.append(self._repeated(atom))
        return _all(nodes)

    def _blank(self) -> bool:
        character = self._source[self._position]
        if character == "#":
            end = self._source.find("\n", self._position)
            self._position = len(self._source) if end == -1 else end + 1
            return True
        if character.isspace():
            self._position += 1
            return True
        return False

    def _atom(self) -> Node | None:
        character = self._source[self._position]
        if character == "(":
            return self._group()
        if character == "\\":
            return self._escape()
        if character in "*+?":
            self._fail("the target of a repeat is missing")
        self._position += 1
        match character:
            case "^" | "$":
                return _position("line start" if character == "^" else "line end")
            case ".":
                return _test(_ANY if self._options.dot_all else _NO_LINE_END)
            case "[":
                test, self._position = self._class()
                return _test(test)
        return _test(exactly(character, self._options.ignore_case))

    def _class(self) -> tuple[CharacterTest, int]:
        try:
            return character_class(self._source, self._position, self._options.ignore_case)
        except ValueError as error:
            self._fail(str(error))
        except NotImplementedError as error:
            raise Refused(str(error)) from None

    def _escape(self) -> Node:
        following = self._source[self._position + 1 : self._position + 2]
        if following in _POSITIONS and following:
            self._position += 2
            return _position(_POSITIONS[following])
        if following in "pP" and following:
            negated = following == "P"
            match = re.compile(r"\{(\^?)(\w+)\}").match(self._source, self._position + 2)
            if match is None:
                self._fail("an invalid character property")
            test = named_property(match[2])
            if test is None:
                raise Refused(f"\\p{{{match[2]}}}")
            self._position = match.end()
            return _test(any_of(test, negated=negated is not bool(match[1])))
        if following.isdigit() and following != "0":
            raise Refused(f"the back-reference \\{following}")
        if following in "kgGKRXM" and following:
            raise Refused(f"\\{following}")
        if not following:
            self._fail("a \\ at its end")
        test, self._position = escaped(self._source, self._position, self._options.ignore_case)
        return _test(test)

    def _group(self) -> Node | None:
        if self._at("(?#"):
            end = self._source.find(")", self._position)
            self._position = end + 1 if end != -1 else self._fail("a comment that never ends")
            return None
        for opening, (direction, positive) in _LOOK.items():
            if self._at(opening):
                self._position += len(opening)
                return self._look(direction, positive)
        if match := _NAMED.match(self._source, self._position):
            self._position = match.end()
            return self._capture(match[1] or match[2])
        if match := _FLAGS.match(self._source, self._position):
            self._position = match.end()
            return self._with_flags(match)
        if self._at("(?"):
            raise Refused(f"the group {self._source[self._position : self._position + 3]}")
        self._position += 1
        return self._capture(None) if self._capturing else self._closed(self._alternatives())

    def _with_flags(self, match: re.Match[str]) -> Node | None:
        before, self._options = self._options, self._options.changed(match[1], match[2] or "")
        if match[3] == ")":  # for the rest of the group around it
            return None
        node = self._closed(self._alternatives())
        self._options = before
        return node

    def _closed(self, node: Node) -> Node:
        if not self._at(")"):
            self._fail("a group that never ends")
        self._position += 1
        return node

    def _capture(self, name: str | None) -> Node:
        self.groups += 1
        number = self.groups
        if name is not None:
            self.names.setdefault(name, []).append(number)
        write, shortest, longest = self._closed(self._alternatives())

        def captured(writer: _Writer) -> None:
            writer.write("save", 2 * number)
            write(writer)
            writer.write("save", 2 * number + 1)

        return captured, shortest, longest

    def _look(self, direction: str, positive: bool) -> Node:
        write, shortest, longest = self._closed(self._alternatives())
        widths: tuple[int, int] | None = None
        if direction == "behind":
            if longest is None or longest > _WIDEST_LOOK_BEHIND:
                self._fail("a look-behind of any length")
            widths = (shortest, longest)

        def looking(writer: _Writer) -> None:
            inner = _Writer(writer)
            write(inner)
            inner.write("match")
            writer.write("look", tuple(inner.code), positive, widths)

        return looking, 0, 0

    def _repeated(self, atom: Node) -> Node:
        while self._position < len(self._source):
            character = self._source[self._position]
            bounds = _BOUNDS.match(self._source, self._position) if character == "{" else None
            if bounds is None and character not in "*+?":
                break
            self._position = bounds.end() if bounds else self._position + 1
            least, most = _numbers(bounds) if bounds else (int(character == "+"), 1 if character == "?" else None)
            if most is not None and least > most:
                self._fail("a repeat whose bounds are in the wrong order")
            lazy = self._at("?")
            if not lazy and self._at("+") and bounds is None:
                raise Refused("a possessive repeat")
            self._position += lazy
            atom = _times(atom, least, most, lazy)
        return atom


def _numbers(bounds: re.Match[str]) -> tuple[int, int | None]:
    if bounds[4]:
        return 0, int(bounds[4])
    least = int(bounds[1])
    return least, (int(bounds[3]) if bounds[3] else None) if bounds[2] else least


def _test(test: CharacterTest) -> Node:
    return lambda writer: (writer.write("test", test), None)[1], 1, 1


def _position(kind: str) -> Node:
    return lambda writer: (writer.write("position", kind), None)[1], 0, 0


def _all(nodes: list[Node]) -> Node:
    def written(writer: _Writer) -> None:
        for write, _, _ in nodes:
            write(writer)

    longest = [longest for _, _, longest in nodes]
    total = None if None in longest else sum(each for each in longest if each is not None)
    return written, sum(shortest for _, shortest, _ in nodes), total


def _either(branches: list[Node]) -> Node:
    def written(writer: _Writer) -> None:
        jumps: list[int] = []
        for write, _, _ in branches[:-1]:
            split = writer.write("split")
            write(writer)
            jumps.append(writer.write("jump"))
            writer.code[split] = ("split", split + 1, len(writer.code))
        branches[-1][0](writer)
        for jump in jumps:
            writer.code[jump] = ("jump", len(writer.code))

    longest = [longest for _, _, longest in branches]
    widest = None if None in longest else max(each for each in longest if each is not None)
    return written, min(shortest for _, shortest, _ in branches), widest


def _times(node: Node, least: int, most: int | None, lazy: bool) -> Node:
    write, shortest, longest = node

    def split(writer: _Writer, at: int, inside: int, behind: int) -> None:
        writer.code[at] = ("split", behind, inside) if lazy else ("split", inside, behind)

    def written(writer: _Writer) -> None:
        for _ in range(least):
            write(writer)
            writer.write("jump", len(writer.code) + 1)  # counts, so that many repeats of nothing end too
        if most is None:
            start = writer.write("split")
            write(writer)
            writer.write("jump", start)
            split(writer, start, start + 1, len(writer.code))
            return
        splits: list[int] = []
        for _ in range(most - least):
            splits.append(writer.write("split"))
            write(writer)
        for each in splits:
            split(writer, each, each + 1, len(writer.code))

    total = None if most is None or longest is None else most * longest
    return written, least * shortest, total
