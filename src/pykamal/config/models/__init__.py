"""The validated configuration as frozen values; derived values are properties or small methods. No I/O."""

from pykamal.config.models.accessory import Accessory, Directory, File
from pykamal.config.models.boot import Boot, Sshkit
from pykamal.config.models.builder import BuildCache, Builder, Buildpacks
from pykamal.config.models.env import Env, SecretReference
from pykamal.config.models.extension import Extension, HostKeyPolicy
from pykamal.config.models.logging import Logging
from pykamal.config.models.plain_values import OptionValue, Scalar
from pykamal.config.models.proxy import Buffering, Healthcheck, Proxy, ProxyRun, Ssl
from pykamal.config.models.proxy_extension import ProxyEngine, ProxyExtension
from pykamal.config.models.registry import Credential, Registry
from pykamal.config.models.role import AssetPath, Role, RoleHost
from pykamal.config.models.service import Config
from pykamal.config.models.ssh import Ssh

__all__ = [
    "Accessory",
    "AssetPath",
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
    "Proxy",
    "ProxyEngine",
    "ProxyExtension",
    "ProxyRun",
    "Registry",
    "Role",
    "RoleHost",
    "Scalar",
    "SecretReference",
    "Ssh",
    "Sshkit",
    "Ssl",
]
