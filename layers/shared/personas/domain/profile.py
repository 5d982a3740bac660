"""Profiles, API keys, and the caller of a request."""

import hashlib
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from typing import Final
from uuid import UUID

KEY_PREFIX: Final = "psk"
_SECRET_BYTES: Final = 32
_NO_PROFILE: Final = "group"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A person or a program of one group. Only the stored profile says what it may do."""

    id: str
    group_id: str
    name: str
    role: str
    department_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key as it is stored: never the key itself, only its digest. Times are unix seconds."""

    digest: str
    group_id: str
    profile_id: str | None
    label: str
    created_at: int
    expires_at: int | None
    revoked: bool = False

    def holds(self, now: float) -> bool:
        """Tell whether it is neither revoked nor past its time."""
        return not self.revoked and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The profile behind a request. ``session_id`` names the credential; ``mcp``: it came through an MCP server."""

    group_id: str
    profile_id: str
    name: str
    role: str
    department_ids: frozenset[str]
    session_id: str
    mcp: bool = False


def new_key(profile_id: str | None) -> str:
    """Return a new API key: 256 random bits, and the profile's id in clear so that one round trip can read both."""
    hint = urlsafe_b64encode(UUID(profile_id).bytes).decode().rstrip("=") if profile_id else _NO_PROFILE
    return f"{KEY_PREFIX}.{hint}.{secrets.token_urlsafe(_SECRET_BYTES)}"


def digest_of(key: str) -> str:
    """Return the SHA-256 of an API key in hex, which is stored. A key is random: it needs no salt and no stretching."""
    return hashlib.sha256(key.encode()).hexdigest()


def profile_hint(key: str) -> str | None:
    """Return the profile that a key claims to name: a hint for the read, trusted for nothing."""
    match key.split("."):
        case [prefix, hint, _] if prefix == KEY_PREFIX and hint != _NO_PROFILE:
            try:
                return str(UUID(bytes=urlsafe_b64decode(hint + "==")))
            except (NotBase64, ValueError):
                return None
    return None
