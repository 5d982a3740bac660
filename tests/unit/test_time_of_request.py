"""The time that a request has: of what the function has left, and of what API Gateway waits."""

import json
import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from personas.observability import logger
from personas.runtime import time_of_request

NOW: Final = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)
BEGUN: Final = int(NOW.timestamp() * 1000)


@pytest.mark.parametrize(
    ("has", "ago", "left"),
    [
        pytest.param(29.0, 0.0, 29.0, id="at once"),
        pytest.param(29.0, 2.5, 26.5, id="after a cold start"),
        pytest.param(300.0, 2.5, 26.5, id="in a function with more time than API Gateway has"),
        pytest.param(10.0, 2.5, 10.0, id="in a function with less"),
        pytest.param(29.0, 15.0, 14.0, id="after the longest start"),
        pytest.param(29.0, 15.1, 29.0, id="so late that the clock is off"),
        pytest.param(29.0, -3.0, 29.0, id="before it was sent"),
        pytest.param(29.0, 86_400.0, 29.0, id="replayed a day later"),
    ],
)
def test_counts_from_the_start_that_api_gateway_tells(has: float, ago: float, left: float) -> None:
    begun = BEGUN - int(ago * 1000)
    assert time_of_request(timedelta(seconds=has), begun, NOW) == timedelta(seconds=left)


@pytest.mark.parametrize("begun", [None, "", "1795521600000", 1.5])
def test_a_start_that_is_none_says_nothing(begun: object) -> None:
    assert time_of_request(timedelta(seconds=300), begun, NOW) == timedelta(seconds=29)


def test_log_lines_tell_the_time_as_rfc_3339_does() -> None:
    line = logger.registered_formatter.format(logging.makeLogRecord({"msg": "answered", "levelname": "INFO"}))
    told = json.loads(line)["timestamp"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|\+00:00)", told)
