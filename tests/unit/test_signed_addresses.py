"""Signed addresses of files: of a kind that S3 takes in every region."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import boto3
import pytest

from personas.runtime import s3


@pytest.fixture(autouse=True)
def _client_of_its_own() -> Iterator[None]:
    # The session keeps region and credentials as well.
    s3.cache_clear()
    boto3.setup_default_session()
    yield
    s3.cache_clear()
    boto3.setup_default_session()


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-southeast-4", "me-central-1", "af-south-1"])
def test_an_address_names_the_host_of_its_region(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The host without a region redirects for a day after the bucket is made, and never serves a region that one opts in
    # to, as all of these from the third on are.
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    address = urlsplit(s3().generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "key"}))
    assert (address.scheme, address.netloc, address.path) == ("https", f"bucket.s3.{region}.amazonaws.com", "/key")
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in address.query
    assert f"%2F{region}%2Fs3%2F" in address.query


def test_an_emulator_is_asked_by_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    address = urlsplit(s3().generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "key"}))
    assert (address.netloc, address.path) == ("127.0.0.1:4566", "/bucket/key")
