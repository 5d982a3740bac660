"""The handlers answer in gzip where they are asked to."""

import base64
import gzip
import json

from support.world import World


def test_a_form_goes_out_in_gzip_and_is_the_same(world: World) -> None:
    # Given a caller whose form is longer than a packet
    client = world.client("root")
    plain = client.call("get", {})

    # When the same is asked for in gzip
    answer = client.call("get", {}, accept_encoding="gzip, br")

    # Then it says so, and unpacks to what it was
    assert answer.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(base64.b64decode(answer.text))) == plain.body
