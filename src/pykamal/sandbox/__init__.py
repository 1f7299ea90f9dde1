"""Throwaway servers on this machine, to try a deploy on and for the end-to-end tests.

from pykamal.sandbox import Sandbox

sandbox = Sandbox("dev")
sandbox.up(hosts=2)
os.environ.update(sandbox.environment())
sandbox.hosts[0].docker("ps")
sandbox.down()
"""

from pykamal.sandbox.host import Host
from pykamal.sandbox.sandbox import Sandbox, Status

__all__ = ["Host", "Sandbox", "Status"]
