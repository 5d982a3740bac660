"""AWS that accepts and never answers, or answers a byte now and then, behind real sockets.

A function that has not answered when its time is over is cut off, and API Gateway then answers by itself: without a
problem and without ``Retry-After``. The time is scaled down; nothing else is.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from typing import Any, Final

import pytest

from personas.services import services
from personas_tools.template import Function, TableRequest
from support import background
from support.aws import forget, forget_clients
from support.client import Answer, Client, Context, load_handler
from support.emulated import emulated_aws
from support.issuer import serving
from support.stalling import Proxy, Stall, before
from support.warm import unguarded_world, warm_client
from support.world import NEEDED, PEOPLE, World, result

pytestmark = [pytest.mark.emulator, pytest.mark.waits]

LIMIT: Final = 4.0
"""The seconds that a function has here."""
PERSONA_ID: Final = "0d6c1a52-5f0b-4b5e-8d0a-2f3f6f1f0a01"
STALLS: Final = [stall for stall in Stall if stall is not Stall.NEVER]


@pytest.fixture(scope="module")
def group(
    ministack: str, table_definitions: Mapping[str, TableRequest], deployed_functions: Mapping[str, Function]
) -> Iterator[World]:
    """Provide a refreshed group of one persona on the emulator."""
    with emulated_aws(ministack, table_definitions, deployed_functions) as aws:
        made = unguarded_world(aws)
        persona = {**NEEDED, "id": PERSONA_ID, "examples": ["Hello?"]}
        assert warm_client(made).call("create", {"personas": [persona]}).status == 200
        assert warm_client(made).call("refresh").status == 200
        yield made


@pytest.fixture(scope="module")
def proxies(group: World, ministack: str) -> Iterator[Mapping[str, Proxy]]:
    """Provide the proxies by which the functions reach each service, and shorten their waits for one answer.

    The waits are in about the true proportion to the whole time.
    """
    with ExitStack() as opened, pytest.MonkeyPatch.context() as patch:
        patch.setattr("personas.runtime.CONNECT_TIMEOUT", timedelta(seconds=0.5))
        patch.setattr("personas.runtime.READ_TIMEOUT", timedelta(seconds=0.5))
        patch.setattr("personas.store.attempts.LAST_CALL", timedelta(seconds=1))
        patch.setattr("personas.runtime.FINISHING_TIME", timedelta(seconds=2))
        patch.setattr("personas.views.suggestion_views.PATIENCE", timedelta(seconds=1))
        found = {each: opened.enter_context(before(ministack)) for each in ("dynamodb", "s3", "sqs")}
        for service, proxy in found.items():
            patch.setenv(f"AWS_ENDPOINT_URL_{service.upper()}", proxy.address)
        forget_clients()
        yield found
    forget_clients()


@pytest.fixture
def aws_behind(proxies: Mapping[str, Proxy]) -> Mapping[str, Proxy]:
    """Provide the proxies, none of which stalls yet, and a new environment behind them."""
    forget()
    for proxy in proxies.values():
        proxy.stall, proxy.only, proxy.stalled = Stall.NEVER, b"", 0
    return proxies


@pytest.fixture
def world(group: World, table_definitions: Mapping[str, TableRequest]) -> Iterator[World]:
    """Provide the group, whose tables hold in the end what they hold now."""
    tables = {
        group.aws.names[logical_id]: [key["AttributeName"] for key in request.named("")["KeySchema"]]
        for logical_id, request in table_definitions.items()
    }
    dynamodb = group.aws.dynamodb
    held = {name: dynamodb.scan(TableName=name)["Items"] for name in tables}
    yield group
    for name, key in tables.items():
        now = dynamodb.scan(TableName=name)["Items"]
        for item in now:
            if item not in held[name]:
                dynamodb.delete_item(TableName=name, Key={each: item[each] for each in key})
        for item in held[name]:
            if item not in now:
                dynamodb.put_item(TableName=name, Item=item)


@pytest.fixture
def client(world: World, aws_behind: Mapping[str, Proxy]) -> Client:
    """Provide a warm environment that has a few seconds for a call."""
    client = warm_client(world)
    assert client.call("drafts").status == 200  # a busy emulator may need several of the shortened waits for it
    client.remaining_ms = int(LIMIT * 1000)
    return client


def unless_cut_off(call: Any) -> Any:
    """Return what ``call`` returns, which must be within the time that a function has."""
    returned: list[Any] = []
    thread = threading.Thread(target=lambda: returned.append(call()), daemon=True)
    thread.start()
    thread.join(LIMIT)
    assert returned, "cut off: the caller has no problem and no Retry-After"
    return returned[0]


def asked(client: Client, operation: str, body: object = None, **headers: str) -> Answer:
    """Return the answer, which comes before the function is cut off."""
    answer: Answer = unless_cut_off(lambda: client.call(operation, body, **headers))
    return answer


def repeated(client: Client, operation: str, body: object, **headers: str) -> Answer:
    """Return the answer of a call that nothing stalls any more, which has all the time of a function."""
    client.remaining_ms = 29_000
    return client.call(operation, body, **headers)


def problem(answer: Answer) -> tuple[int, str]:
    """Return the status and code of a problem that has a Retry-After."""
    assert int(answer.headers["Retry-After"]) > 0
    return answer.status, str(answer.body["code"])


# ---- DynamoDB --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stall", STALLS)
def test_a_read_is_a_503(world: World, client: Client, aws_behind: Mapping[str, Proxy], stall: Stall) -> None:
    aws_behind["dynamodb"].stall = stall
    assert problem(asked(client, "get", {"persona_id": PERSONA_ID})) == (503, "unavailable")
    assert aws_behind["dynamodb"].stalled > 0


@pytest.mark.parametrize(
    ("operation", "body"),
    [("search", {}), ("drafts", {}), ("create", {"personas": [dict(NEEDED)]}), ("export", {}), ("refresh", {})],
)
def test_so_is_every_call_that_begins_by_one(
    client: Client, aws_behind: Mapping[str, Proxy], operation: str, body: object
) -> None:
    aws_behind["dynamodb"].stall = Stall.IN_BODY
    assert problem(asked(client, operation, body)) == (503, "unavailable")


def test_who_is_calling_cannot_be_found_out(world: World, client: Client, aws_behind: Mapping[str, Proxy]) -> None:
    services.cache_clear()
    aws_behind["dynamodb"].stall = Stall.SILENT
    assert problem(asked(client, "get")) == (503, "unavailable")


@pytest.mark.parametrize(
    ("stall", "key"),
    [
        (Stall.SILENT, {}),
        (Stall.SILENT, {"idempotency_key": "k"}),
        (Stall.IN_STATUS, {"idempotency_key": "k"}),
        (Stall.IN_BODY, {}),
    ],
)
def test_a_write_says_that_it_may_have_been_saved(
    world: World, client: Client, aws_behind: Mapping[str, Proxy], stall: Stall, key: Mapping[str, str]
) -> None:
    # Given a table that takes the write of a persona, or does not, and does not say
    body = {"personas": [{"persona_id": PERSONA_ID, "name": "Bo"}]}
    aws_behind["dynamodb"].only = b":changed"
    aws_behind["dynamodb"].stall = stall
    # When one is changed
    answer = asked(client, "update", body, **key)
    # Then the answer says so
    assert problem(answer) == (503, "outcome_unknown")
    assert "may or may not" in result(answer)["message"]
    # And the repeat under its key completes it
    aws_behind["dynamodb"].stall = Stall.NEVER
    assert repeated(client, "update", body, **key).status == 200
    assert world.names() == ["Bo"]


@pytest.mark.parametrize(
    ("stall", "call"),
    [
        (Stall.SILENT, b"GetItem"),
        (Stall.SILENT, b"PutItem"),
        (Stall.IN_STATUS, b"UpdateItem"),
        (Stall.IN_HEADERS, b"DeleteItem"),
    ],
)
def test_the_record_of_a_key(
    world: World, client: Client, aws_behind: Mapping[str, Proxy], stall: Stall, call: bytes
) -> None:
    # Given a table of keys that stalls at one of the calls about a record
    fails = call == b"DeleteItem"
    body = {"personas": [{**NEEDED, "name": "Bo", **({"color": "Mauve"} if fails else {})}]}
    proxy = aws_behind["dynamodb"]
    proxy.only, proxy.stall = b"." + call, stall
    if call == b"PutItem":
        # A persona is put as well, and the marks of its group; those go through
        proxy.only = b"in_progress_expiration"
    # When something is created under a key
    assert problem(asked(client, "create", body, idempotency_key="k")) == (503, "idempotency_unavailable")
    # Then the repeat does it once, when the time of the first is over
    proxy.stall = Stall.NEVER
    world.expire_idempotency("in_progress_expiration", 0)
    again = repeated(client, "create", body, idempotency_key="k")
    assert (again.status, world.names()) == ((422, ["Ada"]) if fails else (200, ["Ada", "Bo"]))


# ---- S3 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stall", STALLS)
def test_a_form_needs_no_s3(world: World, client: Client, aws_behind: Mapping[str, Proxy], stall: Stall) -> None:
    # Given an environment that holds no view, and an S3 that stalls
    aws_behind["s3"].stall = stall
    # When a persona's form is asked for
    answer = asked(client, "get", {"persona_id": PERSONA_ID})
    # Then it is there, with what is selected as what is suggested
    assert answer.status == 200
    assert aws_behind["s3"].stalled > 0
    assert answer.body["colors"]["suggestions"] == [answer.body["colors"]["resource"]["id"]]
    assert [each["example"] for each in answer.body["examples"]["resources"]] == ["Hello?"]


def test_the_next_form_does_not_wait_for_it_again(
    world: World, client: Client, aws_behind: Mapping[str, Proxy]
) -> None:
    aws_behind["s3"].stall = Stall.SILENT
    assert asked(client, "get", {"persona_id": PERSONA_ID}).status == 200
    tried = aws_behind["s3"].stalled
    assert asked(client, "get", {"persona_id": PERSONA_ID}).status == 200
    assert aws_behind["s3"].stalled == tried


@pytest.mark.parametrize("stall", [Stall.SILENT, Stall.IN_BODY])
def test_a_cold_search_is_a_503(client: Client, aws_behind: Mapping[str, Proxy], stall: Stall) -> None:
    aws_behind["s3"].stall = stall
    assert problem(asked(client, "search")) == (503, "unavailable")


@pytest.mark.parametrize(("operation", "stall"), [("export", Stall.SILENT), ("refresh", Stall.IN_STATUS)])
def test_what_is_to_be_stored_there_is_a_503(
    world: World, client: Client, aws_behind: Mapping[str, Proxy], operation: str, stall: Stall
) -> None:
    assert client.call("search").status == 200
    assert client.call("update", {"personas": [{"persona_id": PERSONA_ID, "name": "Bo"}]}).status == 200
    aws_behind["s3"].stall, aws_behind["s3"].only = stall, b"PUT /"
    assert problem(asked(client, operation)) == (503, "unavailable")


# ---- The queue and the issuer ----------------------------------------------------------------------------------------


def test_the_schedule_ends_in_time(client: Client, aws_behind: Mapping[str, Proxy]) -> None:
    aws_behind["sqs"].stall = Stall.IN_BODY
    handler = load_handler("refresh")

    def scheduled() -> str:
        with pytest.raises(Exception, match="queue is busy") as raised:
            handler(background.schedule(), Context("test-refresh", int(LIMIT * 1000)))
        return type(raised.value).__name__

    assert unless_cut_off(scheduled) == "Unavailable"


@pytest.mark.parametrize("stall", [Stall.SILENT, Stall.IN_STATUS, Stall.IN_BODY])
def test_an_issuer_that_stalls_is_a_503(client: Client, monkeypatch: pytest.MonkeyPatch, stall: Stall) -> None:
    # Given tokens, and an issuer whose keys do not come
    monkeypatch.setattr("personas.tokens.JWKS_TIMEOUT", timedelta(seconds=1))
    with serving() as issuer, before(issuer.url) as proxy:
        for name, value in {**issuer.environment, "JWT_JWKS_URL": f"{proxy.address}/jwks.json"}.items():
            monkeypatch.setenv(name, value)
        services.cache_clear()
        proxy.stall = stall
        bearer = Client({"authorization": f"Bearer {issuer.token(PEOPLE['root'].id)}"}, client.handlers)
        bearer.remaining_ms = client.remaining_ms
        # When one is sent
        answer = asked(bearer, "drafts")
        # Then it cannot be verified now
        assert problem(answer) == (503, "unavailable")
        assert proxy.stalled == 1
