"""The constants that templates may use: ENV, File, JSON, Time and others, and those of the caller."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pykamal.erb import environment as environment_functions
from pykamal.erb import libraries
from pykamal.erb.budget import Budget
from pykamal.erb.errors import RubyError, RubyUnknown, Unsupported
from pykamal.erb.exceptions import CLASSES, is_exception
from pykamal.erb.file_functions import Files
from pykamal.erb.hashes import MAP_METHODS
from pykamal.erb.kernel import KERNEL, InnerTemplate, exception
from pykamal.erb.matcher import Matching, Regexp
from pykamal.erb.scope import Main, Scope
from pykamal.erb.streams import Stream
from pykamal.erb.system import System
from pykamal.erb.values import ClassValue, Status, text, true
from pykamal.erb.word_lists import words

if TYPE_CHECKING:
    from pykamal.erb.interpreter import Interpreter


@dataclass(frozen=True, slots=True)
class Extensions:
    """The caller's additions: functions and values by constant, and its YAML parser.

    A function and the parser raise RubyError for failures that a template may catch.
    """

    functions: Mapping[tuple[str, str], Callable[..., Any]] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    parse_yaml: Callable[[str], Any] | None = None


NO_EXTENSIONS: Final = Extensions()
_RUBY_CONSTANTS: Final = {"RUBY_ENGINE": "ruby", "File::SEPARATOR": "/"}
_OF_RUBY_ITSELF: Final = words("RUBY_PLATFORM RUBY_PATCHLEVEL RUBY_RELEASE_DATE RUBY_DESCRIPTION RUBY_REVISION")
_VERSION_FILES: Final = (
    (".ruby-version", r"\s*(?:ruby-)?(\d+\.\d+\.\d+\S*)"),
    (".tool-versions", r"(?m)^ruby\s+(\d\S*)"),
)


class Builtins:
    """Looks functions up by constant and name in one table; nothing else can be reached."""

    def __init__(
        self,
        environment: dict[str, str],
        system: System,
        extensions: Extensions = NO_EXTENSIONS,
        main: Main | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.environment = environment
        self.system = system
        self.main = main or Main()
        self.budget = budget or Budget()
        self.matching = Matching(self.budget)
        self.status: Status | None = None
        self.printed: list[str] = []
        """The output of `puts` and similar methods, which is not part of the rendered text."""
        self.nested: Callable[[str, str, Scope | None], str] = _no_template
        """Renders a template inside this one with its trim mode and its own variables, or those of a scope."""
        self._extensions = extensions
        self._files = Files(system, lambda: environment.get("HOME"))
        self._functions = self._table()

    def _table(self) -> dict[tuple[str, str], Callable[..., Any]]:
        of_environment = environment_functions.functions(self.environment)
        return {
            **{("ENV", name): function for name, function in of_environment.items()},
            **self._files.functions(),
            ("Dotenv", "load"): self.load_dotenv,
            ("Dotenv", "load!"): self._load_existing_dotenv,
            ("Dotenv", "overload"): lambda *files: self.load_dotenv(*files, overwrite=True),
            ("Dotenv", "parse"): lambda *files: self._parsed_dotenv(files or (".env",)),
            **{("YAML", f"{kind}load"): self._parse_yaml for kind in ("", "safe_", "unsafe_")},
            **{("YAML", f"{kind}load_file"): self._yaml_file for kind in ("", "safe_", "unsafe_")},
            ("JSON", "load_file"): self._json_file,
            ("ERB", "new"): self._new_template,
            ("Regexp", "new"): self.regexp,
            ("Regexp", "union"): self._union,
            ("Socket", "gethostname"): lambda: self.system.host_name,
            **self._extensions.functions,
        }

    # -- constants

    def is_defined(self, constant: str) -> bool:
        """Return True for a constant that the template itself assigned."""
        return constant in self.main.constants

    def constant(self, name: str) -> Any:
        """Return the constant's value. Raises RubyError for a name unknown to Ruby too, and Unsupported for others."""
        if name in self.main.constants:
            return self.main.constants[name]
        if name in self._extensions.values:
            return self._extensions.values[name]
        if name in _RUBY_CONSTANTS:
            return _RUBY_CONSTANTS[name]
        if name in ("STDOUT", "STDERR"):
            return Stream(self.print)
        if is_exception(name) or name in CLASSES:
            return ClassValue(name)
        if libraries.is_known(name) or any(name == known for known, _ in self._functions):
            return ClassValue(name)
        if name in ("RUBY_VERSION", "RUBY_ENGINE_VERSION"):
            return self._ruby_version(name)
        if name in _OF_RUBY_ITSELF:
            raise RubyUnknown(f"{name} is not known: no Ruby runs here", "NameError", hint="Write the value out.")
        raise self._unknown_constant(name)

    def _ruby_version(self, name: str) -> str:
        """Return the Ruby version that the project requests."""
        for file, form in _VERSION_FILES:
            with suppress(OSError):
                found = re.search(form, self._files.content(file)[:10_000].decode("utf-8", "replace"))
                if found is not None:
                    return found[1]
        message = f"{name} is not known: no Ruby runs here, and .ruby-version does not name one"
        raise RubyUnknown(
            message, "NameError", hint='Write the version into .ruby-version, or read it from ENV["..."].'
        )

    def _unknown_constant(self, name: str) -> Exception:
        from pykamal.erb.ruby_names import advice, has_constant

        root = name.partition("::")[0]
        ours = {constant.partition("::")[0] for constant, _ in self._extensions.functions}
        if has_constant(name) or root in ours:
            return Unsupported(f"the constant {name}", advice(name))
        known = [*self.main.constants, *self._extensions.values, *(constant for constant, _ in self.function_names())]
        hint = advice(name) or self._meant(name, known)
        return RubyError(f"uninitialized constant {name}", "NameError", hint=hint)

    def unknown_name(self, name: str, locals_: list[str], *, call: bool) -> Exception:
        """Return the error for an unknown bare name or call without a receiver."""
        from pykamal.erb.ruby_names import advice, has_function

        if has_function(name):
            return Unsupported(f"`{name}`", advice(name))
        known = [*locals_, *self.main.methods, *self.main.variables, *KERNEL]
        kind = "method" if call else "local variable or method"
        label = "NoMethodError" if call else "NameError"
        return RubyError(f"undefined {kind} `{name}' for main", label, hint=self._meant(name, known))

    def _meant(self, name: str, known: list[str]) -> str | None:
        """Return a suggestion: an environment variable of that name, or a similar name."""
        variable = next((each for each in (name, name.upper()) if each in self.environment), None)
        if variable is not None or (name.isupper() and "::" not in name):
            return f'Did you mean ENV["{variable or name}"]?'
        from difflib import get_close_matches

        close = get_close_matches(name, known, 1) or get_close_matches(f"@{name}", known, 1, 0.9)
        return f"Did you mean {close[0]}?" if close else None

    def global_variable(self, name: str, interpreter: Interpreter) -> Any:
        last = self.matching.last
        match name:
            case "$?" | "$CHILD_STATUS":
                return self.status
            case "$!":
                return interpreter.error
            case "$~":
                return last
            case "$stdout" | "$stderr":
                return Stream(self.print)
            case "$0" | "$PROGRAM_NAME" | "$stdin":
                raise Unsupported(name)
            case "$&":
                return None if last is None else last.group(0)
        if name[1:].isdigit():
            return None if last is None else last.group(int(name[1:]))
        return None

    # -- functions

    def function_names(self) -> list[tuple[str, str]]:
        """Return the constants with the functions that templates may call on them."""
        return [*self._functions, *libraries.all_functions()]

    def constant_names(self) -> list[str]:
        """Return the constants that have a value."""
        return [*_RUBY_CONSTANTS, "RUBY_VERSION", "RUBY_ENGINE_VERSION", "STDOUT", "STDERR", *self._extensions.values]

    def function(self, constant: str, name: str) -> Callable[..., Any] | None:
        """Return the function, None where templates may not call it."""
        function = self._functions.get((constant, name)) or libraries.function(constant, name)
        if function is None and name in ("new", "exception") and is_exception(constant):
            return lambda *message: exception(ClassValue(constant), *message)
        return function

    def kernel_function(self, name: str) -> Callable[..., Any] | None:
        return KERNEL.get(name)

    def regexp(self, source: Any, flags: Any = "") -> Regexp:
        """Compile a regular expression. Raises RubyError for an invalid one and Unsupported outside the subset."""
        if isinstance(source, Regexp):
            return source
        if not (isinstance(source, str) and isinstance(flags, str)):
            raise Unsupported("a regular expression of anything but a text")
        from pykamal.erb.regexps import Invalid, Refused, compile_regexp

        self.budget.step(1 + len(source))
        try:
            return Regexp(source, flags, compile_regexp(source, flags), self.matching)
        except Invalid as error:
            raise RubyError(str(error), "RegexpError") from None
        except Refused as error:
            raise Unsupported(f"a regular expression with {error}") from None

    def _union(self, *patterns: Any) -> Regexp:
        given = patterns[0] if len(patterns) == 1 and isinstance(patterns[0], list) else list(patterns)
        from pykamal.erb.libraries.classes import escaped_regexp

        if len(given) == 1 and isinstance(given[0], Regexp):
            return given[0]
        return self.regexp("|".join(str(each) if isinstance(each, Regexp) else escaped_regexp(each) for each in given))

    def _new_template(self, source: Any, trim_mode: Any = None, **_options: Any) -> InnerTemplate:
        if trim_mode not in (None, "-", ">", ""):
            raise Unsupported(f"the trim mode {text(trim_mode)}")
        return InnerTemplate(text(source), trim_mode or "", self._render_inside)

    def _render_inside(self, source: str, trim_mode: str, scope: Scope | None) -> str:
        rendered: str = self.nested(source, trim_mode, scope)
        return rendered

    def set_variable(self, name: Any, value: Any) -> None:
        environment_functions.set_variable(self.environment, name, value)

    def run(self, line: str) -> str:
        """Run back-ticks while the budget's clock stands. Raises Unsupported where nothing may run."""
        from pykamal.erb.calls import guarded

        with self.budget.paused():
            ended: tuple[str, int] = guarded(
                "a shell line", lambda: self.system.run_with_status(line, self.environment)
            )
        self.status = Status(ended[1])
        return ended[0]

    def print(self, written: str) -> None:
        self.budget.use(1 + len(written) // 16)
        self.printed.append(written)

    # -- files of variables, and YAML

    def load_dotenv(self, *files: Any, overwrite: Any = False) -> dict[str, str]:
        """Load dotenv files into ENV. Existing variables win unless `overwrite`; missing files are skipped."""
        loaded = self._parsed_dotenv(files or (".env",))
        for name, value in loaded.items():
            if true(overwrite) or name not in self.environment:
                self.environment[name] = value
        return loaded

    def _load_existing_dotenv(self, *files: Any) -> dict[str, str]:
        for file in files or (".env",):
            self._files.read(file)
        return self.load_dotenv(*files)

    def _parsed_dotenv(self, files: tuple[Any, ...]) -> dict[str, str]:
        loaded: dict[str, str] = {}
        for file in files:
            try:
                content = self._files.content(text(file))
            except FileNotFoundError:
                continue
            except OSError as error:
                message = f"{file} cannot be read: {error.strerror or error}"
                raise RubyError(message, "Errno::EACCES") from None
            shown = content.decode("utf-8", "replace")
            with self.budget.paused():
                loaded = {**self._dotenv(shown, text(file)), **loaded}
        return loaded

    def _dotenv(self, content: str, file: str) -> Mapping[str, str]:
        from pykamal.erb.calls import guarded

        found: Mapping[str, str] = guarded(
            "a shell line", lambda: self.system.parse_dotenv(content, self.environment, file)
        )
        return found

    def _yaml_file(self, path: Any, **options: Any) -> Any:
        return self._parse_yaml(self._files.read(path), **options)

    def _json_file(self, path: Any, **options: Any) -> Any:
        from pykamal.erb.libraries.data import parse_json

        return parse_json(self._files.read(path), **options)

    def _parse_yaml(self, content: Any, symbolize_names: Any = False, **_options: Any) -> Any:
        parse = self._extensions.parse_yaml
        if parse is None:
            raise Unsupported("YAML")
        value = parse(str(text(content)))  # the parser wants exactly this class
        return MAP_METHODS["deep_symbolize_keys"](value) if true(symbolize_names) else value


def _no_template(_source: str, _trim_mode: str, _scope: Scope | None) -> str:
    raise Unsupported("ERB.new")
