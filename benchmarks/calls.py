"""The CPU time of a warm get of the demo, beside that of its requests to AWS sent in three ways.

    .venv/bin/python benchmarks/calls.py              # half a minute

The handler runs in this process against the local store, over HTTP. Its own requests are then sent again: by the
service's client, by a bare client of botocore's, and by hand, which is a signature (version 4) and a request of
http.client's, without a deadline, another attempt, TLS or a look at errors. The time of handing over to threads is
missing from the figures.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import urlsplit

import click
from botocore.config import Config
from botocore.session import get_session
from noted_requests import Request, requests_of
from sampled import demo_in_process
from timing import machine, ms

from personas.runtime import FEED_WINDOW, dynamodb
from support.client import Context, Handler, event, load_handler

TIMES, BATCH = 40, 20
SIGNED: Final = ("content-type", "host", "x-amz-date", "x-amz-target")


def seconds_of(work: Callable[[], object]) -> float:
    """Return the CPU seconds of some work: the least of several batches, for whatever else runs adds to the others."""
    work()
    taken = []
    for _ in range(TIMES):
        began = time.process_time()
        for _ in range(BATCH):
            work()
        taken.append((time.process_time() - began) / BATCH)
    return min(taken)


class ByHand:
    """DynamoDB by as few lines as can call it."""

    def __init__(self, endpoint: str, region: str, access_key: str, secret_key: str) -> None:
        self._host = urlsplit(endpoint).netloc
        self._connection = HTTPConnection(self._host)
        self._scope = f"{datetime.now(UTC):%Y%m%d}/{region}/dynamodb/aws4_request"
        self._access_key = access_key
        key = f"AWS4{secret_key}".encode()
        for part in self._scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._key = key

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a request."""
        body = json.dumps(parameters).encode()
        now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        values = ("application/x-amz-json-1.0", self._host, now, f"DynamoDB_20120810.{operation}")
        headers = dict(zip(SIGNED, values, strict=True))
        lines = "\n".join(f"{name}:{value}" for name, value in headers.items())
        signed = ";".join(SIGNED)
        canonical = f"POST\n/\n\n{lines}\n\n{signed}\n{hashlib.sha256(body).hexdigest()}"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        signature = hmac.digest(self._key, f"AWS4-HMAC-SHA256\n{now}\n{self._scope}\n{digest}".encode(), "sha256").hex()
        credential = f"{self._access_key}/{self._scope}"
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed}, Signature={signature}"
        )
        self._connection.request("POST", "/", body, headers)
        response = self._connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        if response.status != HTTPStatus.OK:
            raise click.ClickException(f"{response.status}: {answer}")
        return answer


def rows(key: str) -> Iterator[str]:
    """Yield the table."""
    ours = dynamodb()
    meta, credentials = ours.meta, get_session().get_credentials()
    bare = get_session().create_client("dynamodb", config=Config(parameter_validation=False))
    by_hand = ByHand(meta.endpoint_url, meta.region_name, credentials.access_key, credentials.secret_key)
    ways: dict[str, Callable[[str, dict[str, Any]], object]] = {
        "by our client": ours._make_api_call,
        "by a bare client": bare._make_api_call,
        "by hand": by_hand.call,
    }
    get, headers = load_handler("get"), {"X-Api-Key": key, "Accept-Encoding": "gzip"}
    searched = load_handler("search")(event("search", {}, {"X-Api-Key": key}), Context("search"))
    persona_id = json.loads(searched["body"])["personas"][0]["persona_id"]
    yield f"| CPU ms | requests | all of it | its requests {' | its requests '.join(ways)} |"
    yield "| --- " * (3 + len(ways)) + "|"
    for label, body in {"the blank form": {}, "a persona by id": {"persona_id": persona_id}}.items():
        call = partial(answered, get, body, headers)
        call()  # what an environment reads once
        with requests_of([ours]) as requests:
            call()
        times = [seconds_of(call), *(seconds_of(partial(send, requests, way)) for way in ways.values())]
        yield f"| {label} | {', '.join(each.operation for each in requests)} | {' | '.join(map(ms, times))} |"


def answered(handler: Handler, body: dict[str, object], headers: dict[str, str]) -> None:
    """Have a handler answer."""
    answer = handler(event("get", body, headers), Context("get"))
    if answer["statusCode"] != HTTPStatus.OK:
        raise click.ClickException(f"{answer['statusCode']}: {answer['body']}")


def send(requests: Sequence[Request], way: Callable[[str, dict[str, Any]], object]) -> None:
    """Send the requests, one after the other."""
    for request in requests:
        way(request.operation, request.parameters)


@click.command()
def main() -> None:
    """Measure, and print the table."""
    with demo_in_process() as key:
        # The feed's window must have passed over the loading of the demo, or it would be read again at every call.
        time.sleep(FEED_WINDOW.total_seconds())
        lines = list(rows(key))
    print("\n".join([*lines, "", machine()]))


if __name__ == "__main__":
    main()
