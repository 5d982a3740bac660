"""All operations, against which routes, OpenAPI, docs and event files are checked.

A handler takes ``OPERATION`` from its own operation's module instead, for this one imports the models of all.
"""

from collections.abc import Mapping
from typing import Final

from personas.contract import (
    create,
    delete,
    docs,
    download,
    draft,
    drafts,
    duplicate,
    export,
    get,
    refresh,
    search,
    update,
)
from personas.contract.operation import PREFIX, Operation

__all__ = ["ABOUT", "OPERATIONS", "PREFIX", "ROUTES", "Operation"]

_MODULES: Final = (get, search, create, update, duplicate, delete, draft, drafts, docs, export, refresh)

ABOUT: Final = (
    "The characters that people train conversations with. A persona has a name, a description, instructions for the "
    "model that plays it, examples of what it says, a color, an icon, voices, departments and parameters."
)
"""The description of personas in the documentation."""

OPERATIONS: Final[Mapping[str, Operation]] = {module.OPERATION.name: module.OPERATION for module in _MODULES}
"""The eleven of the reference, in its order, by name: what the persona artifact can do."""

ROUTES: Final[Mapping[str, Operation]] = {**OPERATIONS, download.OPERATION.name: download.OPERATION}
"""Every route of the service, by the name of its function: the eleven, and the download of what export wrote."""
