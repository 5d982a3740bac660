"""The address that a download leads to, asked of a store that judges it."""

import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from urllib.parse import urlsplit

import httpx2
import pytest

from personas_tools.template import Function, TableRequest
from support.emulated import emulated_aws
from support.warm import unguarded_world, warm_client
from support.world import NEEDED, World

pytestmark = pytest.mark.emulator


@pytest.fixture(scope="module")
def world(
    ministack: str, table_definitions: Mapping[str, TableRequest], deployed_functions: Mapping[str, Function]
) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        # The emulator's root key: it takes any key, but judges signed addresses by those it knows.
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.delenv("AWS_SESSION_TOKEN")
        with emulated_aws(ministack, table_definitions, deployed_functions) as aws:
            yield unguarded_world(aws)


def address_in(world: World) -> tuple[str, str]:
    """Export, and return the address of the file and its name."""
    client = warm_client(world)
    client.call("create", {"personas": [NEEDED]})
    export = client.call("export", {}).body
    answer = client.call("download", {"upload_id": export["upload_id"]})
    assert answer.status == 302, answer.text
    return answer.headers["Location"], export["file_name"]


def test_it_needs_no_key_and_gives_the_file_its_name(world: World) -> None:
    address, file_name = address_in(world)
    response = httpx2.get(address, trust_env=False)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Disposition"] == f'attachment; filename="{file_name}"'
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.text.startswith("\ufeffpersona_id,name,")


def test_when_its_time_is_over_the_store_refuses_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personas.store.exports.ADDRESS_LIFE", timedelta(seconds=1))
    address, _ = address_in(world)
    time.sleep(2.1)  # the store goes by its own clock

    response = httpx2.get(address, trust_env=False)

    assert response.status_code == 403
    assert "expired" in response.text


def test_it_leads_to_no_other_file(world: World) -> None:
    (address, _), (other, _) = address_in(world), address_in(world)
    turned = address.replace(urlsplit(address).path, urlsplit(other).path)
    assert httpx2.get(turned, trust_env=False).status_code == 403
