"""Tests of the caller's identity: keys, tokens, both together, and the time for which they are believed."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from personas.domain.profile import Caller
from personas.errors import Unauthenticated, Unavailable
from personas.identity import Authenticator, digest_of
from personas.settings import Settings
from personas.store import keys
from support.issuer import AUDIENCE, ISSUER, Issuer, public_jwk
from support.warm import warm_client
from support.world import (
    CARE,
    CLOCKS,
    GROUP,
    NEEDED,
    NOBODY,
    OTHER_GROUP,
    PEOPLE,
    SALES,
    Clock,
    World,
    fault,
)

COACH = PEOPLE["coach"].id


@dataclass
class Door:
    """An authenticator over the world's table, with a clock to move."""

    authenticator: Authenticator
    clock: Clock

    def admit(self, **headers: str) -> Caller:
        return self.authenticator.authenticate({name.replace("_", "-"): value for name, value in headers.items()})

    def refuses(self, **headers: str) -> bool:
        try:
            self.admit(**headers)
        except Unauthenticated:
            return True
        return False


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def door_to(world: World, issuer: Issuer | None = None, time: float = 1_800_000_000) -> Door:
    settings = Settings.read({**world.aws.environment} | (issuer.environment if issuer else {}))
    clock = Clock(at(time))
    return Door(Authenticator(world.profiles, settings, clock), clock)


@pytest.fixture
def door(world: World) -> Door:
    return door_to(world)


@pytest.fixture
def token_door(world: World, issuer: Issuer) -> Door:
    # Within the hour that the issuer's tokens are good for, however long a test takes.
    return door_to(world, issuer, time.time() + 600)


class TestKeys:
    def test_name_a_profile_and_its_group(self, world: World, door: Door) -> None:
        caller = door.admit(x_api_key=world.key("coach"))

        assert caller == Caller(
            group_id=GROUP,
            profile_id=COACH,
            name="coach",
            role="instructional",
            department_ids=frozenset({CARE}),
            session_id=caller.session_id,
            mcp=False,
        )

    def test_may_be_surrounded_by_space(self, world: World, door: Door) -> None:
        assert door.admit(x_api_key=f" {world.key('coach')} ").profile_id == COACH

    @pytest.mark.parametrize(
        "key",
        [
            "",
            " ",
            "x",
            "psk",
            "psk..",
            "psk.group.x",
            "psk.AAAAAAAAAAAAAAAAAAAAAA.x",
            "psk.!!!!.x",
            "psk.\N{EURO SIGN}.x",
            "psk.\ud800.x",
            "k" * 10_000,
        ],
    )
    def test_that_are_unknown_are_refused(self, door: Door, key: str) -> None:
        assert door.refuses(x_api_key=key)

    def test_with_another_secret_are_refused(self, world: World, door: Door) -> None:
        key = world.key("coach")

        assert door.refuses(x_api_key=key[:-1] + ("A" if key[-1] != "A" else "B"))

    def test_that_were_revoked_are_refused(self, world: World, door: Door) -> None:
        assert door.refuses(x_api_key=world.issue(PEOPLE["coach"].id, revoked=True))

    def test_hold_until_they_expire(self, world: World, door: Door) -> None:
        key = world.issue(PEOPLE["coach"].id, expires_at=1_800_000_100)

        door.clock.moment = at(1_800_000_099.9)
        assert door.admit(x_api_key=key).profile_id == COACH

        door.clock.moment = at(1_800_000_100.0)
        assert door.refuses(x_api_key=key)

    def test_without_an_expiry_hold(self, world: World, door: Door) -> None:
        key = world.key("coach")
        door.clock.moment = at(4_000_000_000.0)

        assert door.admit(x_api_key=key).profile_id == COACH

    def test_that_name_only_a_group_need_a_token(self, world: World, door: Door) -> None:
        with pytest.raises(Unauthenticated, match="names a group only"):
            door.admit(x_api_key=world.issue(None))

    def test_of_a_profile_that_does_not_exist_are_refused(self, world: World, door: Door) -> None:
        assert door.refuses(x_api_key=world.issue(NOBODY))

    def test_of_one_group_do_not_open_a_profile_of_another(self, world: World, door: Door) -> None:
        assert door.refuses(x_api_key=world.issue(PEOPLE["coach"].id, group=OTHER_GROUP))

    def test_are_stored_only_as_their_sha256(self, world: World) -> None:
        key = world.key("coach")

        stored = str(world.aws.dynamodb.scan(TableName=world.table.name)["Items"])

        assert key not in stored
        assert key.rpartition(".")[2] not in stored
        assert hashlib.sha256(key.encode()).hexdigest() in stored

    def test_are_random(self, world: World) -> None:
        first, second = world.issue(PEOPLE["coach"].id), world.issue(PEOPLE["coach"].id)

        assert first.rpartition(".")[2] != second.rpartition(".")[2]
        assert len(first.rpartition(".")[2]) == 43

    def test_that_were_just_issued_are_known(self, world: World, door: Door) -> None:
        key = world.key("coach")
        item = world.table.get(keys.api_key(digest_of(key)))
        assert item is not None
        world.aws.dynamodb.delete_item(
            TableName=world.table.name, Key={"pk": {"S": f"key#{digest_of(key)}"}, "sk": {"S": "key"}}
        )
        assert door.refuses(x_api_key=key)

        world.table.put(keys.api_key(digest_of(key)), {**item, "seq": 1, "version": 1}, write_id="x", based_on=None)

        assert door.admit(x_api_key=key).profile_id == COACH


class TestNothing:
    @pytest.mark.parametrize(
        "headers", [{}, {"x_api_key": ""}, {"authorization": ""}, {"x_api_key": " ", "authorization": " "}]
    )
    def test_is_refused(self, door: Door, headers: dict[str, str]) -> None:
        assert door.refuses(**headers)


class TestTokens:
    @pytest.mark.parametrize("kid", ["rs-1", "ec-1"])
    def test_signed_by_a_published_key_name_the_profile(self, token_door: Door, issuer: Issuer, kid: str) -> None:
        caller = token_door.admit(authorization=f"Bearer {issuer.token(COACH, kid)}")

        assert (caller.group_id, caller.profile_id, caller.role) == (GROUP, COACH, "instructional")

    @pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer  "])
    def test_the_scheme_has_no_case(self, token_door: Door, issuer: Issuer, scheme: str) -> None:
        assert token_door.admit(authorization=f"{scheme} {issuer.token(COACH)}").profile_id == COACH

    @pytest.mark.parametrize(
        "header",
        [
            "Basic dTpw",
            "Bearer",
            "Bearer ",
            "Token x",
            "x",
            "Bearer a.b.c",
            "Bearer ..",
            "Bearer \u20ac",
            "Bearer \ud800",
        ],
    )
    def test_other_headers_are_refused(self, token_door: Door, header: str) -> None:
        assert token_door.refuses(authorization=header)

    def test_without_a_scheme_are_refused(self, token_door: Door, issuer: Issuer) -> None:
        assert token_door.refuses(authorization=issuer.token(COACH))

    @pytest.mark.parametrize(
        "claims",
        [
            pytest.param({"exp": 1_000_000_000}, id="expired"),
            pytest.param({"nbf": 4_000_000_000}, id="not yet valid"),
            pytest.param({"iat": 4_000_000_000}, id="issued in the future"),
            pytest.param({"iss": "https://other.test/"}, id="another issuer"),
            pytest.param({"iss": ISSUER.rstrip("/")}, id="nearly the issuer"),
            pytest.param({"aud": "another"}, id="another audience"),
            pytest.param({"aud": ["another", "yet another"]}, id="other audiences"),
            pytest.param({"aud": []}, id="no audience"),
            pytest.param({"exp": None}, id="without expiry"),
            pytest.param({"iss": None}, id="without issuer"),
            pytest.param({"aud": None}, id="without audience"),
            pytest.param({"sub": None}, id="without subject"),
            pytest.param({"sub": "coach"}, id="subject is no id"),
            pytest.param({"sub": ""}, id="empty subject"),
            pytest.param({"sub": 7}, id="subject is a number"),
            pytest.param({"sub": NOBODY}, id="subject is nobody"),
            pytest.param({"exp": "soon"}, id="expiry is no time"),
            pytest.param({"iat": "lately"}, id="issue is no time"),
            pytest.param({"nbf": [1]}, id="begin is no time"),
        ],
    )
    def test_whose_claims_do_not_hold_are_refused(
        self, token_door: Door, issuer: Issuer, claims: dict[str, Any]
    ) -> None:
        assert token_door.refuses(authorization=f"Bearer {issuer.token(COACH, **claims)}")

    @pytest.mark.parametrize("off", [3_600, -3_600], ids=["fast", "slow"])
    @pytest.mark.parametrize(
        ("claims", "refused"),
        [
            pytest.param({"exp": 60}, False, id="not yet expired"),
            pytest.param({"exp": -60}, True, id="expired"),
            pytest.param({"nbf": -60}, False, id="already valid"),
            pytest.param({"nbf": 60}, True, id="not yet valid"),
            pytest.param({"iat": -60}, False, id="just issued"),
            pytest.param({"iat": 60}, True, id="issued in the future"),
        ],
    )
    def test_have_times_that_are_held_against_the_corrected_clock(
        self, token_door: Door, issuer: Issuer, off: int, claims: dict[str, int], refused: bool
    ) -> None:
        # Given an environment whose machine is an hour fast or slow, as it knows
        now = int(time.time()) - off
        token_door.clock.moment = at(now)
        times = {"iat": now - 7_200, "exp": now + 7_200} | {name: now + by for name, by in claims.items()}
        # Then the machine's own time does not matter
        assert token_door.refuses(authorization=f"Bearer {issuer.token(COACH, **times)}") is refused

    def test_for_several_audiences_are_taken(self, token_door: Door, issuer: Issuer) -> None:
        token = issuer.token(COACH, aud=["another", AUDIENCE])

        assert token_door.admit(authorization=f"Bearer {token}").profile_id == COACH

    def test_subjects_are_taken_in_any_spelling(self, token_door: Door, issuer: Issuer) -> None:
        token = issuer.token(COACH.upper())

        assert token_door.admit(authorization=f"Bearer {token}").profile_id == COACH

    def test_may_hold_what_no_utf8_can(self, token_door: Door, issuer: Issuer) -> None:
        assert token_door.admit(authorization=f"Bearer {issuer.token(COACH, sid='\ud800')}").profile_id == COACH

    def test_with_another_signature_are_refused(self, token_door: Door, issuer: Issuer) -> None:
        head, payload, _ = issuer.token(COACH).split(".")
        _, _, signature = issuer.token(PEOPLE["root"].id).split(".")

        assert token_door.refuses(authorization=f"Bearer {head}.{payload}.{signature}")

    def test_with_another_payload_are_refused(self, world: World, token_door: Door, issuer: Issuer) -> None:
        head, _, signature = issuer.token(COACH).split(".")
        _, payload, _ = issuer.token(PEOPLE["root"].id).split(".")

        assert token_door.refuses(authorization=f"Bearer {head}.{payload}.{signature}")

    def test_that_are_not_signed_are_refused(self, token_door: Door, issuer: Issuer) -> None:
        _, payload, _ = issuer.token(COACH).split(".")

        assert token_door.refuses(authorization=f"Bearer {encoded({'alg': 'none', 'kid': 'rs-1'})}.{payload}.")

    def test_signed_with_the_public_key_as_a_secret_are_refused(self, token_door: Door, issuer: Issuer) -> None:
        _, payload, _ = issuer.token(COACH).split(".")
        signed = f"{encoded({'alg': 'HS256', 'kid': 'rs-1'})}.{payload}"
        secret = json.dumps(public_jwk("rs-1")).encode()
        digest = hmac.new(secret, signed.encode(), hashlib.sha256).digest()

        assert token_door.refuses(authorization=f"Bearer {signed}.{unpadded(digest)}")

    def test_that_name_the_key_of_another_algorithm_are_refused(self, token_door: Door, issuer: Issuer) -> None:
        token = issuer.token(COACH, "rs-1", headers={"kid": "ec-1"})

        assert token_door.refuses(authorization=f"Bearer {token}")

    def test_that_name_no_key_are_refused(self, token_door: Door, issuer: Issuer) -> None:
        assert token_door.refuses(authorization=f"Bearer {issuer.token(COACH, headers={'kid': ''})}")

    def test_are_refused_where_the_deployment_takes_none(self, world: World, door: Door, issuer: Issuer) -> None:
        with pytest.raises(Unauthenticated, match="accepts no bearer tokens"):
            door.admit(authorization=f"Bearer {issuer.token(COACH)}")
        assert issuer.fetches == 0

    def test_claims_give_neither_role_nor_group_nor_departments(
        self, world: World, token_door: Door, issuer: Issuer
    ) -> None:
        learner = PEOPLE["learner"].id
        claims: dict[str, Any] = {
            "role": "superadmin",
            "group": OTHER_GROUP,
            "group_id": OTHER_GROUP,
            "departments": [SALES],
        }

        caller = token_door.admit(authorization=f"Bearer {issuer.token(learner, **claims)}")

        assert (caller.role, caller.group_id, caller.department_ids) == ("learner", GROUP, frozenset({CARE}))


class TestPublishedKeys:
    def test_are_fetched_once_for_many_tokens(self, token_door: Door, issuer: Issuer) -> None:
        for _ in range(3):
            token_door.admit(authorization=f"Bearer {issuer.token(COACH)}")

        assert issuer.fetches == 1

    def test_an_unknown_kid_fetches_them_again_after_a_minute(self, token_door: Door, issuer: Issuer) -> None:
        token_door.admit(authorization=f"Bearer {issuer.token(COACH, 'rs-1')}")
        issuer.publish("rs-2")
        token_door.clock.moment += timedelta(seconds=60)

        caller = token_door.admit(authorization=f"Bearer {issuer.token(COACH, 'rs-2')}")

        assert caller.profile_id == COACH
        assert issuer.fetches == 2

    def test_but_not_sooner(self, token_door: Door, issuer: Issuer) -> None:
        token_door.admit(authorization=f"Bearer {issuer.token(COACH, 'rs-1')}")
        issuer.publish("rs-2")
        token_door.clock.moment += timedelta(seconds=59.9)

        assert token_door.refuses(authorization=f"Bearer {issuer.token(COACH, 'rs-2')}")
        assert issuer.fetches == 1

    def test_made_up_kids_fetch_once_a_minute_at_most(self, token_door: Door, issuer: Issuer) -> None:
        issuer.publish("rs-1")
        for second in range(121):
            token_door.clock.moment += timedelta(seconds=1)
            assert token_door.refuses(authorization=f"Bearer {issuer.token(COACH, headers={'kid': f'x{second}'})}")

        assert issuer.fetches == 3

    def test_one_that_was_withdrawn_is_refused_after_ten_minutes(self, token_door: Door, issuer: Issuer) -> None:
        token_door.admit(authorization=f"Bearer {issuer.token(COACH, 'rs-1')}")
        issuer.publish("ec-1")
        token_door.clock.moment += timedelta(seconds=600)

        assert token_door.refuses(authorization=f"Bearer {issuer.token(COACH, 'rs-1')}")

    @pytest.mark.parametrize("frozen", CLOCKS)
    def test_one_that_was_withdrawn_is_refused_after_ten_minutes_by_either_clock(
        self, frozen: str, token_door: Door, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token_door.clock.replaces_monotonic(monkeypatch)
        token_door.admit(authorization=f"Bearer {issuer.token(COACH, 'rs-1')}")
        issuer.publish("ec-1")
        token_door.clock.passes(frozen, seconds=600)

        assert token_door.refuses(authorization=f"Bearer {issuer.token(COACH, 'rs-1')}")

    def test_one_that_was_withdrawn_is_refused_as_soon_as_they_are_fetched_again(
        self, token_door: Door, issuer: Issuer
    ) -> None:
        token_door.admit(authorization=f"Bearer {issuer.token(COACH, 'rs-1')}")
        issuer.publish("rs-2")
        token_door.clock.moment += timedelta(seconds=60)
        token_door.admit(authorization=f"Bearer {issuer.token(COACH, 'rs-2')}")

        assert token_door.refuses(authorization=f"Bearer {issuer.token(COACH, 'rs-1')}")

    @pytest.mark.parametrize(
        ("status", "answer"),
        [
            (500, b"{}"),
            (404, b""),
            (200, b"no json"),
            (200, b"\xff"),
            (200, b"[]"),
            (200, b"{}"),
            (200, b'{"keys": []}'),
            (200, b'{"keys": 7}'),
            (200, b'{"keys": [7]}'),
            (200, b'{"keys": [{"kty": "unheard-of", "kid": "rs-1"}]}'),
        ],
    )
    def test_that_cannot_be_had_are_503(self, token_door: Door, issuer: Issuer, status: int, answer: bytes) -> None:
        token = issuer.token(COACH)
        issuer.status, issuer.answer = status, answer

        with pytest.raises(Unavailable) as caught:
            token_door.admit(authorization=f"Bearer {token}")
        assert caught.value.retry_after == 2

    def test_that_are_held_are_used_while_the_issuer_is_out_of_reach(self, token_door: Door, issuer: Issuer) -> None:
        token = issuer.token(COACH, exp=int(time.time()) + 7_200)
        token_door.admit(authorization=f"Bearer {token}")
        issuer.status, issuer.answer = 503, b""
        token_door.clock.moment += timedelta(seconds=3_600)

        assert token_door.admit(authorization=f"Bearer {token}").profile_id == COACH

    def test_are_found_again_once_the_issuer_is_back(self, token_door: Door, issuer: Issuer) -> None:
        issuer.status = 503
        with pytest.raises(Unavailable):
            token_door.admit(authorization=f"Bearer {issuer.token(COACH)}")
        issuer.status = 200

        assert token_door.admit(authorization=f"Bearer {issuer.token(COACH)}").profile_id == COACH

    def test_are_not_looked_for_elsewhere(self, token_door: Door, issuer: Issuer) -> None:
        issuer.status, issuer.location = 302, issuer.url

        with pytest.raises(Unavailable):
            token_door.admit(authorization=f"Bearer {issuer.token(COACH)}")
        assert issuer.fetches == 1

    def test_that_are_secrets_sign_nothing(self, token_door: Door, issuer: Issuer) -> None:
        issuer.answer = b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "rs-1"}]}'
        _, payload, _ = issuer.token(COACH).split(".")
        signed = f"{encoded({'alg': 'HS256', 'kid': 'rs-1'})}.{payload}"
        digest = hmac.new(b"secret", signed.encode(), hashlib.sha256).digest()

        assert token_door.refuses(authorization=f"Bearer {signed}.{unpadded(digest)}")

    def test_that_this_service_cannot_use_do_not_hide_the_others(self, token_door: Door, issuer: Issuer) -> None:
        odd = [{"kty": "unheard-of", "kid": "odd"}, {**public_jwk("rs-1"), "kid": None}]
        issuer.answer = json.dumps({"keys": [*odd, public_jwk("rs-1")]}).encode()

        assert token_door.admit(authorization=f"Bearer {issuer.token(COACH)}").profile_id == COACH


class TestBoth:
    def test_the_token_names_the_profile(self, world: World, token_door: Door, issuer: Issuer) -> None:
        caller = token_door.admit(x_api_key=world.key("root"), authorization=f"Bearer {issuer.token(COACH)}")

        assert (caller.profile_id, caller.role) == (COACH, "instructional")

    def test_a_key_that_names_only_the_group_will_do(self, world: World, token_door: Door, issuer: Issuer) -> None:
        caller = token_door.admit(x_api_key=world.issue(None), authorization=f"Bearer {issuer.token(COACH)}")

        assert (caller.profile_id, caller.group_id) == (COACH, GROUP)

    def test_of_different_groups_are_refused(self, world: World, token_door: Door, issuer: Issuer) -> None:
        authorization = f"Bearer {issuer.token(COACH)}"

        assert token_door.refuses(x_api_key=world.key("stranger"), authorization=authorization)
        assert token_door.refuses(x_api_key=world.issue(None, group=OTHER_GROUP), authorization=authorization)

    def test_with_a_bad_key_are_refused(self, world: World, token_door: Door, issuer: Issuer) -> None:
        authorization = f"Bearer {issuer.token(COACH)}"

        assert token_door.refuses(x_api_key="psk.group.x", authorization=authorization)
        assert token_door.refuses(x_api_key=world.issue(None, revoked=True), authorization=authorization)
        assert token_door.refuses(x_api_key=world.issue(None, expires_at=1), authorization=authorization)

    def test_with_a_bad_token_are_refused(self, world: World, token_door: Door, issuer: Issuer) -> None:
        key = world.key("coach")

        assert token_door.refuses(x_api_key=key, authorization=f"Bearer {issuer.token(COACH, exp=1)}")
        assert token_door.refuses(x_api_key=key, authorization="Basic dTpw")


class TestWithinAMinute:
    """Tests of a key and a profile that are believed without being read again."""

    def test_a_revoked_key_is_refused(self, world: World, door: Door) -> None:
        key = world.key("coach")
        door.admit(x_api_key=key)
        world.profiles.revoke(digest_of(key), "revoke.1")

        door.clock.moment += timedelta(seconds=59.9)
        assert door.admit(x_api_key=key).profile_id == COACH

        door.clock.moment += timedelta(seconds=0.1)
        assert door.refuses(x_api_key=key)

    @pytest.mark.parametrize("frozen", CLOCKS)
    def test_a_revoked_key_is_refused_though_a_clock_stands_still(
        self, frozen: str, world: World, door: Door, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        door.clock.replaces_monotonic(monkeypatch)
        key = world.key("coach")
        door.admit(x_api_key=key)
        world.profiles.revoke(digest_of(key), "revoke.1")

        door.clock.passes(frozen, seconds=60)

        assert door.refuses(x_api_key=key)

    @pytest.mark.parametrize("frozen", CLOCKS)
    def test_another_role_takes_effect_though_a_clock_stands_still(
        self, frozen: str, world: World, door: Door, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        door.clock.replaces_monotonic(monkeypatch)
        key = world.key("coach")
        door.admit(x_api_key=key)
        world.profile("coach", role="learner")

        door.clock.passes(frozen, seconds=60)

        assert door.admit(x_api_key=key).role == "learner"

    def test_a_revoked_key_that_is_polled_every_second_is_refused_after_sixty(
        self, world: World, door: Door, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a key that is revoked as soon as it was read
        door.clock.replaces_monotonic(monkeypatch)
        key = world.key("coach")
        door.admit(x_api_key=key)
        world.profiles.revoke(digest_of(key), "revoke.1")
        # When an answer of AWS sets the time back by a second, as far as it may be off
        door.clock.moment -= timedelta(seconds=1)
        for _ in range(60):
            door.clock.passes(seconds=1)
            refused = door.refuses(x_api_key=key)
        # Then
        assert refused

    def test_a_revoked_key_is_refused_by_an_environment_that_stood_still(self, world: World, clock: Clock) -> None:
        # Given an environment that has seen the key, and is then frozen, its monotonic clock too
        client, key = warm_client(world), world.key("coach")
        assert client.call("drafts", x_api_key=key).status == 200
        world.profiles.revoke(digest_of(key), "revoke.1")
        clock.moment += timedelta(seconds=60)
        # When it thaws, then
        assert client.call("drafts", x_api_key=key).status == 401

    def test_another_role_takes_effect(self, world: World, door: Door) -> None:
        key = world.key("coach")
        door.admit(x_api_key=key)
        world.profile("coach", role="learner")

        door.clock.moment += timedelta(seconds=60)

        assert door.admit(x_api_key=key).role == "learner"

    def test_other_departments_take_effect(self, world: World, door: Door) -> None:
        key = world.key("coach")
        door.admit(x_api_key=key)
        world.profile("coach", departments=(SALES,))

        door.clock.moment += timedelta(seconds=60)

        assert door.admit(x_api_key=key).department_ids == frozenset({SALES})

    def test_asking_does_not_prolong_what_is_believed(self, world: World, door: Door) -> None:
        key = world.key("coach")
        door.admit(x_api_key=key)
        world.profile("coach", role="learner")
        roles = []
        for _ in range(3):
            door.clock.moment += timedelta(seconds=20)
            roles.append(door.admit(x_api_key=key).role)

        assert roles == ["instructional", "instructional", "learner"]

    def test_a_key_that_expires_meanwhile_is_refused_at_once(self, world: World, door: Door) -> None:
        key = world.issue(PEOPLE["coach"].id, expires_at=1_800_000_010)
        door.admit(x_api_key=key)

        door.clock.moment += timedelta(seconds=10)

        assert door.refuses(x_api_key=key)

    def test_a_profile_is_believed_whichever_credential_names_it(
        self, world: World, token_door: Door, issuer: Issuer
    ) -> None:
        token_door.admit(x_api_key=world.key("coach"))
        world.profile("coach", role="learner")
        token_door.clock.moment += timedelta(seconds=60)

        assert token_door.admit(authorization=f"Bearer {issuer.token(COACH)}").role == "learner"


class TestMcp:
    @pytest.mark.parametrize("value", ["true", "TRUE", " True ", "1", " 1", "yes", "YES", "Yes "])
    def test_is_marked(self, world: World, door: Door, value: str) -> None:
        assert door.admit(x_api_key=world.key("coach"), x_mcp=value).mcp is True

    @pytest.mark.parametrize("value", ["", "0", "false", "no", "on", "y", "t", "2", "truee", "11"])
    def test_is_not_marked(self, world: World, door: Door, value: str) -> None:
        assert door.admit(x_api_key=world.key("coach"), x_mcp=value).mcp is False


class TestThroughTheHandlers:
    def test_a_token_alone_will_do(self, world: World, issuer: Issuer) -> None:
        answer = world.anyone(Authorization=f"Bearer {issuer.token(COACH)}").call("get", {})

        assert answer.status == 200
        assert answer.body["actor_name"] == "coach"

    def test_a_tokens_claims_do_not_make_a_writer(self, world: World, issuer: Issuer) -> None:
        token = issuer.token(PEOPLE["learner"].id, role="superadmin")

        answer = world.anyone(Authorization=f"Bearer {token}").call("create", {"personas": [NEEDED]})

        assert fault(answer) == (403, "role_may_not_write")

    def test_an_issuer_out_of_reach_is_503_with_retry_after(self, world: World, issuer: Issuer) -> None:
        issuer.status = 500

        answer = world.anyone(Authorization=f"Bearer {issuer.token(COACH)}").call("get", {})

        assert fault(answer) == (503, "unavailable")
        assert answer.headers["Retry-After"] == "2"

    def test_no_body_can_name_the_caller(self, world: World) -> None:
        body = {"profile_id": PEOPLE["root"].id, "group_id": OTHER_GROUP, "role": "superadmin"}

        answer = world.client("coach").call("get", body)

        assert (answer.body["actor_name"], answer.body["group_id"]) == ("coach", GROUP)


def unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def encoded(part: dict[str, object]) -> str:
    return unpadded(json.dumps(part).encode())
