"""Who is calling: an API key, a bearer token, or both, turned into a profile that the table vouches for."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import timedelta
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import TYPE_CHECKING, Final
from urllib.error import HTTPError
from urllib.request import HTTPHandler, HTTPSHandler, Request, build_opener
from uuid import UUID

from personas.connections import Bounded
from personas.domain.profile import ApiKey, Caller, Profile, digest_of, profile_hint
from personas.domain.text import resource_id
from personas.errors import Unauthenticated, Unavailable
from personas.runtime import Deadline, deadline
from personas.settings import Settings
from personas.store.profiles import ProfileStore

if TYPE_CHECKING:
    from jwt import PyJWK

CACHE_LIFE: Final = timedelta(seconds=60)
"""How long a key or a profile is believed without reading it again: a revocation takes effect within it."""
_CACHE_MAX: Final = 1_000

ALGORITHMS: Final = ("RS256", "ES256")
JWKS_LIFE: Final = timedelta(minutes=10)
"""How long the issuer's keys are used without asking again: a key it withdraws is refused after that."""
JWKS_PAUSE: Final = timedelta(seconds=60)
"""The shortest time between two fetches, so that made-up ``kid`` values cannot make us ask for each."""
JWKS_PATIENCE: Final = timedelta(seconds=3)
"""How long the issuer's keys are waited for, all in all."""
_TIMEOUT: Final = JWKS_PATIENCE.total_seconds()
_JWKS_BYTES_MAX: Final = 256 * 1024
_CREDENTIAL_MAX: Final = 8_192
_CHALLENGE_SCHEMES: Final = 'Bearer realm="personas", ApiKey realm="personas"'
_TRUE_WORDS: Final = frozenset({"true", "1", "yes"})


class _Http(Bounded, HTTPConnection):
    def deadline(self) -> Deadline:
        return deadline()


class _Https(Bounded, HTTPSConnection):
    def deadline(self) -> Deadline:
        return deadline()


class _Bounded(HTTPHandler, HTTPSHandler):
    """Asks over connections that keep to this environment's deadline."""

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_Http, req)

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_Https, req)


class Jwks:
    """The issuer's public keys, by ``kid``."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at: float | None = None

    def key(self, kid: str) -> PyJWK:
        """The key of that id.

        Raises:
            Unauthenticated: the issuer has no such key, as far as was asked within the last minute.
            Unavailable: the issuer's keys cannot be fetched, and none are held.
        """
        age = None if self._fetched_at is None else self._clock() - self._fetched_at
        if age is None or age >= (JWKS_PAUSE if kid not in self._keys else JWKS_LIFE).total_seconds():
            self._fetch()
        if kid not in self._keys:
            raise Unauthenticated("The token is signed by a key that its issuer does not publish.")
        return self._keys[kid]

    def _fetch(self) -> None:
        self._fetched_at = self._clock()
        try:
            with deadline().within(JWKS_PATIENCE), build_opener(_Bounded).open(self._url, timeout=_TIMEOUT) as answer:
                self._keys = _published(json.loads(answer.read(_JWKS_BYTES_MAX)))
        except (OSError, HTTPException, ValueError) as error:
            if isinstance(error, HTTPError):
                error.close()
            if self._keys:
                return
            self._fetched_at = None
            raise Unavailable("The token's issuer cannot be reached to verify it. Try again shortly.") from error


def _published(document: object) -> dict[str, PyJWK]:
    """The keys of a JWKS document that can be used here, by ``kid``.

    Raises:
        ValueError: there are none.
    """
    from jwt import PyJWKSet, PyJWTError  # noqa: PLC0415  # 30 ms, for those alone who send a token

    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise ValueError("the issuer's document is no JWKS")
    try:
        usable = PyJWKSet([each for each in keys if isinstance(each, dict)]).keys
    except PyJWTError as error:
        raise ValueError("no key of the issuer's can be used") from error
    return {key.key_id: key for key in usable if key.key_id}


class _Recent[T]:
    """What was read lately, by id, for ``CACHE_LIFE``; what does not exist is not remembered."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, T]] = OrderedDict()

    def get(self, key: str) -> T | None:
        found = self._entries.get(key)
        if found is None or self._clock() - found[0] >= CACHE_LIFE.total_seconds():
            return None
        return found[1]

    def put(self, key: str, value: T, read_at: float) -> None:
        self._entries[key] = (read_at, value)
        self._entries.move_to_end(key)
        if len(self._entries) > _CACHE_MAX:
            self._entries.popitem(last=False)


class Authenticator:
    """Turns request headers into a caller; one round trip at most where the API key carries its profile's id."""

    def __init__(
        self,
        profiles: ProfileStore,
        settings: Settings,
        *,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._profiles = profiles
        self._settings = settings
        self._jwks = Jwks(settings.jwt_jwks_url, clock)
        self._wall_clock = wall_clock
        self._clock = clock
        self._recent_keys: _Recent[ApiKey] = _Recent(clock)
        self._recent_profiles: _Recent[Profile] = _Recent(clock)

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        """The caller that the headers name. ``headers`` has lower-case names.

        Raises:
            Unauthenticated: no profile is named, or a credential is unknown, expired, revoked or of another group.
            Unavailable: the store or the token's issuer cannot be asked.
        """
        key = headers.get("x-api-key", "").strip()
        bearer = headers.get("authorization", "").strip()
        if not key and not bearer:
            raise Unauthenticated("Send an API key in X-Api-Key, or a token in Authorization: Bearer.")
        subject, token_session = self._subject(bearer) if bearer else (None, "")
        if len(key) > _CREDENTIAL_MAX or not key.isascii():
            raise Unauthenticated("The API key is not one of ours.")
        digest = digest_of(key) if key else None

        api_key, profiles = self._look_up(digest, {each for each in (subject, profile_hint(key)) if each})
        if digest is not None and (api_key is None or not api_key.holds(self._wall_clock())):
            raise Unauthenticated("The API key is unknown, expired or revoked.")
        profile_id = subject or (api_key.profile_id if api_key else None)
        if profile_id is None:
            raise Unauthenticated("This API key names a group only: send a bearer token beside it.")
        profile = profiles.get(profile_id) or self._look_up(None, {profile_id})[1].get(profile_id)
        if profile is None or (api_key is not None and api_key.group_id != profile.group_id):
            raise Unauthenticated("The credentials name no profile of this group.")
        credential = token_session or digest or ""
        return Caller(
            group_id=profile.group_id,
            profile_id=profile.id,
            name=profile.name,
            role=profile.role,
            department_ids=profile.department_ids,
            session_id=resource_id(profile.group_id, "sessions", f"{profile.id}/{credential}"),
            mcp=headers.get("x-mcp", "").strip().lower() in _TRUE_WORDS,
        )

    def _look_up(self, digest: str | None, profile_ids: set[str]) -> tuple[ApiKey | None, dict[str, Profile]]:
        """The API key and the profiles, from memory where it is fresh and otherwise in one read."""
        api_key = self._recent_keys.get(digest) if digest else None
        held = {profile_id: self._recent_profiles.get(profile_id) for profile_id in profile_ids}
        profiles = {profile_id: profile for profile_id, profile in held.items() if profile}
        missing = profile_ids - profiles.keys()
        unread = digest if digest and api_key is None else None
        if unread or missing:
            read_at = self._clock()
            read_key, read_profiles = self._profiles.read(unread, missing)
            if read_key is not None:
                self._recent_keys.put(read_key.digest, read_key, read_at)
            for profile in read_profiles.values():
                self._recent_profiles.put(profile.id, profile, read_at)
            api_key, profiles = api_key or read_key, profiles | read_profiles
        return api_key, profiles

    def _subject(self, header: str) -> tuple[str, str]:
        """The profile that a bearer token names, once the token has proved itself, and what tells its session."""
        scheme, _, token = header.partition(" ")
        sendable = token.strip() and token.isascii() and len(token) <= _CREDENTIAL_MAX
        if scheme.lower() != "bearer" or not sendable:
            raise Unauthenticated("Authorization must be: Bearer, a space, and a token.")
        if not self._settings.accepts_tokens:
            raise Unauthenticated("This deployment accepts no bearer tokens. Send an API key in X-Api-Key.")
        import jwt  # noqa: PLC0415  # 30 ms, for those alone who send a token

        token = token.strip()
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            if not isinstance(kid, str):
                raise Unauthenticated("The token's header names no key (kid).")
            claims = jwt.decode(
                token,
                self._jwks.key(kid),
                algorithms=list(ALGORITHMS),
                issuer=self._settings.jwt_issuer,
                audience=self._settings.jwt_audience,
                # PyJWT knows only the machine's clock.
                options={
                    "require": ["exp", "iss", "aud", "sub"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
            self._check_times(claims)
        except jwt.InvalidTokenError as error:
            raise Unauthenticated(f"The token does not hold: {type(error).__name__}.") from error
        try:
            subject = str(UUID(claims["sub"]))
        except ValueError as error:
            raise Unauthenticated("The token's subject is not a profile's id.") from error
        session = f"{claims.get('sid', '')}/{claims.get('iat', '')}"
        # An issuer may write what no UTF-8 can hold.
        return subject, session.encode(errors="backslashreplace").decode()

    def _check_times(self, claims: Mapping[str, object]) -> None:
        """Hold the times of a token against the corrected clock, without leeway.

        Raises:
            InvalidTokenError: it has expired, or is not valid yet, or a time is none.
        """
        import jwt  # noqa: PLC0415  # as above

        now = self._wall_clock()
        if _seconds(claims["exp"]) <= now:
            raise jwt.ExpiredSignatureError
        if any(_seconds(claims[name]) > now for name in ("iat", "nbf") if name in claims):
            raise jwt.ImmatureSignatureError


def _seconds(time: object) -> int:
    """A NumericDate (RFC 7519, section 2), in whole seconds.

    Raises:
        DecodeError: it is none.
    """
    import jwt  # noqa: PLC0415  # as above

    try:
        return int(time)  # type: ignore[call-overload, no-any-return]  # what is no number is refused below
    except (ValueError, TypeError, OverflowError):
        raise jwt.DecodeError("A time in the token is no number of seconds.") from None


def challenge() -> str:
    """The value of ``WWW-Authenticate`` in every 401."""
    return _CHALLENGE_SCHEMES
