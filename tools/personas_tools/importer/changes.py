"""The changes that others have made to personas since they were exported, as the history of the service has them."""

from collections.abc import Iterator
from typing import Final

import pydantic_core
from pydantic import ValidationError

from personas.contract.history import PersonaHistoryResponse, PersonaVersion
from personas_tools.http_api import Api, ApiError
from personas_tools.importer.columns import VERSION

TOLD_MAX: Final = 5
"""The versions that a reason tells; those before them are counted."""


class Changes:
    """A reader of what others have changed, for the reasons of rows that came too late.

    A service that is busy or out of reach when it is asked for a history is not asked again: that takes minutes a row.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._gives_up = False

    def reason(self, message: str, persona_id: object, expected: object) -> str:
        """Return why a row came too late: what the service says of the versions, and who changed what since."""
        since = f" {told}" if (told := self._since(persona_id, expected)) else ""
        return (
            f"changed by somebody else since it was exported: {message}{since} "
            f"Look at the change, then set {VERSION} to that."
        )

    def _since(self, persona_id: object, expected: object) -> str:
        """Return the changes after a version; nothing where the service does not show them to this caller."""
        if self._gives_up or not isinstance(expected, int):
            return ""
        body = pydantic_core.to_json({"persona_id": persona_id, "page_size": TOLD_MAX})
        try:
            answer = self._api.call("history", body)
            if not answer.ok:
                return ""
            history = PersonaHistoryResponse.model_validate(answer.body)
        except (ApiError, ValidationError):
            self._gives_up = True
            return ""
        return " ".join(_told(history, expected))


def _told(history: PersonaHistoryResponse, expected: int) -> Iterator[str]:
    """Yield a sentence for each version after the expected one, and one for those that are not shown."""
    shown = [version for version in history.versions if version.version > expected]
    yield from map(_sentence, shown)
    more = history.current_version - expected - len(shown)
    if shown and more > 0:
        yield f"There {'is' if more == 1 else 'are'} {more} more since."


def _sentence(version: PersonaVersion) -> str:
    author = version.changed_by
    name = (author.name or author.profile_id) if author else ""
    by = f", by {name}{' (MCP)' if version.mcp else ''}," if name else ""
    back = "" if version.restored_from is None else f"brought back version {version.restored_from} and "
    changed = ", ".join(version.changed) or "no field"
    return f"Version {version.version} of {version.at[:10]} {version.at[11:16]} UTC{by} {back}changed {changed}."
