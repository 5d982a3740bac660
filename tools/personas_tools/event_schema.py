"""The JSON Schema of the events that a bus is sent; `make openapi` writes it to docs/events.schema.json."""

import json
import sys
from typing import Final, get_args

from personas.contract.events import SOURCE, DetailType, PersonaEvent

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, object]:
    """Return the schema of an event as EventBridge hands it over, as far as it is this service's own."""
    detail = PersonaEvent.model_json_schema()
    return {
        "$schema": _DIALECT,
        "title": "A version of a persona was made",
        "type": "object",
        "required": ["source", "detail-type", "detail"],
        "properties": {
            "source": {"const": SOURCE},
            "detail-type": {"enum": list(get_args(DetailType))},
            "detail": {"$ref": "#/$defs/PersonaEvent"},
        },
        "$defs": {**detail.pop("$defs"), "PersonaEvent": detail},
    }


def rendered() -> str:
    """Return the schema as the file has it."""
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(rendered())
