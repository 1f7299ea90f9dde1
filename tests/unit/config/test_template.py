"""Templates: the Ruby that people write in deploy.yml, evaluated without Ruby (spec/config.md 1.3).

The results in the tables are what Ruby Kamal 2.11.0 renders; the parity suite compares them again.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pykamal.config.template import render
from pykamal.core.errors import ConfigurationError
from tests.config_catalogue import changed
from tests.config_template_table import ENVIRONMENT, EXPRESSIONS, FILES, SHELL, TRIMMED
from tests.config_world import World, loaded, refused

pytestmark = pytest.mark.unit


def _rendered(source: str, **environment: str) -> str:
    world = World(files=dict(FILES), shell=dict(SHELL))
    return render("deploy.yml", source, environment or dict(ENVIRONMENT), world).text


def _failure(source: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
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


def test_refusal_shows_the_place_and_the_way_out() -> None:
    """A refusal names line and column, quotes the line and says what to write instead."""
    error = _failure("a: 1\nb: <%= `echo hi`.foo_bar %>\n")
    assert str(error.problems[0].position) == "deploy.yml:2:18"
    assert error.problems[0].quoted_line == "b: <%= `echo hi`.foo_bar %>\n                 ^"
    assert error.hint is not None
    assert "environment variable" in error.hint


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


def test_what_a_template_loads_is_handed_on() -> None:
    """Variables from dotenv files reach later tags and, through the configuration, secrets and child processes."""
    world = World(files={".env": "IMAGE=acme/app\nHOME=/elsewhere\n"}, environment={"HOME": "/root"})
    text = (
        '<% require "dotenv"; Dotenv.load(".env", ".env.missing") %>\n'
        "service: app\n"
        'image: <%= ENV["IMAGE"] %>\n'
        "registry: {username: u, password: p}\n"
        "builder: {arch: amd64}\n"
        "servers: [1.1.1.1]\n"
    )
    config = loaded(text, world=world)
    assert config.image == "acme/app"
    assert dict(config.loaded_environment) == {"IMAGE": "acme/app"}


def test_destination_is_a_variable() -> None:
    """KAMAL_DESTINATION is the -d value, or absent, whatever the environment says (spec/config.md 1.1)."""
    text = 'service: <%= ENV.fetch("KAMAL_DESTINATION", "none") %>\nimage: i\nregistry: {username: u, password: p}\n'
    text += "builder: {arch: amd64}\nservers: [h]\n"
    world = World(files={"config/deploy.staging.yml": "{}"}, environment={"KAMAL_DESTINATION": "production"})
    assert loaded(text, destination="staging", world=world).service == "staging"
    assert loaded(text, world=world).service == "none"


def test_problems_point_into_the_template() -> None:
    """Line and column of a problem are those of the file as written, not of the rendered text."""
    text = '<% %w[a b c].each do |name| -%>\nx-<%= name %>: 1\n<% end -%>\nimage: <%= "" %>\nfoo: 1\n'
    positions = {problem.message: str(problem.position) for problem in refused(text).problems}
    assert positions["unknown key: foo"] == "config/deploy.yml:5:1"
    assert positions["image: should be a string"] == "config/deploy.yml:4:1"


def test_comments_of_yaml_do_not_protect_a_tag() -> None:
    """`# <%= raise %>` still runs (spec/config.md 1.3)."""
    assert refused("# <%= raise 'boom' %>\n").message == "boom"


class _Ruby(World):
    """A machine whose Ruby prints `output`; the real one is compared with in the parity suite."""

    output = ""

    def run_shell(self, line: str, environment: Mapping[str, str]) -> str:
        assert line.startswith("ruby -rerb")
        return self.output.replace("FILE", environment["KAMAL_ERB_FILE"])


def test_ruby_renders_when_it_is_asked_to() -> None:
    """KAMAL_ERB=ruby hands the file to a Ruby of this machine."""
    world = _Ruby(environment={"KAMAL_ERB": "ruby"})
    world.output = changed("image: from/ruby") + "\nFILE"
    assert loaded("<% anything %>", world=world).image == "from/ruby"


def test_failing_ruby_is_noticed() -> None:
    """Output that does not end with the file's name comes from a Ruby that failed or is not there."""
    error = refused("<% anything %>", world=_Ruby(environment={"KAMAL_ERB": "ruby"}))
    assert error.message == "Ruby could not render config/deploy.yml"
