"""The life of an application on real servers."""

from __future__ import annotations

import signal

import pytest

from tests.e2e.application import KAMAL, Application, interrupt, wait_until

pytestmark = pytest.mark.e2e


def test_setup_deploy_and_rollback(application: Application) -> None:
    """spec/cli.md 13: a first deploy, a second, and back; each host serves what was asked for."""
    first = application.git("rev-parse", "HEAD")
    application.kamal("setup")
    assert [application.version_served(host) for host in application.hosts] == [first] * len(application.hosts)

    second = application.commit("second version")
    outcome = application.kamal("deploy")
    assert "Finished all in" in outcome.stdout
    for host in application.hosts:
        assert application.version_served(host) == second
        assert f"hello-web-{first}" not in application.containers(host)
        assert f"hello-web-{first}" in application.containers(host, "--all")

    application.kamal("rollback", first)
    for host in application.hosts:
        assert application.version_served(host) == first
        assert not application.locked(host)
        assert "Booted app version" in host.read("/root/.kamal/hello-audit.log")

    shown = application.kamal("app", "version").stdout
    assert shown.count(first) == len(application.hosts)


def test_rollback_to_a_version_that_is_not_there_changes_nothing(deployed: Application) -> None:
    """spec/cli.md 22, 11: it fails before anything changes and lists what can be rolled back to."""
    before = [deployed.containers(host, "--all") for host in deployed.hosts]
    outcome = deployed.kamal("rollback", "0000000", expect=1)
    assert "is not available as a container" in outcome.stdout
    assert deployed.git("rev-parse", "HEAD") in outcome.stdout
    assert [deployed.containers(host, "--all") for host in deployed.hosts] == before
    assert not any(deployed.locked(host) for host in deployed.hosts)


def test_a_version_that_never_gets_healthy(deployed: Application) -> None:
    """spec/cli.md 13.5.1: the old version keeps serving, exit code 1, the last log lines, the lock released."""
    good = deployed.git("rev-parse", "HEAD")
    (deployed.folder / "BROKEN").write_text("on purpose\n")
    deployed.configure(deploy_timeout=4)
    bad = deployed.commit("broken version")
    outcome = deployed.kamal("deploy", expect=1)
    assert "target failed to become healthy" in outcome.stdout
    assert "is a migration missing" in outcome.stdout, "the container's own words explain the failure"
    assert "proxy/healthcheck/path" in outcome.stdout, "and what to do next is said"
    for host in deployed.hosts:
        assert deployed.version_served(host) == good
        assert f"hello-web-{bad}" not in deployed.containers(host)
        assert f"hello-web-{bad}" in deployed.containers(host, "--all"), "kept for inspection"
        assert not deployed.locked(host)


def test_a_container_that_exits_at_start_is_explained(deployed: Application) -> None:
    """design.md, rule 5: what failed, where, and what to do next."""
    good = deployed.git("rev-parse", "HEAD")
    deployed.configure(deploy_timeout=4)
    (deployed.folder / "app.py").write_text("raise SystemExit('no database configured')\n")
    deployed.commit("exits")
    outcome = deployed.kamal("deploy", expect=1)
    assert "no database configured" in outcome.stdout
    assert "the app exited at start" in outcome.stdout
    assert deployed.version_served(deployed.hosts[0]) == good


def test_worker_waits_for_the_first_healthy_web(application: Application) -> None:
    """spec/cli.md 13.5.1: the barrier; a role without proxy is ready by its Docker health check."""
    first, second = application.hosts
    health = {"health-cmd": "python3 worker.py --check", "health-interval": "1s"}
    application.configure(
        servers={
            "web": {"hosts": [first.address]},
            "worker": {"hosts": [second.address], "cmd": "python3 worker.py", "options": health},
        }
    )
    version = application.commit("with a worker")
    outcome = application.kamal("setup")
    assert "Waiting for the first healthy web container before booting worker" in outcome.stdout
    assert "First web container is healthy, booting worker" in outcome.stdout
    assert f"hello-worker-{version}" in application.containers(second)

    (application.folder / "BROKEN").write_text("on purpose\n")
    application.configure(deploy_timeout=4)
    bad = application.commit("broken")
    outcome = application.kamal("deploy", expect=1)
    assert "Halted at barrier" in outcome.stdout
    assert f"hello-worker-{bad}" not in application.containers(second, "--all"), "the worker was never started"
    assert f"hello-worker-{version}" in application.containers(second)


def test_an_accessory_boots_with_its_files_directories_and_secrets(application: Application) -> None:
    """spec/cli.md 14.8."""
    host = application.hosts[0]
    (application.folder / "settings.conf").write_text("from the repository\n")
    secrets = application.folder / ".kamal" / "secrets"
    secrets.write_text(f"{secrets.read_text()}\nWORKER_TOKEN=s3cret$$\n")
    application.configure(
        accessories={
            "jobs": {
                "image": f"{application.sandbox.manifest.registry_server}/sandbox/python:3.11",
                "host": host.address,
                "cmd": "python3 -c 'import time; time.sleep(9999)'",
                "options": {"init": True},
                "env": {"clear": {"MODE": "fast"}, "secret": ["WORKER_TOKEN"]},
                "files": ["settings.conf:/etc/settings.conf"],
                "directories": ["data:/data"],
            }
        }
    )
    application.commit("with an accessory")
    application.kamal("accessory", "boot", "jobs")
    assert "hello-jobs" in application.containers(host)
    environment = host.docker("exec", "hello-jobs", "python3", "-c", "import os; print(dict(os.environ))")
    assert "'MODE': 'fast'" in environment
    assert "s3cret" in environment
    assert "from the repository" in host.docker(
        "exec", "hello-jobs", "python3", "-c", "print(open('/etc/settings.conf').read())"
    )
    assert host.run(["stat", "-c", "%a", "/root/.kamal/apps/hello/env/accessories/jobs.env"]).strip() == "600"

    again = application.kamal("accessory", "boot", "jobs").stdout
    assert "Skipping booting `jobs`" in again
    application.kamal("accessory", "remove", "jobs", "-y")
    assert "hello-jobs" not in application.containers(host, "--all")


MIGRATION = "import urllib.request; urllib.request.urlopen('http://hello-db:9000/?' + open('VERSION').read().strip())"


def test_a_first_setup_can_migrate_before_the_deploy(application: Application) -> None:
    """spec/cli.md 13.1 runs pre-deploy before network, proxy and accessories: there, its own `app exec` cannot work.

    On a first setup they are there, and so is the new version, named or as the latest one.
    """
    host = application.hosts[0]
    application.configure(
        servers=[host.address],
        accessories={
            "db": {
                "image": f"{application.sandbox.manifest.registry_server}/sandbox/python:3.11",
                "host": host.address,
                "cmd": "python3 -u -m http.server 9000",
                "options": {"init": True},
            }
        },
    )
    (application.folder / "migrate.py").write_text(f"{MIGRATION}\n")
    application.hook(
        "pre-deploy",
        f"set -e; {KAMAL} app exec -p python3 migrate.py\n"
        f"{KAMAL} app exec -p --version $KAMAL_VERSION python3 migrate.py",
    )
    version = application.commit("first")
    planned = application.kamal("setup", "--plan").stdout
    order = ["start proxy", "run db", "wait for db", "tag image", "hook pre-deploy", "start web"]
    assert sorted(order, key=planned.index) == order
    application.kamal("setup")
    log = host.run(["sh", "-c", "docker logs hello-db 2>&1"])
    assert log.count("GET /?first HTTP") == 2, "by both ways of naming the version"
    assert application.version_served(host) == version

    application.commit("second")
    lines = application.kamal("deploy", "-v").stdout.splitlines()
    hook, booted = (next(i for i, line in enumerate(lines) if text in line) for text in ("pre-deploy", "Ensure kamal"))
    assert hook < booted, "afterwards the order is Ruby Kamal's"


def test_error_pages_are_where_the_proxy_is_told_of_them(application: Application) -> None:
    """spec/cli.md 14.7, 14.8 and 14.11: whoever names the pages of a version to the proxy brings them along.

    With Ruby Kamal an accessory behind the proxy cannot start before the app was deployed, nor the app's container
    once another version's boot has removed the pages.
    """
    host = application.hosts[0].address
    application.configure(
        servers=[host],
        error_pages_path="pages",
        accessories={
            "admin": {
                "image": f"{application.sandbox.manifest.registry_server}/sandbox/python:3.11",
                "host": host,
                "cmd": "python3 -m http.server 9000",
                "options": {"init": True},
                "proxy": {"host": "admin.example.com", "app_port": 9000, "healthcheck": {"path": "/", "interval": 1}},
            }
        },
    )
    (application.folder / "pages").mkdir()
    (application.folder / "pages" / "502.html").write_text("<h1>{{ .Message }}</h1>")
    version = application.commit("with error pages")
    application.kamal("setup")
    application.kamal("app", "boot")
    application.kamal("app", "stop", "--version", version)
    application.kamal("app", "start", "--version", version)
    assert application.version_served(application.hosts[0]) is not None
    application.commit("the next one, not deployed")
    application.kamal("accessory", "restart", "admin")


def test_secrets_reach_the_container_and_nothing_else(application: Application) -> None:
    """The mission: never in a process list, a log, an error or a plan."""
    host = application.hosts[0]
    secret = "correct-horse-$battery 'staple'"
    secrets = application.folder / ".kamal" / "secrets"
    secrets.write_text(f"{secrets.read_text()}\nDATABASE_URL='{secret.replace(chr(39), '')}'\n")
    secret = secret.replace("'", "")
    application.configure(env={"clear": {"PLAIN": "yes"}, "secret": ["DATABASE_URL"]})
    application.commit("with secrets")
    shown = application.kamal("setup", "-v").text + application.kamal("deploy", "--skip-push", "--plan").text
    assert secret not in shown
    assert application.sandbox.manifest.registry_password not in shown
    name = f"hello-web-{application.git('rev-parse', 'HEAD')}"
    inside = host.docker("exec", name, "python3", "-c", "import os; print(os.environ['DATABASE_URL'])")
    assert inside.strip() == secret
    assert host.run(["stat", "-c", "%a", "/root/.kamal/apps/hello/env/roles/web.env"]).strip() == "600"


def test_a_failing_hook_stops_the_deploy_and_releases_the_lock(deployed: Application) -> None:
    """spec/cli.md 9.4."""
    good = deployed.git("rev-parse", "HEAD")
    deployed.hook("pre-deploy", "echo refused by policy >&2; exit 5")
    deployed.commit("not to be deployed")
    outcome = deployed.kamal("deploy", expect=1)
    assert "Hook `pre-deploy` failed" in outcome.stdout
    assert "exit status: 5" in outcome.stdout
    assert "refused by policy" in outcome.stdout
    assert deployed.version_served(deployed.hosts[0]) == good
    assert not deployed.locked(deployed.hosts[0])
    deployed.kamal("deploy", "--skip-hooks")
    assert deployed.version_served(deployed.hosts[0]) == deployed.git("rev-parse", "HEAD")


def test_hooks_get_their_environment(deployed: Application) -> None:
    """spec/cli.md 9.2 and 9.3: order, and what each is told."""
    record = deployed.folder / "hooks.log"
    for name in ("pre-connect", "pre-build", "pre-deploy", "pre-app-boot", "post-app-boot", "post-deploy"):
        deployed.hook(
            name,
            f'echo "{name} $KAMAL_VERSION $KAMAL_COMMAND $KAMAL_LOCK $KAMAL_PERFORMER $KAMAL_HOSTS '
            f'${{REGISTRY_PASSWORD:+secrets}} ${{KAMAL_RUNTIME:+runtime}}" >> {record}',
        )
    deployed.environment.pop("REGISTRY_PASSWORD", None)
    version = deployed.commit("with hooks")
    deployed.kamal("deploy")
    lines = [line.split() for line in record.read_text().splitlines()]
    hosts = ",".join(host.address for host in deployed.hosts)
    assert [line[0] for line in lines] == [
        *("pre-connect", "pre-build", "pre-deploy", "pre-app-boot", "post-app-boot", "post-deploy"),
    ]
    assert all(line[1:3] == [version, "deploy"] for line in lines)
    assert [line[3] for line in lines] == ["false", "false", "true", "true", "true", "false"]
    assert all(line[4:6] == ["ada@example.com", hosts] for line in lines)
    assert [line[6:] for line in lines] == [["secrets"], [], ["secrets"], [], [], ["secrets", "runtime"]]


def test_two_deploys_at_once(deployed: Application) -> None:
    """spec/cli.md 8.2: the second is told who holds the lock."""
    deployed.hook("pre-deploy", "sleep 4")
    deployed.commit("slow to deploy")
    deployed.kamal("build", "deliver")
    first = deployed.start("deploy", "--skip-push")
    wait_until(lambda: deployed.locked(deployed.hosts[0]), what="the lock")
    outcome = deployed.kamal("deploy", "--skip-push", expect=1)
    assert "Deploy lock already in place!" in outcome.stdout
    assert "Locked by: Ada at " in outcome.stdout
    assert "kamal lock release" in outcome.stdout
    output, _ = first.communicate(timeout=60)
    assert first.returncode == 0, output
    assert not deployed.locked(deployed.hosts[0])


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_deploy_takes_back_what_it_began(deployed: Application, number: int, exit_code: int) -> None:
    """Ctrl-C and SIGTERM: work ends on all hosts, the new container is stopped, the lock released (22, 6)."""
    good = deployed.git("rev-parse", "HEAD")
    (deployed.folder / "BROKEN").write_text("never healthy, so that there is a middle\n")
    bad = deployed.commit("broken")
    process = deployed.start("deploy")
    host = deployed.hosts[0]
    wait_until(lambda: f"hello-web-{bad}" in deployed.containers(host), what="the new container")
    code, output = interrupt(process, number)
    assert code == exit_code, output
    for each in deployed.hosts:
        assert not deployed.locked(each), output
        assert deployed.version_served(each) == good
        assert f"hello-web-{bad}" not in deployed.containers(each), output


def test_one_host_of_several_can_be_deployed_alone(deployed: Application) -> None:
    """spec/cli.md 2.2: `--hosts`."""
    old = deployed.git("rev-parse", "HEAD")
    new = deployed.commit("for one host")
    first, second = deployed.hosts
    deployed.kamal("deploy", "--hosts", second.address)
    assert deployed.version_served(first) == old
    assert deployed.version_served(second) == new


def test_remove_leaves_nothing_of_the_application(deployed: Application) -> None:
    """spec/cli.md 13.6."""
    deployed.kamal("remove", "-y")
    for host in deployed.hosts:
        assert deployed.containers(host, "--all") == []
        assert not host.exists("/root/.kamal/apps/hello")
        assert not host.exists("/root/.kamal/proxy")
