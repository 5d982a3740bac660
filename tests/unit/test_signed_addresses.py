"""Signed addresses of files: of a kind that S3 takes in every region."""

from collections.abc import Iterator

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


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-southeast-2"])
def test_version_4_in_every_region(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    address = s3().generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "key"})
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in address
    assert f"%2F{region}%2Fs3%2F" in address
