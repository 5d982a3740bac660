"""An execution environment that stays warm over all operations: clients, catalogue, identity and texts are shared.

``World.client`` gives every operation an environment of its own, as Lambda does; tests that reach into the services
(``personas.services.services()``) need one that they know.
"""

from dataclasses import dataclass

from support.aws import Aws
from support.client import Answer, Client, Handler
from support.iam import Guard
from support.world import Calls, World, load_group

_HANDLERS: dict[str, Handler] = {}
"""Handlers hold nothing of a test: what they act by they ask ``services()`` for at every call."""


def unguarded_world(aws: Aws) -> World:
    """Create a world without enforced policies, for a ``warm_client`` or for code outside of any function."""
    load_group(aws)
    return World(aws, Guard({}, {}, {}))


def warm_client(world: World, who: str = "root", **headers: str) -> Client:
    """Return a client with the API key of one of the world's people."""
    return Client({"x-api-key": world.key(who)}, _HANDLERS).with_headers(**headers)


@dataclass(frozen=True)
class Warm(Calls):
    """The calls to such an environment by name."""

    world: World

    def call(self, operation: str, body: object = None, *, who: str = "root") -> Answer:
        """Call an operation as one of the world's people."""
        return warm_client(self.world, who).call(operation, body)
