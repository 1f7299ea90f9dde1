"""Templates: the Ruby that people write in deploy.yml, evaluated without Ruby (spec/config.md 1.3).

The results in the tables are what Ruby Kamal 2.11.0 renders; the parity suite compares them again.
"""

from __future__ import annotations

import pytest
import yaml

from pykamal.erb.builtins import Extensions
from pykamal.erb.errors import TemplateError
from pykamal.erb.template import render
from tests.config_world import World
from tests.erb_table import ENVIRONMENT, EXPRESSIONS, FILES, SHELL, TRIMMED

pytestmark = pytest.mark.unit


def _rendered(source: str, **environment: str) -> str:
    world = World(files=dict(FILES), shell=dict(SHELL))
    extensions = Extensions(parse_yaml=yaml.safe_load)
    return render("deploy.yml", source, environment or dict(ENVIRONMENT), world, extensions).text


def _failure(source: str) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        _rendered(source)
    return caught.value


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS)
def test_expressions(expression: str, expected: str) -> None:
    """Each expression inserts what Ruby inserts."""
    assert _rendered(f"<%= {expression} %>") == expected


@pytest.mark.parametrize(("source", "expected"), TRIMMED)
def test_tags_and_trimming(source: str, expected: str) -> None:
    """Statements, comments, escapes and trim mode `-` leave the white space that ERB leaves."""
    assert _rendered(source) == expected


@pytest.mark.parametrize(
    ("source", "label", "message"),
    [
        ("<%= undefined_thing %>", "NameError", "undefined local variable or method `undefined_thing' for main"),
        ("<%= raise 'boom' %>", "RuntimeError", "boom"),
        ("<% raise ArgumentError, 'boom' %>", "NameError", "the constant ArgumentError is not supported in templates"),
        ("<%= ENV.fetch('NOPE_X') %>", "KeyError", 'key not found: "NOPE_X"'),
        ("<%= File.read('nope') %>", "Errno::ENOENT", "No such file or directory @ rb_sysopen - nope"),
        ("<%= ENV['NOPE'].strip %>", "NoMethodError", "undefined method `strip' for nil"),
        ("<%= foo( %>", "SyntaxError", "unexpected the end of the tag"),
        ("<%= Foo:: %>", "SyntaxError", "unexpected the end of the tag"),
        ('<%= "#{Foo::}" %>', "SyntaxError", "unexpected the end of the tag"),
        ("<%= Foo::bar %>", "SyntaxError", "unexpected `bar`"),
        ("<%= 1 +", "SyntaxError", "a tag is opened with <% and never closed with %>"),
        ("<% if true %>", "SyntaxError", "expected end, found the end of the tag"),
        ("<%= 'x %>", "SyntaxError", "a text is never closed"),
        ("<%= Net::HTTP.get('x') %>", "NameError", "the constant Net::HTTP is not supported in templates"),
        ("<%= 'a'.instance_eval %>", "SyntaxError", "the method instance_eval of a text is not supported in templates"),
        ("<%= ENV.to_a %>", "SyntaxError", "ENV.to_a is not supported in templates"),
        ("<%= $stdout %>", "SyntaxError", "a global or instance variable is not supported in templates"),
        (
            "<%= 'a' =~ /(a+)+$/ %>",
            "SyntaxError",
            "a regular expression with a repeated group of repeats or alternatives is not supported in templates",
        ),
        ("<%= 'a' =~ /(?<=a)/ %>", "SyntaxError", "a regular expression with (?< is not supported in templates"),
        (
            "<%= 'a' =~ /[a/ %>",
            "SyntaxError",
            "a regular expression with a character class of this kind is not supported in templates",
        ),
        ("<%= ('a' * 500).gsub(/a*a*b/, '') %>", "ArgumentError", "gsub cannot be called like this"),
        ("<%= 'a' =~ /a/x %>", "SyntaxError", "a regular expression with the flag x is not supported in templates"),
        ("<% begin %>", "SyntaxError", "`begin` is not supported in templates"),
        ("<% require 'net/http' %>", "SyntaxError", 'require "net/http" is not supported in templates'),
        ("<%= 1 + 'a' %>", "TypeError", "+ cannot be used with a number and a text"),
        ("<%= 3 * 'a' %>", "TypeError", "* cannot be used with a number and a text"),
        ("<%= 1 + true %>", "TypeError", "+ cannot be used with a number and true"),
        ("<%= true - 1 %>", "TypeError", "- cannot be used with true and a number"),
        ("<%= 1 < true %>", "TypeError", "< cannot be used with a number and true"),
        ("<%= [1] - 'a' %>", "TypeError", "- cannot be used with a list and a text"),
        ("<%= 5 & 'a' %>", "TypeError", "& cannot be used with a number and a text"),
        ("<%= 1 / 0 %>", "TypeError", "/ cannot be used with a number and a number"),
        ("<%= 'a'.split(1, 2, 3) %>", "ArgumentError", "split cannot be called like this"),
        (
            "<%= File.expand_path('~nobody-has-this-name/x') %>",
            "ArgumentError",
            "expand_path cannot be called like this",
        ),
        ("<%= File.read(5) %>", "ArgumentError", "read cannot be called like this"),
        ("<%= File.join('a', nil) %>", "ArgumentError", "join cannot be called like this"),
        ("<%= JSON.parse('{') %>", "JSON::ParserError", "unexpected token at '{'"),
        ("<% ENV['X'] = 5 %>", "TypeError", "no implicit conversion of 5 into String"),
    ],
)
def test_refusals(source: str, label: str, message: str) -> None:
    """Ruby's own failures keep Ruby's class and words; what is not supported is named (rows 9 to 12)."""
    error = _failure(source)
    assert (error.label, error.message) == (label, message)


@pytest.mark.parametrize(
    "source",
    [
        "<%= 'a' * 2000000 %>",
        "<% (1..100000).each { |i| i } %>",
        "<% (1..9999).each { |i| (1..9999).each { |j| j } } %>",
        "<% x = 'a' * 1000 %><% (1..9999).each do |i| %><%= x * 1000 %><% end %>",
        "<% x = 2 ** 64 %><% (1..99).each { |i| x = x * x } %>",
        f"<%= {'(' * 500}1{')' * 500} %>",
        f"<%= {'!' * 500}true %>",
        f"<%= {'[' * 500} %>",
        "<%= " + '"#{' * 100 + " %>",
        f"<%= {'- ' * 100000}1 %>",
        f"<%= x{'.to_s' * 5000} %>",
        f"<% x = ''{'.to_s' * 5000} %>",
        "<% x = [1]; (1..60).each { x = x + x } %>",
    ],
    ids=range(13),
)
def test_limits(source: str) -> None:
    """No template takes the evaluator's time, memory or stack: it ends in an error of our own."""
    error = _failure(source)
    assert len(error.message) < 200


def test_long_chains_are_no_nesting() -> None:
    """Operators in a row do not deepen anything."""
    assert _rendered(f"<%= {' + '.join('1' * 5000)} %>") == "5000"
