"""Bearer tokens: JWTs of the issuer that the deployment trusts. Its keys come from its JWKS document."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Final, cast
from urllib.error import HTTPError
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener
from uuid import UUID

import jwt
from jwt import PyJWKClient, PyJWKClientError, PyJWKSet, PyJWTError

from personas.clock import Moment
from personas.connections import Bounded
from personas.errors import Unauthenticated, Unavailable
from personas.runtime import deadline
from personas.settings import Settings

ALGORITHMS: Final = ("RS256", "ES256")
JWKS_LIFE: Final = timedelta(minutes=10)
"""The time for which the issuer's keys are used without asking again: a key it withdraws is refused after that."""
JWKS_PAUSE: Final = timedelta(seconds=60)
"""The shortest time between two fetches, so that made-up ``kid`` values cannot make us ask for each."""
JWKS_TIMEOUT: Final = timedelta(seconds=3)
"""The time for which the issuer's keys are waited for, all in all."""
_TIMEOUT: Final = JWKS_TIMEOUT.total_seconds()
_JWKS_BYTES_MAX: Final = 256 * 1024


class _Http(Bounded, HTTPConnection):
    deadline = staticmethod(deadline)


class _Https(Bounded, HTTPSConnection):
    deadline = staticmethod(deadline)


class _Opener(HTTPHandler, HTTPSHandler, HTTPRedirectHandler):
    """A handler that asks over connections that keep to this environment's deadline, and the one address alone."""

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_Http, req)

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_Https, req)

    def redirect_request(self, *_: object) -> None:
        """Follow no redirect: the answer is an error, as any other than the document."""


class TokenVerifier:
    """The verifier of bearer tokens."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._jwks = Jwks(settings.jwt_jwks_url, clock)
        self._clock = clock

    def subject(self, token: str) -> tuple[str, str]:
        """Return the profile that a token names, once it has proved itself, and the name of its session.

        Raises:
            Unauthenticated: it does not hold.
            Unavailable: the issuer's keys cannot be fetched, and none are held.
        """
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            if not isinstance(kid, str):
                raise Unauthenticated("The token's header names no key (kid).")
            claims = jwt.decode(
                token,
                self._jwks.get_signing_key(kid),
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
        except PyJWKClientError as error:
            raise Unauthenticated("The token is signed by a key that its issuer does not publish.") from error
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
        now = self._clock().timestamp()
        if _seconds(claims["exp"]) <= now:
            raise jwt.ExpiredSignatureError
        if any(_seconds(claims[name]) > now for name in ("iat", "nbf") if name in claims):
            raise jwt.ImmatureSignatureError


def _seconds(time: object) -> int:
    """Return a NumericDate (RFC 7519, section 2) in whole seconds.

    Raises:
        DecodeError: it is none.
    """
    if isinstance(time, int | float | str):
        with suppress(ValueError, OverflowError):
            return int(time)
    raise jwt.DecodeError("A time in the token is no number of seconds.")


class Jwks(PyJWKClient):
    """The issuer's public keys, remembered by both clocks, and used on while the issuer is out of reach.

    PyJWT's client finds a key by its id and asks again for an unknown one. Its own way of fetching waits for one sign
    of life after the other, reads an answer of any size, and forgets by the monotonic clock: these parts are replaced.
    """

    def __init__(self, url: str, clock: Callable[[], datetime]) -> None:
        super().__init__(url, cache_jwk_set=False)
        self._clock = clock
        self._held: PyJWKSet | None = None
        self._fetched_at: Moment | None = None

    def fetch_data(self) -> object:
        """Return the JSON of the issuer's document.

        Raises:
            OSError: the issuer cannot be reached, or answers with something other than the document.
            HTTPException: it breaks off.
            ValueError: its answer is no JSON, or too long.
        """
        with deadline().within(JWKS_TIMEOUT), build_opener(_Opener).open(self.uri, timeout=_TIMEOUT) as answer:
            return json.loads(answer.read(_JWKS_BYTES_MAX))

    def get_jwk_set(self, refresh: bool = False) -> PyJWKSet:
        """Return the issuer's keys, fetched within ``JWKS_LIFE``; within ``JWKS_PAUSE`` where one is not among them.

        Raises:
            Unavailable: the issuer's keys cannot be fetched, and none are held.
        """
        now, life = self._clock(), JWKS_PAUSE if refresh else JWKS_LIFE
        if self._fetched_at is None or not self._fetched_at.is_recent(life, now):
            self._fetched_at = Moment.at(now)
            try:
                self._held = super().get_jwk_set()
            except (OSError, HTTPException, ValueError, PyJWTError) as error:
                if isinstance(error, HTTPError):
                    error.close()
                if self._held is None:
                    self._fetched_at = None
                    detail = "The token's issuer cannot be reached to verify it. Try again shortly."
                    raise Unavailable(detail) from error
        return cast("PyJWKSet", self._held)
