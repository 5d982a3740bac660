"""Which answers go out in gzip."""

import base64
import gzip
from typing import cast

import pytest

from personas.compression import WORTH_IT, accepts_gzip, compressed

LONG = {"statusCode": 200, "headers": {"ETag": '"3"'}, "body": "ä" * WORTH_IT, "isBase64Encoded": False}


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("deflate, gzip; q=1.0, *;q=0", True),
        ("", False),
        ("identity", False),
        ("x-gzip", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
    ],
)
def test_who_accepts_it(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


def test_a_long_answer_is_packed_and_says_so() -> None:
    answer = compressed(LONG, {"accept-encoding": "gzip, deflate"})

    assert answer["headers"] == {"ETag": '"3"', "Vary": "Accept-Encoding", "Content-Encoding": "gzip"}
    assert answer["isBase64Encoded"] is True
    assert gzip.decompress(base64.b64decode(cast("str", answer["body"]))).decode() == LONG["body"]


def test_who_does_not_ask_gets_it_as_it_is_and_caches_are_told() -> None:
    answer = compressed(LONG, {})

    assert answer == LONG | {"headers": {"ETag": '"3"', "Vary": "Accept-Encoding"}}


def test_a_short_answer_stays_as_it_is() -> None:
    short = LONG | {"body": "a" * (WORTH_IT - 1)}

    assert compressed(short, {"accept-encoding": "gzip"}) == short
