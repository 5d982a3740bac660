"""Tests of calls over HTTP: the repeated ones, their pauses, and their number."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Final

import httpx2
import pytest

from personas_tools.http_api import TRIES, Answer, Api, ApiError

FINE: Final = httpx2.Response(200, json={"results": []})


def asked(*responses: httpx2.Response | Exception) -> tuple[Answer | ApiError, list[float], list[httpx2.Request]]:
    """Return the result of a call that meets these responses in turn, the last one for ever; its pauses, requests."""
    left, pauses, requests = list(responses), list[float](), list[httpx2.Request]()

    def answer(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        response = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(response, Exception):
            raise response
        return response

    with Api("https://example.com", "secret", transport=httpx2.MockTransport(answer), pause=pauses.append) as api:
        try:
            return api.call("create", b"{}", idempotency_key="one"), pauses, requests
        except ApiError as error:
            return error, pauses, requests


@pytest.mark.parametrize(
    "busy",
    [
        httpx2.Response(429, json={"message": "Too Many Requests"}),
        httpx2.Response(503, json={"code": "unavailable", "detail": "Later."}),
        httpx2.Response(500, json={"message": "Internal Server Error"}),
        httpx2.Response(502, text="<html>"),
        httpx2.Response(409, json={"code": "idempotency_in_progress"}),
        httpx2.Response(422, json={"code": "outcome_unknown", "results": []}),
        httpx2.ReadTimeout("slow"),
        httpx2.RemoteProtocolError("cut"),
    ],
)
def test_a_busy_service_is_asked_again_with_the_same_key(busy: httpx2.Response | Exception) -> None:
    outcome, pauses, requests = asked(busy, busy, FINE)
    assert isinstance(outcome, Answer)
    assert outcome.ok
    assert 0.5 <= pauses[0] <= 1
    assert 1 <= pauses[1] <= 2
    assert [request.headers["idempotency-key"] for request in requests] == ["one"] * 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 413, 415, 422])
def test_what_is_refused_is_not_asked_again(status: int) -> None:
    outcome, pauses, _ = asked(httpx2.Response(status, json={"code": "other", "detail": "No."}))
    assert outcome == Answer(status, {"code": "other", "detail": "No."})
    assert pauses == []


@pytest.mark.parametrize("status", [429, 503, 409])
@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_waited_for(status: int, as_date: bool) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    headers = {"Retry-After": moment if as_date else "60"}
    busy = httpx2.Response(status, headers=headers, json={"code": "idempotency_in_progress"})
    _, (pause,), _ = asked(busy, FINE)
    assert 55 < pause <= 60


def test_who_stays_busy_is_given_up() -> None:
    outcome, pauses, requests = asked(httpx2.Response(503, json={"detail": "Later."}))
    assert isinstance(outcome, ApiError)
    assert "503, Later." in str(outcome)
    assert len(requests) == TRIES
    assert 45 < sum(pauses) < 120


def test_who_asks_to_wait_for_an_hour_is_given_up_at_once() -> None:
    outcome, pauses, _ = asked(httpx2.Response(429, headers={"Retry-After": "3600"}))
    assert isinstance(outcome, ApiError)
    assert "3600 s" in str(outcome)
    assert pauses == []


@pytest.mark.parametrize("address", ["example.com", "ftp://example.com", "https://", "https://[::1"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ApiError, match="is no address"):
        Api(address, "secret")


def test_nobody_at_the_address_is_told_at_once() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    pauses: list[float] = []
    api = Api("https://example.com", "secret", transport=httpx2.MockTransport(refuse), pause=pauses.append)
    with api, pytest.raises(ApiError, match="Nobody answers"):
        api.read("search", {})
    assert pauses == []


def test_another_page_at_the_address() -> None:
    outcome, _, _ = asked(httpx2.Response(200, text="<html>"))
    assert isinstance(outcome, ApiError)
    assert "is it the address of a Personas service?" in str(outcome)


def test_a_file_comes_whole_or_not_at_all(tmp_path: Path) -> None:
    # Given a store that answers each of three downloads otherwise
    def cut_off() -> Iterator[bytes]:
        yield b"half"
        raise httpx2.ReadError("cut")

    files = iter(
        [httpx2.Response(200, content=cut_off()), httpx2.Response(403), httpx2.Response(200, content=b"whole")]
    )

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "store.example":
            assert "x-api-key" not in request.headers
            return next(files)
        assert request.url.path == "/api/v5/uploads/one/download"
        return httpx2.Response(302, headers={"Location": "https://store.example/file?signed"})

    path = tmp_path / "file.csv"
    path.write_bytes(b"before")
    with Api("https://example.com", "secret", transport=httpx2.MockTransport(answer)) as api:
        for said in ("did not come whole", "403"):
            with pytest.raises(ApiError, match=said):
                api.download("one", path)
            assert path.read_bytes() == b"before"
        api.download("one", path)
    assert path.read_bytes() == b"whole"
    assert [each.name for each in tmp_path.iterdir()] == ["file.csv"]
