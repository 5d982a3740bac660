"""A client as web front ends are: what it sends, what it keeps, what it shows. Written from the contract alone.

It speaks to any `Service`: the handlers in this process, or an address. It knows no ids but those that it was told, and
reads what went wrong only from an answer that calls itself ``application/json``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol, Self

import httpx2

from support.client import Client

PREFIX: Final = "/api/v5/artifacts/personas"

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "name": ("names", "name"),
    "description": ("descriptions", "description"),
    "instructions": ("instructions", "template"),
}
"""The single texts of a form, with their section and the key of the text in it."""
CHOICES: Final[Mapping[str, str]] = {"color_id": "colors", "icon_id": "icons"}
LISTS: Final[Mapping[str, tuple[str, str]]] = {
    "department_ids": ("departments", "department_id"),
    "parameter_field_ids": ("parameter_fields", "id"),
    "voice_ids": ("voices", "id"),
}

type Values = dict[str, Any]


class Reply(NamedTuple):
    """An answer: its status, its media type, and its body."""

    status: int
    media_type: str
    body: Values

    @property
    def shown(self) -> str:
        """Return what the client tells its user of an answer that is an error."""
        return str(self.body["detail"]) if "application/json" in self.media_type else f"Error {self.status}"


class Service(Protocol):
    """The service that a client's calls go to."""

    def call(self, operation: str, body: Mapping[str, object] | None = None) -> Reply:
        """Send a body to an operation."""
        ...


class InProcess:
    """The handlers of this checkout."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def call(self, operation: str, body: Mapping[str, object] | None = None) -> Reply:
        """Send a body to an operation."""
        answer = self._client.call(operation, body, accept="application/json, text/plain, */*")
        return Reply(answer.status, answer.headers["Content-Type"], answer.body)


class OverHttp:
    """A service at an address, with an API key."""

    def __init__(self, address: str, key: str) -> None:
        headers = {"X-Api-Key": key, "Content-Type": "application/json", "Accept": "application/json, text/plain, */*"}
        self._client = httpx2.Client(base_url=address, headers=headers, timeout=60, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def call(self, operation: str, body: Mapping[str, object] | None = None) -> Reply:
        """Send a body to an operation."""
        method = "PATCH" if operation == "draft" else "POST"
        response = self._client.request(method, f"{PREFIX}/{operation}", content=json.dumps(body or {}))
        return Reply(response.status_code, response.headers["Content-Type"], response.json())


def read(service: Service, operation: str, body: Mapping[str, object] | None = None) -> Values:
    """Return the body of an answer that must be 200."""
    reply = service.call(operation, body)
    assert reply.status == 200, reply.shown
    return reply.body


def shown_in(form: Values) -> Values:
    """Return what a client puts on the screen of a form that `get` answered."""
    shown: Values = {}
    for name, (section, key) in TEXTS.items():
        resource = form[section]["resource"]
        shown[name] = "" if resource is None else resource[key]
    for name, section in CHOICES.items():
        resource = form[section]["resource"]
        shown[name] = None if resource is None else resource["id"]
    shown["active"] = form["flags"]["current"] is not None
    for name, (section, key) in LISTS.items():
        shown[name] = [each[key] for each in form[section]["current"]]
    shown["examples"] = [each["example"] for each in form["examples"]["current"]]
    return shown


@dataclass
class Tab:
    """A form that saves while someone types: every change is one sparse patch of the draft."""

    service: Service
    persona_id: str | None = None
    draft_id: str | None = None
    version: int = 0
    shown: Values = field(default_factory=dict)
    flag_id: str = ""
    """The id by which the one flag is switched on."""

    def open(self) -> Self:
        """Load the form, as a reload of the page does."""
        form = read(self.service, "get", {"persona_id": self.persona_id, "draft_id": self.draft_id})
        self.shown = shown_in(form)
        self.version = form["draft_version"] or 0
        self.flag_id = form["flags"]["resources"][0]["flag_option_id"]
        return self

    def change(self, name: str, value: Any) -> int:
        """Show another value and save it; return how often somebody else had saved in between.

        A conflict loads the form again, and the change is sent again on top of that form.
        """
        conflicts = 0
        while True:
            self.shown[name] = value
            reply = self.service.call("draft", {**self._draft(), **self._sent(name)})
            if reply.status != 409:
                break
            conflicts += 1
            assert reply.body["current_version"] != self.version, reply.shown
            self.open()
        assert reply.status == 200, reply.shown
        self.draft_id, self.version = reply.body["draft_id"], reply.body["new_version"]
        self._take(reply.body["form_state"])
        return conflicts

    def publish(self) -> Values:
        """Save what is shown as the persona itself; return the result."""
        item = {
            **{name: self.shown[name] or None for name in TEXTS if name != "instructions"},
            "instructions": self.shown["instructions"],
            "active_flag": self.shown["active"],
            **{name: self.shown[name] for name in (*CHOICES, *LISTS, "examples")},
        }
        if self.persona_id is None:
            body = read(self.service, "create", {"personas": [item]})
        else:
            body = read(self.service, "update", {"personas": [{"persona_id": self.persona_id, **item}]})
        (result,) = body["results"]
        assert result["success"], result["message"]
        self.persona_id = result["persona_id"]
        return dict(result)

    def _draft(self) -> Values:
        return {"input_draft_id": self.draft_id, "expected_version": self.version}

    def _sent(self, name: str) -> Values:
        """Return the patch that says what is shown of one field."""
        if name == "active":
            return {"flag_id": self.flag_id if self.shown[name] else None}
        return {name: self.shown[name]}

    def _take(self, state: Values) -> None:
        """Show what an autosave tells of the lists: one that is absent stays as it is, an empty one is cleared."""
        for name in LISTS:
            if name in state:
                self.shown[name] = state[name]
        if state.get("example_ids") == []:
            self.shown["examples"] = []


def in_chunks(cell: str) -> Sequence[str]:
    """Return the entries of a cell of a list as existing clients read it: split at commas."""
    return [entry.strip() for entry in cell.split(",") if entry.strip()]
