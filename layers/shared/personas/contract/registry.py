"""All operations in the order of the reference: what routes, OpenAPI, docs and event files are checked against.

A handler takes ``OPERATION`` from its own operation's module instead, for this one imports the models of all.
"""

from collections.abc import Mapping
from typing import Final

from personas.contract import create, delete, docs, draft, drafts, duplicate, export, get, refresh, search, update
from personas.contract.operation import PREFIX, Operation

__all__ = ["OPERATIONS", "PREFIX", "Operation"]

_MODULES: Final = (get, search, create, update, duplicate, delete, draft, drafts, docs, export, refresh)

OPERATIONS: Final[Mapping[str, Operation]] = {module.OPERATION.name: module.OPERATION for module in _MODULES}
