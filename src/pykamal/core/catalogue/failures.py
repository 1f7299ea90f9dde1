"""The identifiers of failed commands, as errors, `--output json` and run logs carry them."""

from __future__ import annotations

from typing import Final

from pykamal.core.diagnostics import Rule

CONFIGURATION_INVALID: Final = Rule(
    "configuration-invalid",
    "The configuration cannot be used",
    "This is the identifier of the command's failure. Each thing that is wrong has an identifier of its own.",
    "Look at the diagnostics; `kamal config validate` lists them all.",
    "ERROR (Kamal::ConfigurationError): unknown key: volums",
)

USAGE: Final = Rule(
    "usage",
    "The command line is not understood",
    "A command, an option or an argument is unknown, missing or one too many. Nothing was done. The exit code is 2.",
    "`kamal COMMAND --help` shows what the command takes.",
    'Could not find command "deplyo".',
)

NOTHING_SELECTED: Final = Rule(
    "nothing-selected",
    "No host or role matches",
    "`--hosts` or `--roles` selects nothing of the configuration.",
    "Correct the option. Both take several values with commas between, and `*` as a wildcard.",
    "No --roles match for worker",
)

DEPENDENCY_MISSING: Final = Rule(
    "dependency-missing",
    "A program is missing on this machine",
    "The command needs a program here, such as Docker with buildx or the client of a secret manager, and it is not "
    "installed or does not run.",
    "Install the program, or start it, and run the command again.",
    "Docker is not installed locally",
)

UNSAFE_DIRECTORY: Final = Rule(
    "unsafe-directory",
    "A directory of this machine is not safe",
    "Another user could change what is in the directory, and with it what a deploy does.",
    "Make the directory yours, with permissions that let nobody else write, or remove it.",
    "/run/user/1000/kamal belongs to another user",
)

CONNECTION_FAILED: Final = Rule(
    "connection-failed",
    "A connection to a host failed",
    "The host was reached and the SSH session did not come about.",
    "Try `ssh USER@HOST` with the same settings; the evidence names the step that failed.",
    "Connection lost",
)

HOST_UNREACHABLE: Final = Rule(
    "host-unreachable",
    "A host cannot be reached",
    "The name is unknown, nothing listens on the port, no route leads there, or the host does not answer in time.",
    "Check name, port and firewall, and `ssh/proxy` where a jump host is needed.",
    "Connection refused - connect(2) for 192.0.2.1:22",
)

AUTHENTICATION_REFUSED: Final = Rule(
    "authentication-refused",
    "A host refuses the login",
    "The host accepts none of the keys that were offered for the user.",
    "Add the public key to ~/.ssh/authorized_keys of the user on the host, or correct `ssh/user` and `ssh/keys`.",
    "Authentication failed for user root@192.0.2.1",
)

HOST_KEY_CHANGED: Final = Rule(
    "host-key-changed",
    "A host has another key than before",
    "The host was installed anew, or somebody stands between. No command was sent.",
    "Find out which of the two it is. Only then remove the old key with `ssh-keygen -R HOST`.",
    "fingerprint SHA256:... does not match for 192.0.2.1",
)

HOST_KEY_UNKNOWN: Final = Rule(
    "host-key-unknown",
    "The key of a host is not known",
    "`host_key_policy` is `strict` or `pinned`, and no known_hosts file has the key.",
    "Compare the fingerprint on the host, then add the key to the known_hosts file.",
    "192.0.2.1 is not in .kamal/known_hosts",
)

UNEXPECTED_ANSWER: Final = Rule(
    "unexpected-answer",
    "An answer cannot be understood",
    "A host or a program answered something else than it was asked. The evidence holds what it said.",
    "Run the command by hand. A login script that prints is a frequent cause.",
    "192.0.2.1 answered what is no version of Docker",
)

COMMAND_FAILED: Final = Rule(
    "command-failed",
    "A command failed",
    "A command on a host or on this machine had another exit status than 0.",
    "Read its output in the evidence. `-v` shows every command of the run.",
    "docker exit status: 1",
)

HOOK_FAILED: Final = Rule(
    "hook-failed",
    "A hook failed",
    "A hook in .kamal/hooks had another exit status than 0, which stops the command.",
    "Read what the hook printed. `--skip-hooks` runs none.",
    "Hook `pre-deploy` failed",
)

DEPLOY_LOCKED: Final = Rule(
    "deploy-locked",
    "Another run holds the deploy lock",
    "Only one command at a time changes the servers of a service. The evidence tells who holds the lock, since "
    "when and why.",
    "Wait for that run, or use `--lock-wait`. `kamal lock release` removes a lock that was left behind.",
    "Deploy lock found. Run 'kamal lock help' for more information",
)

BUILD_FAILED: Final = Rule(
    "build-failed",
    "The image cannot be built",
    "Git, the builder or the registry stopped the build. Nothing has changed on the servers.",
    "Read the output of the build.",
    "Build directory ./app does not exist",
)

BOOT_FAILED: Final = Rule(
    "boot-failed",
    "A container did not come up",
    "A container could not be started, or ended at once. The former container still answers.",
    "Read the container's log, which the evidence has.",
    "container app-web-1a2b3c exited with 1",
)

NEVER_HEALTHY: Final = Rule(
    "never-healthy",
    "A container never got healthy",
    "The container runs, and its health check did not succeed in time. The former container still answers.",
    "Check `proxy/app_port` and `proxy/healthcheck/path`, and read the container's log. `deploy_timeout` is the "
    "time limit.",
    "target failed to become healthy within configured timeout (30s)",
)

SANDBOX: Final = Rule(
    "sandbox",
    "A sandbox cannot be made or used",
    "The throwaway servers of `kamal sandbox` need Linux, root and Docker's engine.",
    "Follow the message. docs/sandbox.md lists what a sandbox needs.",
    "there is no sandbox named default",
)

HOSTS_FAILED: Final = Rule(
    "hosts-failed",
    "A step failed on hosts",
    "One or several hosts failed in the same step. The message has the failure of each.",
    "Begin with the first host. `--hosts` repeats a command for those that failed.",
    "Exceptions on 2 hosts: ...",
)

INTERRUPTED: Final = Rule(
    "interrupted",
    "The run was interrupted",
    "Ctrl-C or SIGTERM stopped the run. The deploy lock was given back where that was possible.",
    "`kamal details` shows what runs, `kamal lock status` whether a lock is left.",
    "Interrupted",
)

ERROR: Final = Rule(
    "error",
    "A step cannot be done",
    "The message tells what stopped the command.",
    "Do what the line that begins with Next says.",
    "ERROR (RuntimeError): ...",
)

BUG: Final = Rule(
    "bug",
    "pykamal has a bug",
    "Something happened that no code expected. The exit code is 3, and a log file has the details.",
    "Report it with the log file, which holds no secrets.",
    "ERROR (KeyError): 'web'",
)
