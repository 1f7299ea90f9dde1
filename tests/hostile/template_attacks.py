"""Templates that want to take the machine, each rendered in a process of its own.

Some are also rendered by an interpreter whose limit is taken away, which shows that the attack is one.
`python -m tests.hostile.template_attacks` prints a JSON object a line: `name`, `limited`, `outcome` (the error's
message, `rendered` or `killed`), `seconds` of the processor and `mebibytes` of memory beyond what was in use before.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pykamal.erb.budget as budget_module
import pykamal.erb.interpreter as interpreter_module
import pykamal.operations.local.local_system as system_module
from pykamal.config.config_template import Templates
from pykamal.core.errors import ConfigurationError
from pykamal.erb.budget import Limits
from pykamal.erb.matcher import Match, Regexp
from pykamal.operations.local.local_system import LocalSystem

_MEBIBYTE: Final = 1024 * 1024
_MOST_MEMORY: Final = 600 * _MEBIBYTE
_MOST_SECONDS: Final = 8
_ENDLESS: Final = Limits(steps=10**15, units=10**15, seconds=10**9)


@dataclass(frozen=True, slots=True)
class Attack:
    """`limit` is a pattern of what the refusal names, empty where there is none to reach; `unplug` takes it away."""

    source: str
    limit: str
    unplug: Callable[[], None] | None = None


def _without(name: str) -> Callable[[], None]:
    def unplug() -> None:
        setattr(budget_module, name, 10**15)

    return unplug


def _without_budget() -> None:
    """The limits of every run without limit are `_ENDLESS`."""


def _without_output_limit() -> None:
    setattr(interpreter_module, "MAXIMUM_FILE_BYTES", 10**15)  # noqa: B010 - a constant, but for this attack


def _backtracking() -> None:
    """Python's own regular expressions instead of ours."""

    def search(self: Regexp, text: str, start: int = 0) -> Match | None:
        found = re.compile(self.source).search(text, start)
        return None if found is None else Match(text, found.span(), {})

    Regexp.search = search  # type: ignore[method-assign]


def _waiting_reads() -> None:
    """Files are opened as they come."""
    setattr(system_module, "read_regular", lambda path, limit: path.open("rb").read(limit))  # noqa: B010


TEXT: Final = _without("MAXIMUM_TEXT")
ITEMS: Final = _without("MAXIMUM_ITEMS")
NUMBER: Final = _without("MAXIMUM_BITS")

BUDGET: Final = "200,000 steps|too much data|longer than 5 seconds"
"""Which of the three ends a template first depends on how fast the machine is."""

ATTACKS: Final[dict[str, Attack]] = {
    "a loop": Attack("<% loop { } %>", BUDGET, _without_budget),
    "while": Attack("<% while true do end %>", BUDGET),
    "a loop of loops": Attack("<% (1..9999).each { |a| (1..9999).each { |b| } } %>", BUDGET),
    "retry": Attack("<% begin; raise 'x'; rescue; retry; end %>", BUDGET),
    "a rescue around everything": Attack("<% loop { begin; loop { }; rescue Exception; end } %>", BUDGET),
    "an ensure that goes on": Attack("<% begin; loop { }; ensure; loop { }; end %>", BUDGET),
    "methods that call each other": Attack("<% def a = b; def b = a; a %>", "nested too deeply"),
    "a lambda that calls itself": Attack("<% f = ->(x) { f.(x) + f.(x) }; f.(1) %>", "nested too deeply"),
    "templates inside templates": Attack(
        "<% @s = '<' + '%= ERB.new(@s).result %' + '>' %><%= ERB.new(@s).result %>", "a template inside so many others"
    ),
    "optional characters": Attack(f"<%= 'a' * 30 =~ /{'a?' * 30}{'a' * 30}/ %>", "", _backtracking),
    "repeats of repeats": Attack("<%= ('a' * 40 + '!') =~ /(a+)+$/ %>", "", _backtracking),
    "alternatives that overlap": Attack("<%= 'a' * 60 =~ /(a|a)*b/ %>", "", _backtracking),
    "repeats in a row": Attack("<%= 'a' * 4000 =~ /a*a*a*a*b/ %>", "", _backtracking),
    "a replacement of many repeats": Attack("<%= ('a' * 4000).gsub(/a*a*a*b/, '') %>", ""),
    "a look ahead at every place": Attack("<%= ('a' * 3000).scan(/(?=a*b)/).size %>", BUDGET),
    "looks ahead that repeat": Attack("<% 'a' =~ /((?=a{3000})){3000}/ %>", "so many repeats"),
    "a text that doubles": Attack("<% a = 'x'; 40.times { a += a } %>", "1,048,576 characters", TEXT),
    "a text that repeats": Attack("<% 'x' * 10_000_000_000 %>", "1,048,576 characters", TEXT),
    "a joint as large as the parts": Attack("<% ([1] * 9999).join('x' * 1_000_000) %>", "1,048,576 characters", TEXT),
    "a wide text": Attack("<% 'x'.ljust(10_000_000_000, 'ab') %>", "1,048,576 characters"),
    "many wide fields": Attack("<% ('%999d' * 9999) % ([1] * 9999) %>", "1,048,576 characters"),
    "a replacement that grows": Attack("<% a = 'x' * 1000; 9.times { a = a.gsub('x', a) } %>", "1,048,576"),
    "a list that doubles": Attack("<% a = [1]; 40.times { a += a } %>", "10,000 items", ITEMS),
    "a list that grows in place": Attack("<% a = [1]; 40.times { a.concat(a) } %>", "10,000 items"),
    "a range as a list": Attack("<% (1..10_000_000_000).to_a %>", "10,000 items", ITEMS),
    "a place far behind the end": Attack("<% a = []; a[10_000_000_000] = 1 %>", "10,000 items"),
    "products": Attack("<% a = (1..99).to_a; a.product(a, a, a, a).size %>", "10,000 items"),
    "combinations": Attack("<% (1..40).to_a.combination(20).to_a.size %>", "10,000 items", ITEMS),
    "slices that overlap": Attack("<% (1..9999).each_cons(5000).to_a.size %>", "10,000 items"),
    "powers": Attack("<% 9 ** 9 ** 9 ** 9 %>", "4,096 bits", NUMBER),
    "squares": Attack("<% a = 10; 99.times { a *= a } %>", "4,096 bits"),
    "output without end": Attack(
        "<% 200.times do %><%= 'x' * 1_000_000 %><% end %>", "1,048,576", _without_output_limit
    ),
    "parts of a text that is held twice": Attack(
        "<% a = 'x' * 1_000_000; b = a; loop { a[0] = 'y' } %>", BUDGET, _without_budget
    ),
    "changes of a text that is held twice": Attack("<% a = 'x' * 1_000_000; b = a; loop { a.swapcase! } %>", BUDGET),
    "changes of a text in a list": Attack("<% a = ''; l = [a] * 9000; loop { a << 'y'; l.first } %>", BUDGET),
    "what is printed": Attack("<% loop { puts 'x' * 1_000_000 } %>", BUDGET, _without_budget),
    "characters of a range": Attack("<%= ('a' * 900_000).tr(('\\u0001-\\u{10ffff}' * 60_000), 'b').size %>", ""),
    "much to sort": Attack("<% 5000.times { (1..9999).to_a.sort.reverse.uniq } %>", BUDGET, _without_budget),
    "lists that hold themselves": Attack("<% a = []; a << a; a.inspect; %>", "nested too deeply"),
    "JSON inside JSON": Attack("<% JSON.parse('[' * 100_000) %>", "unexpected token"),
    "JSON that is deep": Attack("<% a = []; 9999.times { a = [a] }; a.to_json %>", "nested too deeply"),
    "a pipe": Attack("<%= File.read('pipe') %>", "not a regular file", _waiting_reads),
    "a device": Attack("<%= File.read('device').size %>", "not a regular file"),
    "large documents": Attack("<% loop { YAML.load('[' + 'a,' * 30_000 + 'a]') } %>", BUDGET),
    "a large file": Attack("<%= File.read('large').size %>", "larger than 1,048,576 bytes"),
    "variables from a pipe": Attack("<% Dotenv.load('pipe') %>", "not a regular file", _waiting_reads),
}
"""By what they do. Without a limit in the refusal they may render too, in a bounded time."""


def main() -> None:
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        os.mkfifo("pipe")
        Path("device").symlink_to("/dev/zero")
        with Path("large").open("wb") as file:
            file.truncate(2000 * _MEBIBYTE)
        _render("<%= [/a/ =~ 'a'] %>", None)  # imports what the others need
        for name, attack in ATTACKS.items():
            for limited in (True, False):
                print(
                    json.dumps({"name": name, "limited": limited, **_forked(partial(_made, attack, limited))}),
                    flush=True,
                )


def _forked(action: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the action's report from a process of its own, or that it was killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, json.dumps(action()).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        result: dict[str, Any] = json.loads(answer.read() or '{"outcome": "killed"}')
    os.waitpid(child, 0)
    return result


def _made(attack: Attack, limited: bool) -> dict[str, Any]:
    signal.alarm(4 * _MOST_SECONDS if limited else 2)
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS if limited else 1, _MOST_SECONDS))
    before, started = _peak(), time.process_time()
    if not limited and attack.unplug is not None:
        attack.unplug()
    outcome = _render(attack.source, None if limited else _ENDLESS)
    seconds = time.process_time() - started
    return {"outcome": outcome, "seconds": round(seconds, 2), "mebibytes": round((_peak() - before) / 1024)}


def _render(source: str, limits: Limits | None) -> str:
    system = LocalSystem()
    try:
        Templates(dict(os.environ), system, limits).render("deploy.yml", source, yaml=True)
    except ConfigurationError as error:
        return f"{error.diagnostics[0].location.position}: {error.message}"
    except BaseException as error:
        return type(error).__name__
    return "rendered"


def _peak() -> int:
    """In KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
