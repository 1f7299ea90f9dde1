"""Rendering in a small world of memory, for the tests of the template language."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import yaml

from pykamal.erb.budget import Budget, Limits
from pykamal.erb.builtins import Extensions
from pykamal.erb.errors import TemplateError
from pykamal.erb.rendered import Rendered
from pykamal.erb.template import Session, render
from tests.config_world import World
from tests.erb_table import ENVIRONMENT, FILES, SHELL

Environment = Mapping[str, str]


def session(limits: Limits | None = None, environment: Environment = ENVIRONMENT) -> Session:
    world = World(files=dict(FILES), shell=dict(SHELL))
    extensions = Extensions(parse_yaml=yaml.safe_load, values={"Tool::VERSION": "1.0"})
    return Session(dict(environment), world, extensions, Budget(limits))


def rendered(source: str) -> str:
    return whole(source).text


def whole(source: str, limits: Limits | None = None, environment: Environment = ENVIRONMENT) -> Rendered:
    return render("deploy.yml", source, session(limits, environment))


def failure(source: str, limits: Limits | None = None, environment: Environment = ENVIRONMENT) -> TemplateError:
    """The error that the template ends in."""
    with pytest.raises(TemplateError) as caught:
        whole(source, limits, environment)
    return caught.value
