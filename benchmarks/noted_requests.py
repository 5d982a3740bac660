"""The requests that a client of botocore's sends to AWS, noted to be sent again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple


class Request(NamedTuple):
    """A request to AWS: service, operation and parameters."""

    service: str
    operation: str
    parameters: dict[str, Any]


@contextmanager
def requests_of(clients: list[Any]) -> Iterator[list[Request]]:
    """Note the requests that these clients send in the block."""
    noted: list[Request] = []

    def note(params: dict[str, Any], model: Any, **_: object) -> None:
        noted.append(Request(model.service_model.service_name, model.name, dict(params)))

    for client in clients:
        client.meta.events.register_first("provide-client-params", note)
    yield noted
    for client in clients:
        client.meta.events.unregister("provide-client-params", note)
