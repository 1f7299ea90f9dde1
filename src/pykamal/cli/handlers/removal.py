"""`kamal remove` and `accessory remove`: their question names what would go, and from where (spec/cli.md 13.6)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.loading import load
from pykamal.cli.prompt import NOT_CONFIRMED, confirmed, refuse_unasked
from pykamal.cli.runner import operate, selected
from pykamal.config.models import Accessory, Config
from pykamal.operations import removal
from pykamal.operations.accessory import lifecycle
from pykamal.operations.selection import Selection


def remove(invocation: Invocation) -> int:
    refuse_unasked(invocation)
    loaded, options = load(invocation), invocation.own("keep_data")
    if not confirmed(invocation, _question(loaded.config, selected(invocation, loaded.config), **options)):
        return NOT_CONFIRMED
    return operate(invocation, lambda context: removal.remove(context, **options), loaded=loaded)


def accessory_remove(invocation: Invocation) -> int:
    """Nothing is asked about an unknown name, which the operation refuses."""
    refuse_unasked(invocation)
    (name,) = invocation.arguments
    loaded, options = load(invocation), invocation.own("keep_data")
    selection = selected(invocation, loaded.config)
    chosen = [each for each in loaded.config.accessories if name in ("all", each.name) and selection.hosts_of(each)]
    what = "containers and images" if options["keep_data"] else "containers, images and data directories"
    where = "; ".join(f"{each.service} on {', '.join(selection.hosts_of(each))}" for each in chosen)
    if chosen and not confirmed(invocation, f"This will remove all {what} for {name} ({where}). Are you sure?"):
        return NOT_CONFIRMED
    return operate(invocation, lambda context: lifecycle.remove(context, name=name, **options), loaded=loaded)


def _question(config: Config, selection: Selection, *, keep_data: bool) -> str:
    destination = f", destination {config.destination}" if config.destination else ""
    whose = f"{config.service}{destination}, on {', '.join(selection.hosts)}"
    accessories = [accessory for accessory in config.accessories if selection.hosts_of(accessory)]
    return f"This will remove all containers and images of {whose}{_data(accessories, keep_data)}. Are you sure?"


def _data(accessories: list[Accessory], keep_data: bool) -> str:
    if not accessories:
        return ""
    names = f"the accessories {', '.join(accessory.name for accessory in accessories)}"
    directories = ", ".join(accessory.service for accessory in accessories)
    if keep_data:
        return f", and {names}, whose data directories stay ({directories})"
    return f", and {names} with their data directories ({directories})"
