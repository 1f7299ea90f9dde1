"""Routes, TLS and protections that a proxy would refuse are refused before the boot (spec/proxy.md 3.3, 5, 7.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pykamal.config.models import Accessory, Config, Proxy, Role, Ssl
from pykamal.config.models.extension import Extension
from pykamal.config.models.proxy_extension import ProxyEngine, ProxyExtension
from pykamal.core.errors import KamalError
from pykamal.operations.hosts.facts import Container, HostFacts
from pykamal.operations.hosts.proxy_facts import ProxyFacts, ProxyService
from pykamal.operations.proxy.conflicts import refuse_conflicts
from tests.unit.samples import config, context, role

pytestmark = pytest.mark.unit

HOST = "10.0.0.1"
PROXY = Container("kamal-proxy", "running", "basecamp/kamal-proxy:v0.9.2")
BLOG = Container("blog-web-1", "running", "blog:1", "blog", "web", identifier="b1")


def web(**settings: Any) -> Role:
    return replace(role("web", HOST), proxy=Proxy(**settings))


def service(name: str = "blog-web", *hosts: str, **more: Any) -> ProxyService:
    return ProxyService(name, hosts=hosts or ("",), targets=("b1:80",), **more)


def facts(*services: ProxyService, proxy: Container = PROXY) -> HostFacts:
    return HostFacts(HOST, (BLOG, proxy), proxy_facts=ProxyFacts(services))


def refused(
    configuration: Config, *services: ProxyService, accessories: Sequence[Accessory] = (), roles: bool = True
) -> KamalError | None:
    known = {HOST: facts(*services)}
    try:
        refuse_conflicts(context(configuration), known, accessories=accessories, roles=roles)
    except KamalError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("settings", "there", "message"),
    [
        ({}, service(), "app-web cannot have every host name at /: blog-web (service blog, role web) has it"),
        (
            {"hosts": ("b.example", "A.Example.")},
            service("blog-web", "a.example"),
            "app-web cannot have a.example at /: blog-web (service blog, role web) has it",
        ),
        (
            {"hosts": ("a.example",), "path_prefixes": ("x", "/api/")},
            service("blog-web", "a.example", paths=("/api",)),
            "app-web cannot have a.example at /api: blog-web (service blog, role web) has it",
        ),
        (
            {},
            ProxyService("old-web", targets=("gone:80",)),
            "app-web cannot have every host name at /: old-web (its container is gone) has it",
        ),
    ],
)
def test_a_host_and_path_that_another_service_has(settings: Any, there: ProxyService, message: str) -> None:
    """The other one is named, and whose it is; so are the settings that end the conflict."""
    error = refused(config(web(**settings)), there)
    assert error is not None
    assert (error.message, error.host, error.identifiers) == (message, HOST, ("route-taken",))
    assert "proxy/host" in (error.hint or "")
    assert "path_prefix" in (error.hint or "")


def test_a_name_that_another_service_has() -> None:
    """`app` at destination `web` and `app-web` without one have the same name in the proxy, and different routes."""
    others = Container("app-web-1", "running", "app:1", "app-web", "web", identifier="o1")
    known = {
        HOST: HostFacts(
            HOST, (others, PROXY), proxy_facts=ProxyFacts((replace(service("app-web"), targets=("o1:80",)),))
        )
    }
    configuration = config(web(hosts=("new.example",)))
    with pytest.raises(
        KamalError, match=r"another service of the name app-web \(service app-web, role web\)"
    ) as refusal:
        refuse_conflicts(context(configuration), known)
    assert refusal.value.identifiers == ("proxy-name-taken",)
    own = replace(others, service="app")
    refuse_conflicts(context(configuration), {HOST: replace(known[HOST], containers=(own, PROXY))})


@pytest.mark.parametrize(
    ("settings", "there"),
    [
        ({}, service("blog-web", "a.example")),
        ({"hosts": ("a.example",)}, service()),
        ({"hosts": ("a.example",)}, service("blog-web", "*.example")),
        ({"hosts": ("a.example",), "path_prefixes": ("/api",)}, service("blog-web", "a.example", paths=("/", "/apix"))),
        ({}, ProxyService("app-web", targets=("gone:80",))),
    ],
)
def test_what_two_services_can_share(settings: Any, there: ProxyService) -> None:
    """spec/proxy.md 5: exact, wildcard and default never conflict; a service replaces its own routes."""
    assert refused(config(web(**settings)), there) is None


def test_two_roles_of_one_deploy_yml() -> None:
    """On one host the second would be refused; on hosts of their own they do not meet."""
    api = replace(role("api", HOST), proxy=Proxy())
    error = refused(config(web(), api))
    assert error is not None
    assert "app-web of this deploy.yml" in error.message or "app-api of this deploy.yml" in error.message
    assert refused(config(web(), replace(role("api", "10.0.0.2"), proxy=Proxy()))) is None


def test_an_accessory_behind_the_proxy() -> None:
    """Its setting is named; where accessories alone are booted, the roles are not looked at."""
    admin = Accessory("admin", "app-admin", "admin:1", (HOST,), proxy=Proxy(hosts=("a.example",)))
    configuration = config(web(), accessories=(admin,))
    error = refused(
        configuration, service("blog-web", "a.example"), service("shop-web"), accessories=[admin], roles=False
    )
    assert error is not None
    assert error.message.startswith("app-admin cannot have a.example at /")
    assert "accessories/admin/proxy" in (error.hint or "")
    assert refused(configuration, service("blog-web", "a.example")) is None, "it is not booted"


def test_every_host_is_told() -> None:
    """One error names all of them."""
    both = replace(role("web", HOST, "10.0.0.2"), proxy=Proxy())
    known = {host: replace(facts(service()), host=host) for host in (HOST, "10.0.0.2")}
    with pytest.raises(KamalError) as caught:
        refuse_conflicts(context(config(both)), known)
    assert [each.location.host for each in caught.value.diagnostics] == [HOST, "10.0.0.2"]
    assert caught.value.details == (
        "10.0.0.2: app-web cannot have every host name at /: blog-web (service blog, role web) has it",
    )


# -- TLS

BELOW = {"hosts": ("a.example",), "path_prefixes": ("/api",), "ssl": Ssl()}


@pytest.mark.parametrize(
    ("there", "root"),
    [
        ((), "no service answers / of a.example, and only that one can have ssl"),
        ((service("blog-web", "a.example", tls=True),), "blog-web answers / of a.example and has ssl for all of it"),
        (
            (service("blog-web", "a.example"),),
            "blog-web answers / of a.example and would have to have ssl for all of it",
        ),
    ],
)
def test_tls_below_a_path(there: Sequence[ProxyService], root: str) -> None:
    """spec/proxy.md 7.2: it has the TLS of the service at / of its host, which is named."""
    error = refused(config(web(**BELOW)), *there)
    assert error is not None
    assert error.message == f"app-web cannot set up TLS below /api: {root}"
    assert "proxy: leave proxy/ssl out here" in (error.hint or "")
    assert refused(config(web(**{**BELOW, "ssl": None})), *there) is None
    assert refused(config(web(**{**BELOW, "path_prefixes": ("/api", "/")}))) is None


def test_a_certificate_for_a_wildcard() -> None:
    """spec/proxy.md 3.3: one's own, for none is issued."""
    error = refused(config(web(hosts=("*.example",), ssl=Ssl())))
    assert error is not None
    assert "cannot get a certificate for *.example" in error.message
    assert refused(config(web(hosts=("*.example",), ssl=Ssl("CERTIFICATE", "KEY")))) is None


# -- protections


@pytest.mark.parametrize(
    ("image", "fits"),
    [
        ("basecamp/kamal-proxy:v0.9.2", False),
        ("ghcr.io/basecamp/kamal-proxy:v0.9.9", False),
        ("pykamal/kamal-proxy:v0.9.2", True),
        ("ghcr.io/acme/proxy:v0.9.2", True),
        ("basecamp/kamal-proxy:v0.9.0", True),  # which this command may replace before it boots
    ],
)
def test_protections_of_a_proxy_that_knows_none(image: str, fits: bool) -> None:
    """The upstream's proxy refuses their flags: a reboot is needed first, which is said."""
    protected = ProxyExtension(engine=ProxyEngine.PYKAMAL, settings={"deny": ("10.0.0.0/8",)})
    configuration = config(web(), extension=Extension(proxy=protected))
    known = {HOST: facts(proxy=replace(PROXY, image=image))}
    if fits:
        refuse_conflicts(context(configuration), known)
        return
    with pytest.raises(KamalError, match="cannot protect an app") as caught:
        refuse_conflicts(context(configuration), known)
    assert "kamal proxy reboot" in (caught.value.hint or "")
