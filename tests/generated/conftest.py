"""One local service for all programs."""

import pytest

from support.server import demo_service

service = pytest.fixture(scope="session")(demo_service)
