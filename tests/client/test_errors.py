"""Errors as a client can tell them to its user."""

from uuid import uuid4

import pytest

from support.web_client import Service, Values


@pytest.mark.parametrize(
    ("operation", "body", "status"),
    [
        ("get", {"persona_id": str(uuid4())}, 404),
        ("get", {"persona_id": "no id"}, 422),
        ("search", {"page_size": "1000"}, 422),
        ("create", {"personas": []}, 422),
        ("create", {"personas": [{"name": "x"}]}, 422),
        ("update", {"personas": [{"persona_id": str(uuid4()), "name": "x"}]}, 404),
        ("duplicate", {"persona_id": str(uuid4())}, 404),
        ("delete", {"persona_ids": [str(uuid4())]}, 404),
        ("draft", {"input_draft_id": str(uuid4()), "name": "x"}, 404),
        ("draft", {"expected_version": "3", "name": "x"}, 409),
        ("draft", {"nickname": "x"}, 422),
    ],
)
def test_it_says_what_to_do_in_words(service: Service, operation: str, body: Values, status: int) -> None:
    reply = service.call(operation, body)

    assert reply.status == status
    assert reply.shown == reply.body["detail"]
    assert " " in reply.shown
