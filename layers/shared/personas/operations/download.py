"""download: where the file of an export can be fetched."""

from pydantic_core import PydanticCustomError

from personas.contract.base import canonical_id
from personas.contract.download import DownloadResponse
from personas.domain.permissions import may_download
from personas.domain.profile import Caller
from personas.errors import NotFound
from personas.services import Services


def file_address(services: Services, caller: Caller, upload_id: str) -> DownloadResponse:
    """Return an address that needs no key and works for five minutes. One round.

    Raises:
        NotFound: there is no such export, or not for this caller: the words are the same.
        Unavailable: the table cannot be read now.
    """
    try:
        export = services.exports.get(canonical_id(upload_id))
    except PydanticCustomError:
        export = None
    if export is None or not may_download(caller, export.group_id, export.profile_id):
        raise NotFound("There is no such upload, or it is no longer kept.")
    url, expires_at = services.exports.address(export)
    return DownloadResponse(url=url, expires_at=expires_at.isoformat())
