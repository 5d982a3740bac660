"""The way from headers to a caller, over profiles and keys in memory: what is asked for, believed and refused."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, cast
from uuid import UUID

import pytest

from personas.domain.profile import ApiKey, Caller, Profile
from personas.domain.text import resource_id
from personas.errors import Unauthenticated
from personas.identity import (
    CACHE_LIFE,
    CHALLENGE,
    KEY_PREFIX,
    Authenticator,
    digest_of,
    is_valid,
    new_key,
    profile_hint,
)
from personas.settings import Settings
from personas.store.profiles import ProfileStore

ANNA: Final = "0b0e8a0e-5a44-4e39-a9a4-6d5a3a3f1c01"
BEN: Final = "0b0e8a0e-5a44-4e39-a9a4-6d5a3a3f1c02"
SECRET: Final = "s3cret"
OF_ANNA: Final = f"psk.{urlsafe_b64encode(UUID(ANNA).bytes).decode().rstrip('=')}.{SECRET}"
OF_GROUP: Final = f"psk.group.{SECRET}"
ISSUER: Final = "https://issuer.test"
NOW: Final = datetime(2026, 11, 28, 12, tzinfo=UTC)


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class Register:
    """Profiles and keys in memory, with a note of every read."""

    def __init__(self) -> None:
        self.keys: dict[str, ApiKey] = {}
        self.profiles: dict[str, Profile] = {}
        self.reads: list[tuple[str | None, set[str]]] = []

    def read(self, digest: str | None, profile_ids: Collection[str]) -> tuple[ApiKey | None, dict[str, Profile]]:
        self.reads.append((digest, set(profile_ids)))
        found = {each: self.profiles[each] for each in profile_ids if each in self.profiles}
        return (self.keys.get(digest) if digest else None), found

    def holds(self, key: str, profile_id: str | None, group: str = "G", expires_at: int | None = None) -> None:
        self.keys[digest(key)] = ApiKey(
            digest=digest(key), group_id=group, profile_id=profile_id, label="", created_at=0, expires_at=expires_at
        )

    def knows(self, profile_id: str, group: str = "G", role: str = "admin") -> None:
        self.profiles[profile_id] = Profile(
            id=profile_id, group_id=group, name="Anna", role=role, department_ids=frozenset({"a"})
        )


class Tokens:
    """A verifier of tokens that name their subjects themselves, of the issuer and at the time that it is given."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        assert (settings.jwt_issuer, clock()) == (ISSUER, NOW)

    def subject(self, token: str) -> tuple[str, str]:
        return token, f"session of {token}"


class Timer:
    """The clock on the wall and the one that runs, which agree."""

    def __init__(self) -> None:
        self.passed = 0.0

    def __call__(self) -> datetime:
        return NOW + timedelta(seconds=self.passed)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Timer:
    timer = Timer()
    monkeypatch.setattr("personas.clock.monotonic", lambda: timer.passed)
    return timer


@pytest.fixture
def register() -> Register:
    register = Register()
    register.knows(ANNA)
    register.holds(OF_ANNA, ANNA)
    return register


type Door = Callable[..., Caller]


def door_of(register: Register, clock: Timer, *, tokens: bool) -> Door:
    settings = Settings.model_construct(jwt_issuer=ISSUER if tokens else "")
    authenticator = Authenticator(cast("ProfileStore", register), settings, clock)

    def admit(key: str = "", bearer: str = "", **others: str) -> Caller:
        sent = {"x-api-key": key, "authorization": bearer, **{name.replace("_", "-"): others[name] for name in others}}
        return authenticator.authenticate({name: value for name, value in sent.items() if value})

    return admit


@pytest.fixture
def door(register: Register, clock: Timer, monkeypatch: pytest.MonkeyPatch) -> Door:
    monkeypatch.setattr("personas.tokens.TokenVerifier", Tokens)
    return door_of(register, clock, tokens=True)


class TestCaller:
    def test_is_the_profile_that_a_key_names(self, door: Door, register: Register) -> None:
        caller = door(f" {OF_ANNA} ")

        assert caller == Caller(
            group_id="G",
            profile_id=ANNA,
            name="Anna",
            role="admin",
            department_ids=frozenset({"a"}),
            session_id=caller.session_id,
        )
        assert register.reads == [(digest(OF_ANNA), {ANNA})]

    def test_is_the_profile_that_a_token_names(self, door: Door, register: Register) -> None:
        assert door(bearer=f"  bEARER   {ANNA} ").profile_id == ANNA
        assert register.reads == [(None, {ANNA})]

    def test_is_the_tokens_profile_where_a_key_is_sent_too(self, door: Door, register: Register) -> None:
        register.knows(BEN)

        assert door(OF_ANNA, f"Bearer {BEN}").profile_id == BEN
        assert register.reads == [(digest(OF_ANNA), {ANNA, BEN})]

    def test_is_read_by_a_second_look_where_the_key_does_not_show_its_profile(
        self, door: Door, register: Register
    ) -> None:
        register.holds("psk.x", ANNA)

        assert door("psk.x").profile_id == ANNA
        assert register.reads == [(digest("psk.x"), set()), (None, {ANNA})]

    def test_has_a_session_for_each_credential(self, door: Door, register: Register) -> None:
        register.holds("psk.x", ANNA)
        register.knows(BEN)

        sessions = [door(OF_ANNA), door("psk.x"), door(bearer=f"Bearer {ANNA}"), door(OF_ANNA, f"Bearer {BEN}")]

        assert len({caller.session_id for caller in sessions}) == 4
        assert door(OF_ANNA).session_id == sessions[0].session_id
        assert door(OF_ANNA, f"Bearer {ANNA}").session_id == sessions[2].session_id
        assert sessions[0].session_id == resource_id("G", "sessions", f"{ANNA}/{digest(OF_ANNA)}")
        assert sessions[2].session_id == resource_id("G", "sessions", f"{ANNA}/session of {ANNA}")

    @pytest.mark.parametrize(
        ("value", "marked"), [("true", True), (" TRUE ", True), ("1", True), ("yes", True), ("no", False), ("", False)]
    )
    def test_is_marked_where_an_mcp_server_says_so(self, door: Door, value: str, marked: bool) -> None:
        assert door(OF_ANNA, x_mcp=value).mcp is marked


class TestRefusal:
    @pytest.mark.parametrize(
        ("headers", "told"),
        [
            ({}, "Send an API key in X-Api-Key, or a token in Authorization: Bearer."),
            ({"key": " ", "bearer": " "}, "Send an API key in X-Api-Key, or a token in Authorization: Bearer."),
            ({"key": "é"}, "The API key is not one of ours."),
            ({"key": "k" * 8_193}, "The API key is not one of ours."),
            ({"key": "k" * 8_192}, "The API key is unknown, expired or revoked."),
            ({"key": "k", "bearer": f"Bearer {ANNA}"}, "The API key is unknown, expired or revoked."),
            ({"bearer": f"Basic {ANNA}"}, "Authorization must be: Bearer, a space, and a token."),
            ({"bearer": "Bearer"}, "Authorization must be: Bearer, a space, and a token."),
            ({"bearer": "Bearer é"}, "Authorization must be: Bearer, a space, and a token."),
            ({"bearer": f"Bearer {'t' * 8_193}"}, "Authorization must be: Bearer, a space, and a token."),
            ({"bearer": f"Bearer {'t' * 8_192}"}, "The credentials name no profile of this group."),
            ({"bearer": f"Bearer {BEN}"}, "The credentials name no profile of this group."),
        ],
    )
    def test_tells_what_to_send(self, door: Door, headers: Mapping[str, str], told: str) -> None:
        with pytest.raises(Unauthenticated) as caught:
            door(**headers)
        assert caught.value.detail == told

    def test_of_a_key_of_another_group_beside_a_token(self, door: Door, register: Register) -> None:
        register.knows(BEN, group="H")

        with pytest.raises(Unauthenticated, match="name no profile of this group"):
            door(OF_ANNA, f"Bearer {BEN}")

    def test_of_a_key_whose_profile_has_gone(self, door: Door, register: Register) -> None:
        register.holds("psk.x", BEN)

        with pytest.raises(Unauthenticated, match="name no profile of this group"):
            door("psk.x")

    def test_of_a_key_that_names_a_group_alone(self, door: Door, register: Register) -> None:
        register.holds(OF_GROUP, None)

        with pytest.raises(Unauthenticated) as caught:
            door(OF_GROUP)
        assert caught.value.detail == "This API key names a group only: send a bearer token beside it."
        assert door(OF_GROUP, f"Bearer {ANNA}").profile_id == ANNA

    def test_of_tokens_where_none_are_accepted(self, register: Register, clock: Timer) -> None:
        with pytest.raises(Unauthenticated) as caught:
            door_of(register, clock, tokens=False)(bearer=f"Bearer {ANNA}")
        assert caught.value.detail == "This deployment accepts no bearer tokens. Send an API key in X-Api-Key."

    def test_names_what_can_be_sent(self) -> None:
        assert CHALLENGE == 'Bearer realm="personas", ApiKey realm="personas"'


class TestMemory:
    @pytest.mark.parametrize(("seconds", "reads"), [(0, 1), (59.9, 1), (60, 2)])
    def test_lasts_a_minute(self, door: Door, register: Register, clock: Timer, seconds: float, reads: int) -> None:
        door(OF_ANNA)
        clock.passed = seconds
        door(OF_ANNA)

        assert len(register.reads) == reads
        assert timedelta(minutes=1) == CACHE_LIFE

    def test_is_of_keys_and_profiles_each(self, door: Door, register: Register) -> None:
        # Given a profile that is known by a token, when its key comes for the first time,
        door(bearer=f"Bearer {ANNA}")
        door(OF_ANNA)
        # then the key alone is read; and the other way round.
        assert register.reads[1] == (digest(OF_ANNA), set())
        register.knows(BEN)
        door(OF_ANNA, f"Bearer {BEN}")
        assert register.reads[2] == (None, {BEN})

    def test_does_not_hold_what_was_not_there(self, door: Door, register: Register) -> None:
        with pytest.raises(Unauthenticated):
            door(bearer=f"Bearer {BEN}")
        register.knows(BEN)

        assert door(bearer=f"Bearer {BEN}").profile_id == BEN

    def test_does_not_let_a_key_outlive_its_time(self, door: Door, register: Register, clock: Timer) -> None:
        register.holds("psk.x", ANNA, expires_at=int(NOW.timestamp()) + 10)
        door("psk.x")
        clock.passed = 10

        with pytest.raises(Unauthenticated, match="unknown, expired or revoked"):
            door("psk.x")

    def test_holds_a_thousand_and_lets_the_oldest_go(self, door: Door, register: Register) -> None:
        people = [str(UUID(int=number)) for number in range(1_001)]
        for each in people[:1_000]:
            register.knows(each)
            door(bearer=f"Bearer {each}")
        before = len(register.reads)
        door(bearer=f"Bearer {people[0]}")
        assert len(register.reads) == before

        register.knows(people[1_000])
        door(bearer=f"Bearer {people[1_000]}")
        door(bearer=f"Bearer {people[1]}")
        assert len(register.reads) == before + 1
        door(bearer=f"Bearer {people[0]}")
        assert len(register.reads) == before + 2

    def test_reads_again_count_as_new(self, door: Door, register: Register, clock: Timer) -> None:
        # Given somebody who is read again after a minute, when a thousand others have come since the first time,
        others = [str(UUID(int=number)) for number in range(1_000)]
        for each in others[:999]:
            register.knows(each)
        door(bearer=f"Bearer {ANNA}")
        for each in others[:999]:
            door(bearer=f"Bearer {each}")
        clock.passed = 60
        door(bearer=f"Bearer {ANNA}")
        register.knows(others[999])
        door(bearer=f"Bearer {others[999]}")
        before = len(register.reads)
        # then it is not the oldest that has gone.
        door(bearer=f"Bearer {ANNA}")
        assert len(register.reads) == before


class TestKey:
    def test_shows_its_profile_and_hides_256_bits(self) -> None:
        prefix, hint, secret = new_key(ANNA).split(".")

        assert (prefix, hint) == tuple(OF_ANNA.split(".")[:2])
        assert len(secret) == 43
        assert new_key(ANNA) != new_key(ANNA)
        assert KEY_PREFIX == "psk"

    def test_of_a_group_shows_none(self) -> None:
        assert new_key(None).startswith("psk.group.")
        assert profile_hint(new_key(None)) is None

    def test_is_stored_by_its_sha256(self) -> None:
        assert digest_of(OF_ANNA) == digest(OF_ANNA)

    @pytest.mark.parametrize(
        ("key", "profile"),
        [
            (OF_ANNA, ANNA),
            (OF_ANNA.replace("psk", "key"), None),
            (OF_ANNA.removesuffix(f".{SECRET}"), None),
            (f"{OF_ANNA}.more", None),
            ("psk.AAAA.x", None),
            ("psk.A.x", None),
            ("psk.grou.x", None),
            ("", None),
        ],
    )
    def test_hints_at_a_profile(self, key: str, profile: str | None) -> None:
        assert profile_hint(key) == profile

    @pytest.mark.parametrize(
        ("revoked", "expires_at", "valid"),
        [(False, None, True), (False, 101, True), (False, 100, False), (True, None, False), (True, 101, False)],
    )
    def test_holds_until_it_is_revoked_or_its_time_has_come(
        self, revoked: bool, expires_at: int | None, valid: bool
    ) -> None:
        key = ApiKey(
            digest="", group_id="G", profile_id=None, label="", created_at=0, expires_at=expires_at, revoked=revoked
        )

        assert is_valid(key, 100.0) is valid
