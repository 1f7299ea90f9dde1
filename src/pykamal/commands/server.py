"""Commands that prepare a host: its run directory and Docker (spec/cli.md 14.1)."""

from __future__ import annotations

from pykamal.commands.command import Command, command, query
from pykamal.commands.words import SingleQuoted, Syntax
from pykamal.config.models.service import Config


def count_apps() -> Command:
    """Print how many apps are installed on the host."""
    return query("ls", ".kamal/apps") | query("wc", "-l")


def remove_app_directory(config: Config) -> Command:
    return command("rm", "-r", config.app_directory).failing_allowed()


# -- Docker


def docker_version() -> Command:
    return query("docker", "-v").failing_allowed()


def use_docker() -> Command:
    """Fail where the engine does not answer, or does not answer this user."""
    return query("docker", "version", "--format", "{{.Server.Version}}").failing_allowed()


def can_administer() -> Command:
    """Succeed for root and for users who may run `usermod` through sudo without a password."""
    may_sudo = query("sudo", "-nl", "usermod").redirected(">/dev/null")
    return is_root().or_(may_sudo).failing_allowed()


def is_root() -> Command:
    return query(Syntax("["), Syntax('"${EUID:-$(id -u)}"'), "-eq", "0", Syntax("]")).failing_allowed()


def install_docker_packages() -> Command:
    """Install the distribution's own Docker. Fails without root or sudo rights, or on an unknown distribution.

    Reaches only the package mirrors that the host already uses, so it also works where the internet does not.
    """
    apt_get = command("export", "DEBIAN_FRONTEND=noninteractive").and_(
        command("apt-get", "update", "-q").and_(command("apt-get", "install", "-y", "-q", "docker.io"))
    )
    apk = command("apk", "add", "docker").and_(
        command("rc-update", "add", "docker", "default").and_(command("service", "docker", "start"))
    )
    dnf = command("dnf", "install", "-y", "moby-engine").and_(command("systemctl", "enable", "--now", "docker"))
    by_any = _where("apt-get", apt_get).or_(_where("apk", apk)).or_(_where("dnf", dnf))
    by_sudo = command("sudo", "-n", "sh", "-c", SingleQuoted(by_any))
    is_user = query(Syntax("["), Syntax('"${EUID:-$(id -u)}"'), "-ne", "0", Syntax("]"))
    as_root = is_root().and_(by_any.grouped()).grouped()
    return as_root.or_(is_user.and_(by_sudo).grouped()).failing_allowed()


def install_docker_script() -> Command:
    """Install Docker with its vendor's script."""
    url = "https://get.docker.com"
    fetch = command("curl", "-fsSL", url).or_(command("wget", "-O", "-", url)).or_(command("echo", Syntax('"exit 1"')))
    return command("sh", "-c", SingleQuoted(fetch)) | command("sh")


def unless_docker_is_installed(install: Command) -> Command:
    return query("docker", "-v").redirected("> /dev/null 2>&1").or_(install)


def in_docker_group() -> Command:
    groups = query("id", "-nG", Syntax('"${USER:-$(id -un)}"'))
    return (groups | query("grep", "-qw", "docker")).failing_allowed()


def add_to_docker_group() -> Command:
    """Let the user use Docker; in force at the next login."""
    return command("sudo", "-n", "usermod", "-aG", "docker", Syntax('"${USER:-$(id -un)}"'))


def _where(program: str, install: Command) -> Command:
    present = query("command", "-v", program).redirected("> /dev/null")
    return present.and_(install).grouped()


def start_engine() -> Command:
    """Start the engine unless it answers; waits up to 10 seconds for it."""
    root = "as_root=; [ \"$(id -u)\" -eq 0 ] || as_root='sudo -n'"
    answers = "$as_root docker version > /dev/null 2>&1"
    start = "$as_root systemctl start docker 2> /dev/null || $as_root service docker start"
    waiting = f"for attempt in 1 2 3 4 5 6 7 8 9 10; do {answers} && exit 0; sleep 1; done; exit 1"
    return command(Syntax(f"{root}; {answers} || {{ {start}; {waiting}; }}"))
