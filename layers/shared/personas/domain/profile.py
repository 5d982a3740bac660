"""Profiles, API keys as they are stored, and the caller of a request."""

from typing import NamedTuple


class Profile(NamedTuple):
    """A person or a program of one group. Only the stored profile says what it may do."""

    id: str
    group_id: str
    name: str
    role: str
    department_ids: frozenset[str] = frozenset()


class ApiKey(NamedTuple):
    """An API key as it is stored: never the key itself, only its digest. Times are unix seconds."""

    digest: str
    group_id: str
    profile_id: str | None
    label: str
    created_at: int
    expires_at: int | None
    revoked: bool = False


class Caller(NamedTuple):
    """The profile behind a request. ``session_id`` names the credential; ``mcp``: it came through an MCP server."""

    group_id: str
    profile_id: str
    name: str
    role: str
    department_ids: frozenset[str]
    session_id: str
    mcp: bool = False
