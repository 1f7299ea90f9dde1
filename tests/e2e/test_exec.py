"""Command lines of the user's own, and values that look like some, on real servers (spec/cli.md 14.1, 14.4, 14.8)."""

from __future__ import annotations

import pytest

from tests.e2e.application import Application

pytestmark = pytest.mark.e2e

HOSTILE = {
    "COMMAND": "$(touch /tmp/run-by-a-value) `touch /tmp/run-by-a-value`; touch /tmp/run-by-a-value",
    "DEFAULT": "${nothing:-$(touch /tmp/run-by-a-value)}",
    "QUOTES": 'it\'s "quoted" \\ and * ? [a-z] {1..3} ~ # ! $HOME',
    "HOST_HOME": "${HOME}",
}
"""Values of env, as they are to arrive in the container but for the last, which the host completes."""

ARGUMENTS = "import sys; print(sys.argv)"

EXEC = [
    # what bash alone understands, as the login's shell is bash
    (("server", "exec", "--raw", "-p", "[[ 1 = 1 ]] && echo {1..3} $(cat <(echo x))"), "1 2 3 x\n"),
    (("server", "exec", "--raw", "-p", "set -o pipefail; false | true || echo failed"), "failed\n"),
    (("server", "exec", "--raw", "-p", "echo out &> /tmp/out-of-exec; cat /tmp/out-of-exec"), "out\n"),
    (("app", "exec", "--raw", "-p", "--reuse", "cat /etc/hostname | cat - <(echo x) | tail -n 1"), "x\n"),
    (("app", "exec", "--raw", "-p", "--reuse", "echo {a,b} | tr a-z A-Z"), "A B\n"),
    (("accessory", "exec", "jobs", "--raw", "--reuse", "echo $(( 6 * 7 )) {a,b}"), "42 a b\n"),
    # words behind two dashes
    (("app", "exec", "--raw", "-p", "--reuse", "--", "python3", "-c", "print('a  b', 6 * 7)"), "a  b 42\n"),
    (("app", "exec", "--raw", "-p", "--", "python3", "-c", ARGUMENTS, "$HOME", "*"), "['-c', '$HOME', '*']\n"),
    (("server", "exec", "--raw", "-p", "--", "printf", "%s|", "a b", "$HOME", "-c"), "a b|$HOME|-c|"),
]


def test_what_runs_is_what_the_user_wrote(deployed: Application) -> None:
    """The login's shell reads the lines of exec; of values nothing is run, on any way to a container."""
    host = deployed.hosts[0]
    image = f"{deployed.sandbox.manifest.registry_server}/sandbox/python:3.11"
    deployed.configure(
        env={"clear": HOSTILE},
        labels={"rule": "Host(`a.com`) && $(touch /tmp/run-by-a-value)"},
        accessories={"jobs": {"image": image, "host": host.address, "cmd": "sleep 9999"}},
    )
    deployed.kamal("deploy", "--skip-push")
    deployed.kamal("accessory", "boot", "jobs")
    for arguments, printed in EXEC:
        assert deployed.kamal(*arguments).stdout == printed, arguments

    read = "import os; print([os.environ[name] for name in ('COMMAND', 'DEFAULT', 'QUOTES', 'HOST_HOME')])"
    for reuse in ((), ("--reuse",)):
        seen = deployed.kamal("app", "exec", "--raw", "-p", *reuse, "--", "python3", "-c", read)
        assert seen.stdout == f"{[*list(HOSTILE.values())[:3], '/root']}\n"
    assert "No such file" in deployed.kamal("server", "exec", "ls /tmp/run-by-a-value", expect=1).text
    container = host.docker("ps", "--quiet", "--filter", "label=role=web").split()[0]
    label = host.docker("inspect", "--format", '{{index .Config.Labels "rule"}}', container)
    assert label.strip() == "Host(`a.com`) && $(touch /tmp/run-by-a-value)"


def test_a_syntax_error_is_the_one_of_the_line_that_has_it(deployed: Application) -> None:
    """The audit line before it is written, the shell's words are those of the user's line, and it is named."""
    for arguments in (("server", "exec", "-p", 'echo "open'), ("app", "exec", "-p", "--reuse", 'echo "open')):
        outcome = deployed.kamal(*arguments, expect=1)
        assert "unexpected EOF while looking for matching" in outcome.text
        assert "audit" not in outcome.text
        assert "printf" not in outcome.text
    assert "Executed cmd 'echo \"open' on" in deployed.kamal("audit", "-p").text


def test_an_option_that_was_meant_for_the_command(deployed: Application) -> None:
    """It is said how to write it: with the error that the option leads to, or beforehand where it stands amid words."""
    advice = "kamal app exec --reuse -- python3 -c 'print(1)'"
    outcome = deployed.kamal("app", "exec", "--reuse", "python3", "-c", "print(1)", expect=1)
    assert "Configuration file not found" in outcome.text
    assert advice in outcome.text
    amid = deployed.kamal("app", "exec", "--reuse", "--raw", "tail", "-p", "/etc/hostname")
    assert "-p was read as an option of kamal" in amid.stderr
    assert "app exec --reuse --raw -- tail -p /etc/hostname" in amid.stderr


LOGINS = {
    "details": 1,
    "lock status": 1,
    "app logs": 1,
    "server exec date": 1,
    "app exec --reuse date": 1,
}


def test_scripts_that_follow_each_other_share_a_login_shell(deployed: Application) -> None:
    """Start-up files of a login may be slow: a host reads them once for each script that runs at the same time.

    A deploy takes the lock while facts are read, which is a second script unless one of the two ends first.
    """
    host = deployed.hosts[0]
    deployed.kamal("deploy", "--skip-push")
    host.write("/root/.bashrc", "echo read >> /root/logins\n")
    counted = {}
    try:
        for command in (*LOGINS, "deploy --skip-push"):
            host.write("/root/logins", "")
            deployed.kamal(*command.split())
            counted[command] = host.read("/root/logins").count("read")
    finally:
        host.run(["rm", "/root/.bashrc", "/root/logins"])
    assert counted.pop("deploy --skip-push") in (1, 2)
    assert counted == LOGINS
