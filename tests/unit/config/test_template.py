"""Configuration files as templates: what the loader makes of them (spec/config.md 1.3)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.config_catalogue import changed
from tests.config_world import World, loaded, refused

pytestmark = pytest.mark.unit


def test_refusal_shows_the_place_and_the_way_out() -> None:
    """A refusal names line and column, quotes the line and says what to write instead."""
    error = refused("a: 1\nb: <%= 'hi'.foo_bar %>\n")
    assert str(error.problems[0].position) == "config/deploy.yml:2:13"
    assert error.problems[0].quoted_line == "b: <%= 'hi'.foo_bar %>\n            ^"
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
