"""Commands of Ruby's bundler, for projects that also have Kamal in their Gemfile (spec/cli.md 18.3)."""

from __future__ import annotations

from pykamal.commands.command import Command, command


def add_kamal() -> Command:
    return command("bundle", "add", "kamal")


def make_binstub() -> Command:
    """Make `bin/kamal`."""
    return command("bundle", "binstubs", "kamal")
