"""A hostile file loads in at most 2 seconds and 200 MB, measured in a process of its own.

Seconds are the processor's own: they say what the input costs, not what else the machine does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.config_catalogue import changed

pytestmark = [pytest.mark.unit, pytest.mark.process]

_MEBIBYTE: Final = 1024 * 1024
_ROOT: Final = Path(__file__).parents[3]
_VALID: Final = changed("x-a: 1")


def _bomb(levels: int, width: int) -> str:
    lines = ["x-a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"x-a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines)


def _map_bomb(levels: int) -> str:
    lines = ["x-a0: &a0 {k: v}"]
    lines += [f"x-a{n}: &a{n} {{<<: *a{n - 1}, a: *a{n - 1}, b: *a{n - 1}}}" for n in range(1, levels)]
    return "\n".join(lines)


HOSTILE: Final[dict[str, str | bytes]] = {
    "lists inside lists": "a: " + "[" * 500_000,
    "maps inside maps": "a: " + "{a: " * 200_000,
    "block maps inside maps": "".join(f"{' ' * depth}a:\n" for depth in range(1400)),
    "lists of the block inside lists": "- " * 500_000 + "a",
    "questions inside questions": "? " * 500_000 + "a",
    "an alias bomb": _bomb(12, 9),
    "a long alias bomb": _bomb(2000, 2),
    "a merge bomb": _map_bomb(40),
    "an anchor that contains itself": "a: &a [*a, *a]\nb: &b {c: *b}\nd: &d {<<: *d}",
    "many anchors": "".join(f"x-{n}: &a{n} 1\n" for n in range(60_000)),
    "many aliases": "x-a: &a 1\nx-b: [" + "*a," * 300_000 + "]",
    "ten megabytes of comments": "#" * (10 * _MEBIBYTE),
    "ten megabytes of keys": "".join(f"key{n}: value\n" for n in range(700_000)),
    "ten megabytes of template": "<%= 1 %>" * 1_310_720,
    "a megabyte of keys": "".join(f"key{n}: value\n" for n in range(60_000)),
    "a megabyte of one key": "a: 1\n" * 200_000,
    "a megabyte of flow": "x-a: [" + "a," * 500_000 + "]",
    "a megabyte of quotes": 'x-a: "' + "\\x41" * 260_000 + '"',
    "a megabyte of tags": "".join(f"x-{n}: !t{n} a\n" for n in range(60_000)),
    "a megabyte of documents": "--- a\n" * 170_000,
    "a megabyte of block scalars": "".join(f"x-{n}: |\n  a\n\n" for n in range(60_000)),
    "a key of a megabyte": "a" * 1_000_000 + ": 1",
    "a plain scalar of a megabyte": "a: " + "b " * 500_000,
    "a number of a megabyte": "a: " + "9" * 1_000_000,
    "a number of base sixty of a megabyte": "a: 1" + ":1" * 500_000,
    "underscores in a number": "a: 1" + "_" * 1_000_000,
    "commas in a number": "a: " + "1," * 500_000,
    "a date with a long fraction": "a: 2024-01-01 10:00:00." + "1" * 1_000_000,
    "a date with many blanks": "a: '' # " + " " * 100_000 + "\nb: 2024-01-01" + " " * 900_000 + "10:00",
    "NUL bytes": b"a: \x00\x00\x00",
    "nothing but NUL bytes": b"\x00" * 1_000_000,
    "no UTF-8": b"a: \xff\xfe\xfd" * 100_000,
    "half a character": b"service: \xf0\x9f\x92",
    "surrogates": b"a: \xed\xa0\x80",
    "UTF-16": "service: app\n".encode("utf-16"),
    "UTF-32": "service: app\n".encode("utf-32"),
    "odd characters": "a\u2028b: \u202e\u200b\ufeff\U0010ffff\x85\n\ufeffc: \ud7ff\ue000\ufffd",
    "combining characters": "a: e" + "\u0301" * 300_000,
    "a map of surprising keys": "".join(f"? {n}.5\n: a\n" for n in range(50_000)),
    "problems without end": "servers: [" + "[]," * 24_000 + "]",
    "unknown keys without end": "".join(f"servics{n}: 1\n" for n in range(24_000)),
    "unknown keys that are all alike": "".join(f"service{'e' * n}: 1\n" for n in range(1_300)),
    "long unknown keys": "".join(f"{'service' * 300}{n}: 1\n" for n in range(450)),
    "hosts without end": _VALID.replace("[1.1.1.1]", "[" + ",".join(f"h{n}" for n in range(24_000)) + "]"),
    "roles without end": _VALID.replace("[1.1.1.1]", "{" + ",".join(f"r{n}: [h]" for n in range(12_000)) + "}"),
    "accessories on all roles": _VALID.replace(
        "[1.1.1.1]", "{web: [a]," + ",".join(f"r{n}: [h]" for n in range(2000)) + "}"
    )
    + "accessories: {"
    + ",".join(f"a{n}: {{roles: [r1, r{n}]}}" for n in range(2000))
    + "}",
    "a loop of a loop": "<% (1..9999).each do |a| (1..9999).each do |b| %>x<% end end %>",
    "a loop that never ends": "<% a = [1]; a.each { |x| a << x } %>",
    "a text that doubles": '<% a = "x"; 100.times { a = a + a } %><%= a %>',
    "a text that repeats": '<%= "x" * 1000000000 %>',
    "a text of texts that repeat": '<%= ("x" * 1000000 + "y") * 1000 %>',
    "lists that double": "<% a = [1]; 100.times { a = a + a } %><%= a.length %>",
    "lists inside lists of a template": "<% a = []; 100000.times { a = [a] } %><%= a %>",
    "lists that hold themselves": "<% a = []; 100.times { a << a } %><%= a.flatten %><%= a %>",
    "a large range": "<%= (1..10000000000).to_a %>",
    "a large range in a list": "<%= [(1..100000000)].map(&:to_a) %>",
    "a large number": "<%= 9 ** 9 ** 9 ** 9 %>",
    "a number that squares": "<% a = 10; 100.times { a = a * a } %><%= a %>",
    "a wide field": '<%= "%999999999d" % 1 %><%= "%*d" % [999999999, 1] %>',
    "a wide text": '<%= "x".ljust(1000000000) %>',
    "back-tracking": f'<%= "{"a" * 500}!" =~ /(a+)+$/ %>',
    "back-tracking without groups": f'<%= "{"a" * 90_000}!".gsub(/a*a*a*a*b/, "") %>',
    "back-tracking with alternatives": f'<%= "{"a" * 500}" =~ /(a|a)*b/ %>',
    "back-tracking while splitting": f'<%= "{"x " * 40_000}".split(/ *, *|  *;/).length %>',
    "back-tracking while scanning": f'<%= "{"a" * 90_000}".scan(/a*b/).length %>',
    "a replacement of replacements": '<% a = "aaaaaaaaaa"; 20.times { a = a.gsub("a", a) } %>',
    "much to sort": "<% 100.times { (1..10000).to_a.sort.reverse.uniq } %>",
    "much to compare": "<%= (1..10000).to_a - (10001..20000).to_a %>",
    "brackets without end": "<%= " + "(" * 100_000 + "1 %>",
    "interpolations without end": '<%= "' + '#{"' * 100_000 + " %>",
    "words without end": "<%= " + "a + " * 250_000 + "a %>",
    "tags that never close": "<% " * 300_000,
    "code that says nothing": "<%" + ";" * 1_000_000 + "%>",
    "deep blocks": "<% " + "[1].each do |x| " * 3000 + "1 " + "end " * 3000 + " %>",
    "deep conditions": "<% " + "if true then " * 3000 + "1 " + "end " * 3000 + " %>",
    "a chain of calls": '<%= "x"' + ".strip" * 100_000 + " %>",
    "JSON inside JSON": "<%= JSON.parse('" + "[" * 100_000 + "') %>",
    "a shell that talks": "<%= `head -c 50000000 /dev/zero` %>",
}


@pytest.mark.timeout(120)
def test_time_and_memory(tmp_path: Path) -> None:
    """Accepted or refused in the words of this tool, in at most 2 s and 200 MB."""
    files = []
    for name, content in HOSTILE.items():
        files.append(tmp_path / name)
        files[-1].write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    command = [sys.executable, "-m", "tests.hostile_loading", *map(str, files)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["name"] for result in results] == list(HOSTILE)
    assert [result for result in results if not _within_limits(result)] == []


def _within_limits(result: dict[str, Any]) -> bool:
    return result["outcome"] in ("accepted", "refused") and result["seconds"] <= 2 and result["mebibytes"] <= 200
