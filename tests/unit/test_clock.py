"""The clock of an execution environment: what it makes of the answers of AWS, whatever its machine's clock says."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from personas.clock import DATE_STEP, TOLERANCE, Clock, machine_time
from personas.observability import logger
from personas.runtime import CLOCK_SKEW, clock, dynamodb, utc_now
from support.aws import Aws
from support.faults import Faults, Outcome, Sending, Sent, refused

pytestmark = pytest.mark.usefixtures("over_http")

NOW = datetime(2026, 11, 27, 12, 0, 0, 250_000, tzinfo=UTC)
HOUR = timedelta(hours=1)
NEAR = timedelta(minutes=1)
"""The error that is allowed to a corrected time."""
WRONG = [HOUR, -HOUR, timedelta(seconds=2.5), timedelta(seconds=-2.5)]


class Machine:
    """A machine whose clock is off; ``right`` is AWS's time."""

    def __init__(self, off: timedelta, right: datetime = NOW) -> None:
        self.off = off
        self.right = right
        self.clock = Clock(lambda: self.right + self.off)

    @property
    def error(self) -> timedelta:
        """Return the error of the corrected time."""
        return abs(self.clock.now() - self.right)

    def asks(self, going: timedelta, coming: timedelta) -> None:
        """Have an answer that was written so long after its request was sent, and so long before it comes."""
        sent = self.right + self.off
        said = (self.right + going).replace(microsecond=0)
        self.right += going + coming
        self.clock.learn(sent, self.right + self.off, said)


@pytest.fixture
def told() -> Iterator[list[float]]:
    """Return the errors of the clock that the log speaks of, in seconds."""
    seconds: list[float] = []

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seconds.append(vars(record)["seconds"])

    handler = Heard()
    logger.addHandler(handler)
    yield seconds
    logging.getLogger(logger.name).removeHandler(handler)


some_time = st.timedeltas(timedelta(), timedelta(seconds=3))


@given(
    off=st.timedeltas(-2 * HOUR, 2 * HOUR) | st.timedeltas(-2 * DATE_STEP, 2 * DATE_STEP),
    begins=st.timedeltas(timedelta(), DATE_STEP),
    answers=st.lists(st.tuples(some_time, some_time), min_size=1),
)
def test_each_answer_leaves_it_no_worse_and_within_a_second_and_its_own_time(
    off: timedelta, begins: timedelta, answers: list[tuple[timedelta, timedelta]]
) -> None:
    machine = Machine(off, NOW + begins)
    errors = [machine.error]
    for going, coming in answers:
        machine.asks(going, coming)
        errors.append(machine.error)
        assert machine.error <= DATE_STEP + going + coming
    assert all(later <= earlier for earlier, later in pairwise(errors))


def test_two_environments_lie_no_further_apart_than_a_reader_looks_back() -> None:
    quick = timedelta(seconds=0.5)
    assert 2 * (DATE_STEP + quick) <= CLOCK_SKEW


def test_a_clock_that_is_right_is_left_alone(told: list[float]) -> None:
    machine = Machine(timedelta())
    for _ in range(50):
        machine.asks(timedelta(milliseconds=3), timedelta(milliseconds=40))
    assert machine.error == timedelta()
    assert told == []


@pytest.mark.parametrize("off", WRONG)
def test_one_that_is_wrong_is_told_of_once(off: timedelta, told: list[float]) -> None:
    machine = Machine(off)
    for _ in range(50):
        machine.asks(timedelta(milliseconds=3), timedelta(milliseconds=40))
    assert machine.error <= 2 * timedelta(milliseconds=43)
    assert len(told) == 1
    assert abs(timedelta(seconds=told[0]) + off) <= DATE_STEP + timedelta(milliseconds=43)


def test_one_that_is_set_right_again_is_told_of_as_well(told: list[float]) -> None:
    machine = Machine(HOUR)
    machine.asks(timedelta(), timedelta())
    machine.off = timedelta()
    machine.asks(timedelta(), timedelta())
    assert machine.error <= DATE_STEP
    assert len(told) == 2
    assert abs(told[1]) <= TOLERANCE.total_seconds()


def test_a_clock_that_is_set_back_while_it_waits_says_nothing() -> None:
    subject = Clock()
    subject.learn(sent=NOW, answered=NOW - HOUR, said=NOW)
    assert subject.correction == timedelta()


class TestAnswers:
    @pytest.fixture(params=[HOUR, -HOUR])
    def off(self, aws: Aws, request: pytest.FixtureRequest) -> timedelta:
        """Put the clock of this environment off, which has asked for nothing yet."""
        off: timedelta = request.param
        clock().machine = lambda: machine_time() + off
        return off

    def test_the_first_one_sets_it_right(self, off: timedelta) -> None:
        assert abs(utc_now() - machine_time() - off) < NEAR
        dynamodb().list_tables()
        assert abs(utc_now() - machine_time()) < NEAR

    @pytest.mark.usefixtures("off")
    def test_an_error_is_an_answer(self) -> None:
        with pytest.raises(ClientError):
            dynamodb().describe_table(TableName="none")
        assert abs(utc_now() - machine_time()) < NEAR

    @pytest.mark.parametrize("date", [None, "", "soon", "Fri, 99 Nov 2026 18:35:49 GMT"])
    def test_one_without_a_date_says_nothing(
        self, off: timedelta, date: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Faults.installed(monkeypatch).plan(_any, _dated(date))
        dynamodb().list_tables()
        assert abs(utc_now() - machine_time() - off) < NEAR

    @pytest.mark.usefixtures("aws")
    def test_nor_does_none_at_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Faults.installed(monkeypatch).plan(_any, refused("Nothing"))
        with pytest.raises(ClientError):
            dynamodb().list_tables()
        assert clock().correction == timedelta()

    @pytest.mark.usefixtures("off")
    def test_requests_are_signed_by_it(self) -> None:
        signed: list[datetime] = []

        def note(request: object, **_: object) -> None:
            stamp = vars(request)["headers"]["X-Amz-Date"].decode()
            signed.append(datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC))

        client = dynamodb()
        client.list_tables()
        client.meta.events.register("before-send", note)
        client.list_tables()
        client.meta.events.unregister("before-send", note)
        assert abs(signed[0] - machine_time()) < NEAR


def _any(_: Sent) -> bool:
    return True


def _dated(date: str | None) -> Outcome:
    def outcome(send: Sending) -> AWSResponse:
        response = send()
        headers = HTTPHeaders()
        if date is not None:
            headers["date"] = date
        return AWSResponse(response.url, response.status_code, headers, response.raw)

    return outcome
