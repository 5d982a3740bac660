"""Tests of the choice of answers that go out in gzip."""

import base64
import gzip
from typing import cast

from personas.negotiation import WORTH_IT, compressed

LONG = {"statusCode": 200, "headers": {"ETag": '"3"'}, "body": "ä" * WORTH_IT, "isBase64Encoded": False}


def test_a_long_answer_is_packed_and_says_so() -> None:
    answer = compressed(LONG, {"accept-encoding": "gzip, deflate"})

    assert answer["headers"] == {"ETag": '"3"', "Content-Encoding": "gzip"}
    assert answer["isBase64Encoded"] is True
    assert gzip.decompress(base64.b64decode(cast("str", answer["body"]))).decode() == LONG["body"]


def test_who_does_not_ask_gets_it_as_it_is() -> None:
    assert compressed(LONG, {}) == LONG


def test_a_short_answer_stays_as_it_is() -> None:
    short = LONG | {"body": "a" * (WORTH_IT - 1)}

    assert compressed(short, {"accept-encoding": "gzip"}) == short
