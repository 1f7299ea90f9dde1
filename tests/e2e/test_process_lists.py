"""Process lists of the operator's machine and of the servers: no secret is in the arguments of any program.

What is watched is `/proc` of this machine, in which the processes of the servers and their containers are too.
"""

from __future__ import annotations

import base64
import subprocess

import pytest

from tests.e2e.application import KAMAL, Application
from tests.e2e.process_lists import process_watch
from tests.e2e.terminal import terminal

pytestmark = pytest.mark.e2e

TOKEN, BUILD_SECRET, BUILD_ARGUMENT = "hush-token-3141", "hush-build-2718", "hush-argument-1618"
VALUE, TYPED = "hush-value-1414", "hush-typed-1732"
HUSHED = "hush-"
TWO_LINES = "two\\nlines"
"""The form in which containers get a line break (spec/config.md 18.7)."""
ODD = f'{VALUE} = it\'s "x" $HOME `id` #1 '


def print_variable(*names: str) -> tuple[str, ...]:
    """Words that print variables and then stay for long enough to be looked at."""
    wanted = ", ".join(f"os.environ.get({name!r})" for name in names)
    return ("--", "python3", "-c", f"import os, time; print([{wanted}], flush=True); time.sleep(0.3)")


@pytest.fixture
def careful(application: Application) -> Application:
    """The application with secrets in every place that takes one, and with an accessory."""
    server = application.sandbox.manifest.registry_server
    settings = application.settings()
    secrets = application.folder / ".kamal" / "secrets"
    secrets.write_text(f"{secrets.read_text()}TOKEN={TOKEN}\nBUILD_SECRET={BUILD_SECRET}\n")
    application.configure(
        env={"secret": ["TOKEN"], "clear": {"CLEAR": "from deploy.yml"}},
        builder={
            **settings["builder"],
            "args": {**settings["builder"].get("args", {}), "BUILD_ARGUMENT": BUILD_ARGUMENT},
            "secrets": ["BUILD_SECRET"],
        },
        accessories={
            "jobs": {
                "image": f"{server}/sandbox/python:3.11",
                "host": application.hosts[0].address,
                "cmd": "sleep 9999",
                "options": {"init": True},
                "env": {"secret": ["TOKEN"]},
            }
        },
    )
    application.commit("with secrets")
    return application


def hidden(application: Application) -> list[str]:
    """Return the values that must not be seen: the generated secrets, the registry's password, both in base64."""
    manifest = application.sandbox.manifest
    login = f"{manifest.registry_username}:{manifest.registry_password}"
    return [HUSHED, manifest.registry_password, *(base64.b64encode(text.encode()).decode() for text in (login, TOKEN))]


def test_no_secret_is_in_a_process_list(careful: Application) -> None:
    """During setup with a build, logins, an accessory and every form of exec; values of `--env` arrive all the same."""
    with process_watch(hidden(careful), sources=[KAMAL]) as watch:  # which hides values itself, once it has begun
        careful.kamal("setup")
        careful.kamal("registry", "login")
        careful.kamal("accessory", "reboot", "jobs")
        careful.kamal("accessory", "exec", "jobs", "sleep 0.3")
        printed = print_variable("ODD", "OTHER", "CLEAR", "my.name", "TOKEN")
        variables = ("-e", f"ODD:{ODD}", "OTHER:two\nlines", "CLEAR:from the line", "my.name:dotted", f"PATH:{PATH}")
        for how in ((), ("--reuse",)):
            seen = careful.kamal("app", "exec", "--raw", "-p", *how, *variables, *printed).stdout
            assert seen == f"{[ODD, TWO_LINES, 'from the line', 'dotted', TOKEN]}\n"
        for how in ((), ("--reuse",)):
            typed = ("-e", f"TYPED:{TYPED}", "CLEAR:typed", *print_variable("TYPED", "CLEAR"))
            with terminal(
                str(KAMAL), "app", "exec", "-i", *how, *typed, folder=careful.folder, environment=careful.environment
            ) as window:
                window.expect(rf"\['{TYPED}', 'typed'\]")
                assert window.wait() == 0
    assert sorted(watch.seen) == []
    for program in ("docker buildx", "docker login", "docker run", "docker exec", "ssh -"):
        assert any(program in seen for seen in watch.programs), f"{program} was not noticed at all"
    assert careful.hosts[0].run(["find", "/root/.kamal", "-name", "exec-*"]) == ""
    assert VALUE not in careful.kamal("audit").text


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def test_a_secret_in_arguments_would_be_seen(careful: Application) -> None:
    """A planted hole on this machine and one on a server: both are found."""
    with process_watch([HUSHED]) as watch:
        subprocess.run(["sh", "-c", f"sleep 0.2 # {TOKEN}"], check=True)
        careful.hosts[0].run(["sh", "-c", f"sleep 0.2 # {VALUE}"])
    assert {secret for secret in (TOKEN, VALUE) if any(secret in line for line in watch.seen)} == {TOKEN, VALUE}
