"""API2, broken authentication: tokens that were tampered with, and keys that were guessed.

Claims, times, signatures and unsigned tokens are in tests/integration/test_identity.py; here are the attacks on what a
verifier reads before it verifies. Whatever is sent, the answer is 401, never a 500.
"""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from personas.identity import new_key
from personas.runtime import dynamodb
from personas.tokens import ALGORITHMS
from support.issuer import AUDIENCE, ISSUER, Issuer, private_key, public_jwk
from support.world import PEOPLE, World, fault

ROOT: Final = PEOPLE["root"].id
CLAIMS: Final[Mapping[str, Any]] = {"iss": ISSUER, "aud": AUDIENCE, "sub": ROOT, "exp": 4_000_000_000}

KIDS: Final = (
    "../../../../dev/null",
    "/dev/null",
    "file:///dev/null",
    "http://127.0.0.1/keys",
    "rs-1\x00",
    "RS-1",
    " rs-1",
    "rs-1' OR '1'='1",
    "$(id)",
    "__class__",
    "\u20ac",
    "\ud800",
    "k" * 4_000,
)


def signed_by(kid: str, algorithm: str, **headers: object) -> str:
    """Return a token of root's that is signed by our key, or by the attacker's."""
    return jwt.encode(dict(CLAIMS), private_key(kid), algorithm, {"kid": "rs-1", **headers})


def forged(header: object, payload: object = CLAIMS, signature: bytes = b"\x00" * 64) -> str:
    """Return a token that is assembled by hand."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def with_the_public_key_as_pem() -> str:
    """Return a token signed by HS256 with the public key as it is published in a file."""
    pem = private_key("rs-1").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    algorithm = jwt.get_algorithm_by_name("HS256")
    head, payload, _ = forged({"alg": "HS256", "kid": "rs-1"}).split(".")
    return f"{head}.{payload}." + base64.urlsafe_b64encode(algorithm.sign(f"{head}.{payload}".encode(), pem)).decode()


def raw(header: bytes) -> str:
    """Return a token whose header is these bytes."""
    return base64.urlsafe_b64encode(header).rstrip(b"=").decode() + ".e30.AAAA"


ATTACKS: Final[Mapping[str, Callable[[], str]]] = {
    **{f"alg {alg}": lambda alg=alg: forged({"alg": alg, "kid": "rs-1"}, signature=b"")
       for alg in ("none", "None", "NONE", "nOnE", "", None, [], ["RS256"], {}, 7, "HS256", "rs256", "EdDSA")},
    "public key as a secret": with_the_public_key_as_pem,
    "RS512 of the right key": lambda: signed_by("rs-1", "RS512"),
    "PS256 of the right key": lambda: signed_by("rs-1", "PS256"),
    "key in the header": lambda: signed_by("rs-9", "RS256", jwk=public_jwk("rs-9")),
    "ES256 with r = s = 0": lambda: forged({"alg": "ES256", "kid": "ec-1"}),
    "no signature": lambda: forged({"alg": "RS256", "kid": "rs-1"}, signature=b""),
    "crit": lambda: signed_by("rs-1", "RS256", crit=["x"], x=1),
    "payload outside": lambda: signed_by("rs-1", "RS256", b64=False, crit=["b64"]),
    "alg twice": lambda: raw(b'{"alg": "RS256", "kid": "rs-1", "alg": "none"}'),
    "five parts": lambda: "a.b.c.d.e",
    "more behind": lambda: signed_by("rs-1", "RS256") + ".x",
    "deep header": lambda: raw(b"[" * 5_000),
    "header of a huge number": lambda: raw(b'{"kid": ' + b"9" * 5_000 + b"}"),
    "header that is not UTF-8": lambda: raw(b"\xff\xfe"),
    "huge token": lambda: jwt.encode({**CLAIMS, "x": "x" * 10_000}, private_key("rs-1"), "RS256", {"kid": "rs-1"}),
    "two schemes": lambda: "Bearer " + signed_by("rs-1", "RS256"),
    **{f"kid {kid[:20]!r}": lambda kid=kid: forged({"alg": "RS256", "kid": kid}) for kid in KIDS},
    **{f"kid {kid}": lambda kid=kid: forged({"alg": "RS256", "kid": kid}) for kid in (None, 1, [], {}, True)},
}  # fmt: skip


@pytest.fixture
def trusting(world: World, issuer: Issuer) -> World:
    """Provide the world, whose functions trust the issuer's tokens."""
    return world


def test_a_sound_token_is_let_in(trusting: World) -> None:
    """So that the refusals below are for their reasons."""
    token = signed_by("rs-1", "RS256")

    assert trusting.anyone(Authorization=f"Bearer {token}").call("get", {}).status == 200


@pytest.mark.parametrize("attack", ATTACKS)
def test_is_refused(trusting: World, attack: str) -> None:
    answer = trusting.anyone(Authorization=f"Bearer {ATTACKS[attack]()}").call("get", {})

    assert fault(answer) == (401, "unauthenticated")
    assert "WWW-Authenticate" in answer.headers


@pytest.mark.parametrize("header", ["jku", "x5u"])
def test_no_address_in_a_token_is_asked_for_keys(trusting: World, issuer: Issuer, header: str) -> None:
    """Also API7: the one address that the service asks is in its settings."""
    address = issuer.url.replace("jwks.json", "attackers.json")
    token = signed_by("rs-9", "RS256", **{header: address})

    answer = trusting.anyone(Authorization=f"Bearer {token}").call("get", {})

    assert fault(answer) == (401, "unauthenticated")
    assert issuer.fetches == 1


def test_only_algorithms_with_a_public_key_are_taken() -> None:
    assert ALGORITHMS == ("RS256", "ES256")


class TestGuessing:
    """A key is 256 random bits behind its profile's id: a guess is one read, and no guess makes the next cheaper."""

    @pytest.mark.usefixtures("over_http")
    def test_a_wrong_key_costs_one_read_every_time(self, world: World) -> None:
        reads: list[str] = []
        client = world.anyone()
        client.call("get", {})

        def note(event_name: str, **_: object) -> None:
            reads.append(event_name)

        dynamodb().meta.events.register("before-send.dynamodb", note)

        answers = [client.call("get", "{", X_Api_Key=new_key(ROOT)) for _ in range(5)]
        dynamodb().meta.events.unregister("before-send.dynamodb", note)

        # 401 and not 400: a guesser learns nothing about what it sent besides.
        assert {fault(answer) for answer in answers} == {(401, "unauthenticated")}
        assert [each.rpartition(".")[2] for each in reads] == ["BatchGetItem"] * 5

    def test_whose_it_nearly_is_makes_no_difference(self, world: World) -> None:
        good = world.key("root")
        unknown, near, of_nobody = new_key(ROOT), good[:-1] + ("A" if good[-1] != "A" else "B"), new_key(None)

        told = [world.anyone(X_Api_Key=key).call("get", {}).body["detail"] for key in (unknown, near, of_nobody)]

        assert len(set(told)) == 1
