"""docs/events.md: its example is an event, and its schema is the models'."""

import json
import re
from pathlib import Path
from typing import Final

import jsonschema

from personas.contract.events import PersonaEvent
from personas_tools import event_schema

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")


def test_the_schema_is_that_of_the_models() -> None:
    assert (ROOT / "docs" / "events.schema.json").read_text(encoding="utf-8") == event_schema.rendered(), "make openapi"


def test_the_example_is_an_event() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    event = json.loads(example)
    jsonschema.validate(event, event_schema.schema())
    assert PersonaEvent.model_validate(event["detail"]).model_dump(mode="json") == event["detail"]


def test_the_types_on_the_page_are_all_that_there_are() -> None:
    told = set(re.findall(r"`(Persona(?:Created|Updated|Restored|Deleted)\w*)`", PAGE))
    properties = event_schema.schema()["properties"]
    assert isinstance(properties, dict)
    assert told == set(properties["detail-type"]["enum"])
