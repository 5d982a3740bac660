"""The service that the flows run against: the handlers on moto, or the one at CLIENT_URL, as `make client` says."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from hypothesis import Phase, settings

from support.server import demo_key
from support.warm import unguarded_world, warm_client
from support.web_client import InProcess, OverHttp, Service, read

ADDRESS: Final = os.environ.get("CLIENT_URL", "")
STORE: Final = Path(__file__).parents[2] / ".local"
"""The folder in which `make run` keeps the keys of its demo."""


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """Give a service with a catalogue; its caller is a superadmin."""
    if not ADDRESS:
        yield InProcess(warm_client(unguarded_world(request.getfixturevalue("aws"))))
        return
    with OverHttp(ADDRESS, os.environ.get("CLIENT_KEY") or demo_key(STORE, "superadmin")) as service:
        yield service


@pytest.fixture
def mark(service: Service) -> Iterator[str]:
    """Give a beginning for the names of this test's personas that nobody else uses; afterwards delete them."""
    made = f"Client {uuid4().hex[:12]}"
    yield made
    while found := read(service, "search", {"search": made, "page_size": "100"})["personas"]:
        results = read(service, "delete", {"persona_ids": [each["persona_id"] for each in found]})["results"]
        assert all(each["success"] for each in results)


@pytest.fixture
def play() -> settings:
    """Say how long a state machine runs. Over HTTP a failing run stays as it is: shorter ones take minutes to find."""
    phases = (Phase.generate,) if ADDRESS else tuple(Phase)
    return settings(max_examples=15, stateful_step_count=20, phases=phases)
