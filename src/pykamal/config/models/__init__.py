"""The validated configuration as frozen values; derived values are properties or small methods. No I/O."""

from pykamal.config.models.accessory import Accessory, Directory, File
from pykamal.config.models.boot import Boot, Sshkit
from pykamal.config.models.builder import BuildCache, Builder, Buildpacks
from pykamal.config.models.env import Env, SecretReference
from pykamal.config.models.extension import Extension, HostKeyPolicy
from pykamal.config.models.logging import Logging
from pykamal.config.models.proxy import Buffering, Healthcheck, Proxy, ProxyRun, Ssl
from pykamal.config.models.proxy_extension import (
    BasicAuth,
    Protection,
    ProxyEngine,
    ProxyExtension,
    ProxyLimits,
    RateLimit,
)
from pykamal.config.models.registry import Credential, Registry
from pykamal.config.models.role import AssetPath, Role, RoleHost
from pykamal.config.models.service import Config
from pykamal.config.models.ssh import Ssh
from pykamal.config.models.values import OptionValue, Scalar

__all__ = [
    "Accessory",
    "AssetPath",
    "BasicAuth",
    "Boot",
    "Buffering",
    "BuildCache",
    "Builder",
    "Buildpacks",
    "Config",
    "Credential",
    "Directory",
    "Env",
    "Extension",
    "File",
    "Healthcheck",
    "HostKeyPolicy",
    "Logging",
    "OptionValue",
    "Protection",
    "Proxy",
    "ProxyEngine",
    "ProxyExtension",
    "ProxyLimits",
    "ProxyRun",
    "RateLimit",
    "Registry",
    "Role",
    "RoleHost",
    "Scalar",
    "SecretReference",
    "Ssh",
    "Sshkit",
    "Ssl",
]
