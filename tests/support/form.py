"""The selections of a form by the contract's names: what a draft holds, and what a list of drafts tells of it."""

from collections.abc import Mapping
from typing import Final

SINGLE: Final = ("name_id", "description_id", "instructions_id", "color_id", "icon_id", "active_flag_id")
"""The selections of one id or none."""
SEVERAL: Final = ("department_ids", "parameter_field_ids", "example_ids", "voice_ids")
"""The selections of a list of ids."""
LISTED: Final[Mapping[str, str]] = {
    "name_id": "name_ids",
    "description_id": "description_ids",
    "instructions_id": "instruction_ids",
    "color_id": "color_ids",
    "icon_id": "icon_ids",
    "active_flag_id": "flag_ids",
    **{name: name for name in SEVERAL},
}
"""The names of all of them in a list of drafts."""
