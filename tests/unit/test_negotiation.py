"""Codings and media types that Accept headers name, and those that they do not."""

import pytest

from personas.negotiation import names


@pytest.mark.parametrize(
    ("header", "named"),
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
def test_a_coding(header: str, named: bool) -> None:
    assert names(header, "gzip") is named


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("application/problem+json", True),
        ("Application/Problem+JSON; charset=utf-8", True),
        ("application/json, application/problem+json;q=0.1", True),
        ("application/*+json", True),
        ("*/*", False),
        ("application/*", False),
        ("application/json", False),
        ("application/problem+json; charset=utf-8; q=0", False),
    ],
)
def test_a_media_type(header: str, named: bool) -> None:
    assert names(header, "application/problem+json", "application/*+json") is named


def test_the_most_specific_name_decides() -> None:
    header = "application/*+json, application/problem+json;q=0"

    assert not names(header, "application/problem+json", "application/*+json")
