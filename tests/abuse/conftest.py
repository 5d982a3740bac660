"""The group, its people and the issuer of the integration tests; what is abused is the same service."""

from integration.conftest import (  # noqa: F401  # pytest finds fixtures by their names in here
    _issuer,
    _names_of_events,
    _one_loader,
    _one_request_at_a_time,
    _plain_attribute_values,
    clock,
    cloud,
    issuer,
    logged,
    world,
)
