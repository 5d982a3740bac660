"""The description of an operation: once, beside its models, for routes, documents and tests alike."""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from pydantic import BaseModel

from personas.contract.base import BODY_MAX

PREFIX: Final = "/api/v5/artifacts/personas"

READ_ERRORS: Final = (400, 401, 404, 409, 413, 415, 422, 429, 500, 503)
BARE_ERRORS: Final = (401, 413, 429, 500, 503)
WRITE_ERRORS: Final = (400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503)


class Choice(NamedTuple):
    """A parameter of a query, and the values that it may have."""

    description: str
    values: tuple[str, ...]


class Operation(NamedTuple):
    """One of the operations under ``PREFIX``, or one with a path of its own.

    ``request`` is None if no field of a body is read. ``response`` of one that redirects is what it answers with 200 to
    who asks for that instead. ``errors`` are the statuses that it may answer with besides these, those of API Gateway
    among them. ``path_parameters`` describes each ``{name}`` in ``own_path``, ``query_parameters`` what may come behind
    it. ``body_max`` is the number of bytes of a body that are read at most. ``own_routes`` are its routes where they
    are more than its method and path. ``failure`` is the body of its errors where that is no problem, and
    ``own_answers`` says when it answers with which status.
    """

    name: str
    summary: str
    description: str
    request: type[BaseModel] | None
    response: type[BaseModel]
    errors: tuple[int, ...]
    method: Literal["GET", "POST", "PATCH"] = "POST"
    success: int = 200
    own_path: str | None = None
    path_parameters: Mapping[str, str] = {}
    query_parameters: Mapping[str, Choice] = {}
    writes: bool = False
    body_max: int = BODY_MAX
    idempotent_header: bool = False
    if_match: bool = False
    own_routes: tuple[tuple[str, str], ...] = ()
    failure: type[BaseModel] | None = None
    own_answers: Mapping[int, str] = {}

    @property
    def path(self) -> str:
        """The path of its route."""
        return self.own_path or f"{PREFIX}/{self.name}"

    @property
    def routes(self) -> tuple[tuple[str, str], ...]:
        """The methods and paths of its routes, the main one first."""
        return self.own_routes or ((self.method, self.path),)
