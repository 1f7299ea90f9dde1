"""Configuration files as templates: what the loader makes of them (spec/config.md 1.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from pykamal.erb.system import CommandRefused
from tests.config_catalogue import changed
from tests.config_world import World, loaded, refused

pytestmark = pytest.mark.unit


def test_refusal_shows_the_place_and_the_way_out() -> None:
    """A refusal names line and column, quotes the line and says what to write instead."""
    error = refused("a: 1\nb: <%= 'hi'.unpack1('a') %>\n")
    assert str(error.diagnostics[0].location.position) == "config/deploy.yml:2:13"
    assert error.diagnostics[0].location.quote == "b: <%= 'hi'.unpack1('a') %>\n            ^"
    assert error.hint is not None
    assert "environment variable" in error.hint


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
    positions = {problem.message: str(problem.location.position) for problem in refused(text).diagnostics}
    assert positions["unknown key: foo"] == "config/deploy.yml:5:1"
    assert positions["image: should be a string"] == "config/deploy.yml:4:1"


class _Ruby(World):
    """A machine whose Ruby prints `output`; the real one is compared with in the parity suite."""

    output = ""

    def run_shell(self, line: str, environment: Mapping[str, str]) -> str:
        assert line.startswith("ruby -rerb")
        return self.output.replace("FILE", environment["ERB_FILE"])


def test_ruby_renders_when_it_is_asked_to() -> None:
    """KAMAL_ERB=ruby hands the file to a Ruby of this machine."""
    world = _Ruby(environment={"KAMAL_ERB": "ruby"})
    world.output = changed("image: from/ruby") + "\nFILE"
    assert loaded("<% anything %>", world=world).image == "from/ruby"


def test_failing_ruby_is_noticed() -> None:
    """Output that does not end with the file's name comes from a Ruby that failed or is not there."""
    error = refused("<% anything %>", world=_Ruby(environment={"KAMAL_ERB": "ruby"}))
    assert error.message == "Ruby could not render config/deploy.yml"


_BODY = changed("x-a: 1")


@pytest.mark.parametrize(
    ("comment", "warnings"),
    [
        ("# <%= nope %>", ["undefined local variable or method `nope' for main"]),
        ("# <%= Rails.application.credentials.x %>", ["uninitialized constant Rails"]),
        ("# <%= File.read('nope') %>", ["No such file or directory @ rb_sysopen - nope"]),
        ("# <%= raise 'boom' %>", ["boom"]),
        ("# <%= foo bar( %>", ["unexpected the end of the tag"]),
        ("# <% class Foo; end %>", ["`class` is not supported in templates"]),
        ("#   - <%= eval('1') %> and <%= nope %>", ["`eval` is not", "undefined local variable"]),
        ("x-b: 1 # <%= nope %>", ["undefined local variable"]),
        ("# <% nope.each do |x| %>\n#  - <%= x %>\n# <% end %>", ["undefined local variable"]),
        ("#   RUBY: <%= ENV['NO'] || \"#{RUBY_ENGINE}-#{RUBY_ENGINE_VERSION}\" %>", []),
        ("# <%= RUBY_PLATFORM %>", []),
        ("# <%= 1 + 1 %>", []),
    ],
)
def test_tags_in_comments_warn_at_most(comment: str, warnings: list[str]) -> None:
    """A file's comments are full of examples: what fails in one is left out, and told with its place."""
    config = loaded(f"{comment}\n{_BODY}")
    assert len(config.warnings) == len(warnings)
    for warning, words in zip(config.warnings, warnings, strict=True):
        assert str(warning).startswith("config/deploy.yml:1:")
        assert words in warning.message


def test_tags_in_comments_are_evaluated() -> None:
    """Assignments of a comment's tag count for later tags, as in Ruby; and `rescue` inside it works."""
    comment = '# <% @image = "from/comment" %> <% begin; nope; rescue NameError; @tag = "t"; end %>\n'
    config = loaded(comment + changed('image: "<%= @image %>-<%= @tag %>"'))
    assert config.image == "from/comment-t"
    assert config.warnings == ()


@pytest.mark.parametrize(
    "text",
    [
        'x-t: "# <%= nope %>"\n',
        "x-t: |\n  # <%= nope %>\n",
        "x-t: >-\n  text\n  # <%= nope %>\n",
        "x-t: 'a\n  # <%= nope %>'\n",
        'x-t: {"# <%= nope %>": 1}\n',
    ],
)
def test_what_only_looks_like_a_comment_is_none(text: str) -> None:
    """Inside a text of YAML a `#` starts no comment: the failure ends the loading."""
    error = refused(text + _BODY)
    assert error.message == "undefined local variable or method `nope' for main"
    assert error.diagnostics[0].location.position is not None


def test_budgets_count_in_comments_too() -> None:
    """A comment cannot take the time that the rest of the file is not given."""
    message = refused(f"# <% loop {{ }} %>\n{_BODY}").message
    assert re.fullmatch("the template takes (more than 200,000 steps|longer than 5 seconds)", message)


def test_files_of_one_run_share_instance_variables() -> None:
    """The destination's file sees variables that deploy.yml sets (spec/config.md 1.3: one main object)."""
    world = World(files={"config/deploy.staging.yml": "image: <%= @name %>\n"})
    assert loaded(f"<% @name = 'from/base' %>\n{_BODY}", destination="staging", world=world).image == "from/base"


def test_what_a_template_prints_is_told_beside_the_output() -> None:
    """`puts` in deploy.yml does not get into what a command prints."""
    assert [str(each) for each in loaded(f"<% puts 'looking up', 2 %>\n{_BODY}").warnings] == [
        "config/deploy.yml printed: looking up",
        "config/deploy.yml printed: 2",
    ]


def test_texts_that_a_template_made_are_parsed() -> None:
    """YAML.load takes texts that were put together and changed in place; libyaml wants exactly Python's own class."""
    text = '<% made = "image: "; made << "acme" + "/app" %>\nservice: <%= YAML.load(made)["image"].sub("/", "-") %>\n'
    text += "image: i\nregistry: {username: u, password: p}\nbuilder: {arch: amd64}\nservers: [h]\n"
    assert loaded(text).service == "acme-app"


def test_kamals_own_constants() -> None:
    """The version is that of the Ruby Kamal that this tool is compatible with."""
    world = World(shell={"docker info --format '{{.Architecture}}'": "aarch64\n"})
    text = changed('image: "<%= Kamal::VERSION %>-<%= Kamal::Utils.docker_arch %>"')
    assert loaded(text, world=world).image == "2.12.0-arm64"


def test_ruby_version_is_that_of_the_project() -> None:
    """No Ruby runs here: the version is the one that .ruby-version or .tool-versions asks for, else an error."""
    text = changed('image: "<%= RUBY_VERSION %>"')
    assert loaded(text, world=World(files={".ruby-version": "ruby-3.3.1\n"})).image == "3.3.1"
    assert loaded(text, world=World(files={".tool-versions": "node 20\nruby 3.2.0\n"})).image == "3.2.0"
    assert "no Ruby runs here" in refused(text).message


class _Safe(World):
    """A machine that runs nothing."""

    def run_shell(self, line: str, environment: Mapping[str, str]) -> str:
        raise CommandRefused(line)

    def parse_dotenv(self, text: str, environment: Mapping[str, str], file: str) -> Mapping[str, str]:
        raise CommandRefused("from a dotenv file")


@pytest.mark.parametrize(
    ("expression", "line", "place"),
    [
        ("`touch canary`", "touch canary", "`touch"),
        ("%x(touch #{1 + 1})", "touch 2", "%x"),
        ('system("touch canary")', "touch canary", "system"),
        ('system("touch", "a b")', "touch a\\ b", "system"),
        ("(`touch canary` rescue 'hidden')", "touch canary", "`touch"),
        ("begin; `touch canary`; rescue Exception; ensure; 1; end", "touch canary", "`touch"),
        ("[1].map { `touch canary` }", "touch canary", "`touch"),
        ("ERB.new('<' + '%= `touch canary` %' + '>').result", "touch canary", "result"),
        ("Dotenv.load('.env')", "from a dotenv file", "load"),
        ("Kamal::Utils.docker_arch", "docker info --format '{{.Architecture}}'", "docker_arch"),
    ],
)
def test_a_system_that_runs_nothing_names_the_expression(expression: str, line: str, place: str) -> None:
    """Each way to run something is refused with its place and the line that was not run, and no `rescue` hides it."""
    error = refused(f"# a\nx: <%= {expression} %>\n", world=_Safe(files={".env": "A=$(touch canary)"}))
    assert error.message == f"`{line}` is not run here"
    assert str(error.diagnostics[0].location.position) == f"config/deploy.yml:2:{8 + expression.index(place)}"


def test_a_comment_runs_nothing_either() -> None:
    """A command in a comment's tag is not run, and a warning reports it."""
    (warning,) = loaded(f"# <%= `touch canary` %>\n{_BODY}", world=_Safe()).warnings
    assert str(warning).startswith("config/deploy.yml:1:7: `touch canary` is not run here")
