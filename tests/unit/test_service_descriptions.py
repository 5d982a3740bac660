"""The reader of botocore's descriptions of services, beside botocore's own."""

import pytest
from botocore.loaders import Loader

from personas.runtime import _Data, _Files

DATA = Loader.BUILTIN_DATA_PATH


@pytest.mark.parametrize(
    "name", ["endpoints", "partitions", "sdk-default-configuration", "dynamodb/2012-08-10/service-2"]
)
def test_a_file_holds_what_botocore_reads_in_it(name: str) -> None:
    # Given a file of botocore's, packed or not; when both read it, then both find the same, in the same order.
    ours, theirs = _Files().load_file(f"{DATA}/{name}"), Loader().file_loader.load_file(f"{DATA}/{name}")
    assert ours == theirs
    assert repr(ours) == repr(plain(theirs))


def plain(value: object) -> object:
    """Return a value of JSON with dictionaries in place of ordered ones."""
    match value:
        case dict():
            return {key: plain(each) for key, each in value.items()}
        case list():
            return [plain(each) for each in value]
    return value


def test_a_file_that_is_not_there_holds_nothing() -> None:
    assert _Files().load_file(f"{DATA}/dynamodb/2012-08-10/none") is None


def test_the_loader_of_the_clients_reads_by_it() -> None:
    assert isinstance(_Data().file_loader, _Files)
