"""The bytes of an object: whoever cannot decode its sections has found damage."""

import pytest

from personas.search.object_format import SnapshotDamaged, seal, unseal

MAGIC = b"PERTEXTS"


@pytest.mark.parametrize("error", [IndexError, KeyError, TypeError, ValueError])
def test_sections_that_cannot_be_decoded_are_damage(error: type[Exception]) -> None:
    # Given a whole object,
    data = seal(MAGIC, 1, [b"one", b"two"])
    # when its sections cannot be decoded, then that is told as damage.
    with pytest.raises(SnapshotDamaged, match="do not fit together"), unseal(MAGIC, (1,), data):
        raise error
