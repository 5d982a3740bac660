"""All operations, against which routes, OpenAPI, docs and event files are checked.

A handler takes ``OPERATION`` from its own operation's module instead, for this one imports the models of all.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Final

from personas.contract import (
    compare,
    create,
    delete,
    docs,
    download,
    draft,
    drafts,
    duplicate,
    export,
    get,
    history,
    mcp,
    refresh,
    restore,
    search,
    update,
)
from personas.contract.operation import PREFIX, Operation

__all__ = ["ABOUT", "ARTIFACT", "OPERATIONS", "PREFIX", "ROUTES", "Operation"]

ABOUT: Final = (
    "The characters that people train conversations with. A persona has a name, a description, instructions for the "
    "model that plays it, examples of what it says, a color, an icon, voices, departments and parameters."
)
"""The description of personas in the documentation."""


def _by_name(*modules: ModuleType) -> Mapping[str, Operation]:
    return {module.OPERATION.name: module.OPERATION for module in modules}


OPERATIONS: Final = _by_name(get, search, create, update, duplicate, delete, draft, drafts, docs, export, refresh)
"""The eleven of the reference, in its order, by name."""

ARTIFACT: Final[Mapping[str, Operation]] = {**OPERATIONS, **_by_name(history, compare, restore)}
"""All that the persona artifact can do: the eleven, and what goes beyond the reference."""

ROUTES: Final[Mapping[str, Operation]] = {**ARTIFACT, **_by_name(download, mcp)}
"""All that the service answers, by the name of its function: those, the download of exports, and the MCP server."""
