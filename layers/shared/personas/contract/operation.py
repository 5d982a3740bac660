"""How an operation is described: once, beside its models, for routes, documents and tests alike."""

from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel

PREFIX: Final = "/api/v5/artifacts/personas"

READ_ERRORS: Final = (400, 401, 404, 413, 415, 422, 429, 500, 503)
BARE_ERRORS: Final = (401, 413, 429, 500, 503)
WRITE_ERRORS: Final = (400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One of the operations under ``PREFIX``.

    ``request`` is None where no field of a body is read. ``errors`` are the statuses that it may answer with besides
    200, those of API Gateway among them.
    """

    name: str
    summary: str
    description: str
    request: type[BaseModel] | None
    response: type[BaseModel]
    errors: tuple[int, ...]
    method: Literal["POST", "PATCH"] = "POST"
    writes: bool = False
    idempotent_header: bool = False
    if_match: bool = False

    @property
    def path(self) -> str:
        """The path of its route."""
        return f"{PREFIX}/{self.name}"
