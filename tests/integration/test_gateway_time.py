"""The deadline of a call: what API Gateway has left of its time, whoever began it and however long the start took."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from personas.clock import machine_time
from personas.domain.profile import Caller
from personas.identity import Authenticator
from personas.runtime import deadline
from support.client import event
from support.environments import Environment
from support.world import World


@pytest.mark.parametrize(
    ("ago", "most", "least"),
    [
        pytest.param(timedelta(seconds=9), 20, 15, id="a cold start of nine seconds"),
        pytest.param(timedelta(days=1), 29, 24, id="an event of yesterday"),
    ],
)
def test_a_call_ends_before_api_gateway_does(
    ago: timedelta, most: float, least: float, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a function with more time than API Gateway has
    env, left = Environment(world), list[float]()
    authenticate = Authenticator.authenticate

    def look(authenticator: Authenticator, headers: Mapping[str, str]) -> Caller:
        seconds = deadline().left()
        assert seconds is not None
        left.append(seconds.total_seconds())
        return authenticate(authenticator, headers)

    monkeypatch.setattr(Authenticator, "authenticate", look)
    # When API Gateway has begun the request so long ago
    raw = event("drafts", None, {"x-api-key": world.key("root")})
    raw["requestContext"]["timeEpoch"] = int((machine_time() - ago).timestamp() * 1000)
    env.invoke("drafts", raw, remaining_ms=300_000)
    # Then
    assert least < left[0] <= most
