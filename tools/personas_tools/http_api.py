"""The service as its callers reach it: over HTTP, with a key, and patient while it is busy."""

import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial, wraps
from pathlib import Path
from types import TracebackType
from typing import Concatenate, Final, Self

import click
import httpx2
import pydantic_core

from personas.contract.download import OPERATION as DOWNLOAD
from personas.contract.draft import OPERATION as DRAFT
from personas.contract.mcp import OPERATION as MCP
from personas.contract.operation import PREFIX
from personas_tools.whole_files import draft_of

TRIES: Final = 8
"""The number of times that a call is made while the service is busy or out of reach, in about two minutes."""
LONGEST_PAUSE: Final = 30.0
LONGEST_RETRY_AFTER: Final = 120.0
"""Seconds. A caller that is to wait for longer gives up for now."""

_OK: Final = 200
_FOUND: Final = 302
_NOT_THERE: Final = "not_found"
_BUSY_STATUSES: Final = frozenset({429, 500, 502, 503, 504})
_BUSY_CODES: Final = frozenset({"idempotency_in_progress", "outcome_unknown"})
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
# A function answers within 29 s, and API Gateway waits 30.
_TIMEOUT: Final = httpx2.Timeout(35.0, connect=5.0)
_CHANCE: Final = random.SystemRandom()

type Waiting = Callable[[float, str], None]
"""Called before a pause with its seconds and the reason."""


class ApiError(Exception):
    """The service did not answer, or refused the call as a whole; the message says why."""


class NotThere(ApiError):
    """An answer that what the call names is not there for this caller; ``detail`` is the service's own word for it."""

    def __init__(self, message: str, detail: str) -> None:
        super().__init__(message)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the service: a status, and the JSON object in the body, empty where there was none."""

    status: int
    body: Mapping[str, object]

    @property
    def ok(self) -> bool:
        """True if the call succeeded."""
        return self.status == _OK

    @property
    def code(self) -> str | None:
        """The code of a problem."""
        code = self.body.get("code")
        return code if isinstance(code, str) else None

    @property
    def told(self) -> str:
        """The words about an error for a person."""
        words = self.body.get("detail", self.body.get("message", "no reason was given"))
        return f"{self.status}, {words}"


class Api:
    """The operations of the service at ``address``, called with one key.

    A call that finds the service busy (429, 5xx, a repeat while the first call still runs) or out of reach is made
    again, not before ``Retry-After``. So a call that writes must carry an Idempotency-Key.
    """

    def __init__(
        self,
        address: str,
        key: str,
        *,
        transport: httpx2.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
        waiting: Waiting = lambda seconds, reason: None,
    ) -> None:
        try:
            url = httpx2.URL(address)
        except httpx2.InvalidURL as error:
            raise ApiError(f"{address!r} is no address: {error}.") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise ApiError(f"{address!r} is no address such as https://personas.example.com.")
        self._client = httpx2.Client(
            base_url=url,
            headers={"X-Api-Key": key},
            timeout=_TIMEOUT,
            transport=transport,
            trust_env=url.host not in _LOOPBACK,  # a proxy of the environment cannot reach this machine's loopback
        )
        self.address = str(url).rstrip("/")
        self._transport = transport
        self._pause = pause
        self.waiting = waiting

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def read(self, operation: str, body: Mapping[str, object]) -> Mapping[str, object]:
        """Return the answer of an operation that must succeed.

        Raises:
            NotThere: it did not, for what it names is not there.
            ApiError: it did not.
        """
        answer = self.call(operation, pydantic_core.to_json(body))
        if not answer.ok:
            raise self.refusal(operation, answer)
        return answer.body

    def refusal(self, operation: str, answer: Answer) -> ApiError:
        """Return the error for an answer that is none of success."""
        message = f"{self.address} refused {operation}: {answer.told}"
        if answer.code == _NOT_THERE:
            return NotThere(message, str(answer.body.get("detail")))
        return ApiError(message)

    def call(self, operation: str, body: bytes, *, idempotency_key: str | None = None) -> Answer:
        """Send a JSON body to an operation, and return the answer, whatever its status, unless the service stays busy.

        Raises:
            ApiError: busy or out of reach at the last try as well, or no JSON was answered.
        """
        headers = {"Content-Type": "application/json"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        method = DRAFT.method if operation == DRAFT.name else "POST"
        send = partial(self._client.request, method, f"{PREFIX}/{operation}", content=body, headers=headers)
        answer, _ = self._asked(operation, send, begun=idempotency_key is not None)
        return answer

    def message(self, body: bytes, headers: Mapping[str, str]) -> tuple[Answer, float]:
        """Send a message to the MCP server, once: its sender decides on a repeat, which no key would make safe.

        Return the answer, and the seconds after which it asks to be called again.

        Raises:
            ApiError: none came, or it is no JSON.
        """
        sent = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json", **headers}
        try:
            response = self._client.post(MCP.path, content=body, headers=sent)
        except httpx2.ConnectError as error:
            raise ApiError(
                f"Nobody answers at {self.address} ({error}). Is the service running, and is that its address?"
            ) from error
        except httpx2.RequestError as error:
            raise ApiError(
                f"No answer came from {self.address} ({str(error) or type(error).__name__}). What was asked for may be"
                " done all the same: look before you ask again."
            ) from error
        return _answer(response), _retry_after(response.headers.get("Retry-After"))

    def download(self, upload_id: str, path: Path) -> None:
        """Write the file of an export to ``path``, as a whole or not at all.

        Raises:
            ApiError: there is no such file for this caller, or it did not come whole.
            OSError: it cannot be written.
        """
        place = DOWNLOAD.path.format(upload_id=upload_id)
        answer, response = self._asked("download", partial(self._client.get, place), begun=True)
        if answer.status != _FOUND:
            raise self.refusal("download", answer)
        address = response.headers["Location"]
        # Another client: the key is nothing for the store to know.
        trusted = httpx2.URL(address).host not in _LOOPBACK
        with httpx2.Client(transport=self._transport, trust_env=trusted, timeout=_TIMEOUT) as store:
            try:
                with draft_of(path) as draft, store.stream("GET", address) as file, draft.open("wb") as written:
                    if file.status_code != _OK:
                        raise ApiError(f"The store refused the file: {file.status_code}, {file.reason_phrase}.")
                    for part in file.iter_bytes():
                        written.write(part)
            except httpx2.TransportError as error:
                raise ApiError(f"The file did not come whole ({str(error) or type(error).__name__}).") from error

    def _asked(self, what: str, send: Callable[[], httpx2.Response], *, begun: bool) -> tuple[Answer, httpx2.Response]:
        """Return the first answer that is none of a busy service. ``begun``: there is something to be patient for."""
        for attempt in range(TRIES):
            retry_after = 0.0
            try:
                response = send()
            except httpx2.TransportError as error:
                if isinstance(error, httpx2.ConnectError) and not begun:
                    # It is better to say at once that the address may be wrong.
                    raise ApiError(f"Nobody answers at {self.address} ({error}).") from error
                reason = f"no answer from {self.address} ({str(error) or type(error).__name__})"
            else:
                answer = _answer(response)
                if not (answer.status in _BUSY_STATUSES or answer.code in _BUSY_CODES):
                    return answer, response
                reason = answer.told
                retry_after = _retry_after(response.headers.get("Retry-After"))
            if attempt == TRIES - 1 or retry_after > LONGEST_RETRY_AFTER:
                asked = f"; it asks to wait {retry_after:.0f} s" if retry_after else ""
                raise ApiError(f"{what} failed after {attempt + 1} tries: {reason}{asked}")
            backoff = min(2.0**attempt, LONGEST_PAUSE)
            # Half of it at random, so that several importers do not come back at the same moment.
            seconds = max(retry_after, backoff * _CHANCE.uniform(0.5, 1))
            self.waiting(seconds, reason)
            self._pause(seconds)
        raise AssertionError("the last try returns or raises")


def _answer(response: httpx2.Response) -> Answer:
    try:
        body = pydantic_core.from_json(response.content)
    except ValueError:
        body = None
    if isinstance(body, dict):
        return Answer(response.status_code, body)
    if response.status_code == _OK:
        raise ApiError(f"{response.url} answered no JSON object: is it the address of a Personas service?")
    return Answer(response.status_code, {"message": response.reason_phrase})


def _retry_after(header: str | None) -> float:
    """Return the seconds that a ``Retry-After`` asks for, given as a number or as a date; 0 where there is none."""
    if header is None:
        return 0.0
    if header.strip().isdecimal():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


def on_api[**P](command: Callable[Concatenate[Api, P], None]) -> Callable[..., None]:
    """Give a command the options that say which service it calls and as whom, and hand it that service."""

    @click.option(
        "--url",
        default=lambda: f"http://127.0.0.1:{os.environ.get('PORT') or 3000}",
        envvar="PERSONAS_URL",
        help="Address of the service; also taken from PERSONAS_URL.  [default: this machine, port PORT or 3000]",
    )
    @click.option(
        "--key",
        envvar="PERSONAS_KEY",
        help="An API key that names a profile. Better given as PERSONAS_KEY: arguments are seen by others.",
    )
    @wraps(command)
    def wrapped(url: str, key: str | None, *args: P.args, **kwargs: P.kwargs) -> None:
        if not key:
            raise click.ClickException(
                "Say who is calling: PERSONAS_KEY=… or --key. The demo's keys lie in .local/demo-keys.json; "
                "`personas key issue` makes others."
            )
        try:
            with Api(url, key) as api:
                command(api, *args, **kwargs)
        except ApiError as error:
            raise click.ClickException(str(error)) from error

    return wrapped
