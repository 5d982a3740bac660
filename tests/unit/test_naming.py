"""Tests of mistyped names of personas: their cost, and the names that are suggested for them."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import click
import httpx2
import pytest

from personas_tools.http_api import Api
from personas_tools.naming import persona_named

MANY: Final = 1_000_000


def group(named: Callable[[str], Sequence[str]]) -> tuple[Api, list[dict[str, Any]]]:
    """Return a service with a million personas of which a search finds those that are ``named``, and its calls."""
    calls: list[dict[str, Any]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        calls.append(body)
        if "search" in body:
            names = named(body["search"])
            return httpx2.Response(
                200, json={"personas": [{"name": each} for each in names], "total_count": len(names)}
            )
        numbers = range(body["page_offset"], body["page_offset"] + body["page_size"])
        return httpx2.Response(200, json={"personas": [{"name": f"P{n:07}"} for n in numbers], "total_count": MANY})

    return Api("http://127.0.0.1:1", "psk.x", transport=httpx2.MockTransport(answer)), calls


def test_a_name_that_nobody_has_takes_ten_calls_at_most_in_a_group_of_any_size() -> None:
    api, calls = group(lambda _: [])

    with pytest.raises(click.ClickException, match="No persona is named"):
        persona_named(api, "a name of more words than are looked for")

    assert len(calls) == 10


def test_it_is_taken_for_one_that_a_word_of_it_finds() -> None:
    api, _ = group(lambda searched: ["Zora Weiss, nurse"] if searched == "Zora" else [])

    with pytest.raises(click.ClickException, match="did you mean 'Zora Weiss, nurse'"):
        persona_named(api, "Zora Wiess, nurse")


def test_it_is_taken_for_one_that_begins_with_it() -> None:
    api, _ = group(lambda searched: ["Zora Weiss, nurse on the night shift of a ward"] if searched == "Zora" else [])

    with pytest.raises(click.ClickException, match="did you mean 'Zora Weiss, nurse on the night shift of a ward'"):
        persona_named(api, "Zora Weiss")
