"""An issuer of bearer tokens: publishes its keys over HTTP on 127.0.0.1, and counts who asks for them."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER: Final = "https://issuer.test/"
AUDIENCE: Final = "personas-test"

type PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def private_key(kid: str) -> PrivateKey:
    """Return the private key of that id, made once a process.

    It is on an elliptic curve if the id begins with "ec", else an RSA key.
    """
    if kid.startswith("ec"):
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


def algorithm_of(kid: str) -> str:
    """Return the algorithm by which that key signs."""
    return "ES256" if kid.startswith("ec") else "RS256"


def public_jwk(kid: str) -> dict[str, Any]:
    """Return the public half of a key in the form of JWKS."""
    key = private_key(kid)
    if isinstance(key, rsa.RSAPrivateKey):
        jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**jwk, "kid": kid, "alg": algorithm_of(kid), "use": "sig"}


class Issuer:
    """``answer`` is what it says to whoever asks for its keys; ``fetches`` is how often that was."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/jwks.json"
        self.fetches = 0
        self.status = 200
        self.location = ""
        self.answer = b""
        self.reset()

    def reset(self) -> None:
        """Return to the initial state: two keys, and no fetches."""
        self.fetches = 0
        self.status = 200
        self.location = ""
        self.publish("rs-1", "ec-1")

    def publish(self, *kids: str) -> None:
        """Have these keys in the JWKS, and no others."""
        self.answer = json.dumps({"keys": [public_jwk(kid) for kid in kids]}).encode()

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of a function that accepts these tokens."""
        return {"JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE, "JWT_JWKS_URL": self.url}

    def token(
        self, subject: str, kid: str = "rs-1", *, headers: Mapping[str, object] | None = None, **claims: object
    ) -> str:
        """Return a token for a profile, valid for an hour; ``claims`` replace its claims, None removes one."""
        now = int(time.time())
        payload = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 3600, **claims}
        payload = {name: value for name, value in payload.items() if value is not None}
        sent_headers = {"kid": kid, **(headers or {})}
        return jwt.encode(payload, private_key(kid), algorithm_of(kid), {k: v for k, v in sent_headers.items() if v})


@contextmanager
def serving() -> Iterator[Issuer]:
    """Run an issuer that answers until the end of the block."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that the base class calls
            issuer.fetches += 1
            self.send_response(issuer.status)
            self.send_header("Content-Length", str(len(issuer.answer)))
            if issuer.location:
                self.send_header("Location", issuer.location)
            self.end_headers()
            self.wfile.write(issuer.answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        issuer = Issuer(server.server_port)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()
