"""The errors of the service, one class a status, told apart by class and ``code``, never by text.

``PersonasError`` is what an operation may raise; ``api.py`` turns each into a problem document (RFC 9457).

    PersonasError
    ├── NotJson                 400
    ├── Unauthenticated         401
    ├── Forbidden               403
    ├── NotFound                404
    ├── MethodNotAllowed        405
    ├── Conflict                409
    │   ├── VersionConflict     409
    │   ├── Contended           409
    │   ├── GroupFull           409
    │   └── Unreadable          409
    ├── PreconditionFailed      412
    ├── TooLarge                413
    ├── UnsupportedMediaType    415
    ├── Invalid                 422
    ├── Unavailable             503
    │   ├── OutcomeUnknown      503
    │   ├── ViewRebuilding      503
    │   └── ExportUnfinished    503
    └── NotRemembered           200, with results
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

FAULTS_MAX: Final = 100
"""The number of fields at fault that one answer names."""


class Fault(NamedTuple):
    """A field at fault: a JSON pointer (RFC 6901) into the request body and a sentence a person can act on."""

    field: str
    message: str


class PersonasError(Exception):
    """An answer other than success.

    The caller reads ``detail``, so it holds neither secrets nor another group's data. ``code`` is stable across
    releases; ``members`` are extension members of the problem; ``retry_after`` is in seconds.
    """

    status: int = 500
    title: str = "Internal Server Error"
    default_code: str = "internal_error"
    may_have_saved: bool = False
    """True if a write may have taken effect all the same, so that a repeat must find it."""

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        errors: Sequence[Fault] = (),
        members: Mapping[str, object] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.errors = tuple(errors)
        self.members = dict(members or {})
        self.retry_after = retry_after


def internal() -> PersonasError:
    """Return the error of a defect, which tells nothing of its inside."""
    error = PersonasError("Something went wrong on our side. Quote the request_id when you report it.")
    error.may_have_saved = True
    return error


class NotJson(PersonasError):
    """The body is not JSON, or not UTF-8."""

    status = 400
    title = "Bad Request"
    default_code = "invalid_json"


class Unauthenticated(PersonasError):
    """The error of a call without a valid credential, or of one that names no profile."""

    status = 401
    title = "Unauthorized"
    default_code = "unauthenticated"


class Forbidden(PersonasError):
    """The profile is known and may not do this."""

    status = 403
    title = "Forbidden"
    default_code = "forbidden"


class NotFound(PersonasError):
    """The error about a thing that does not exist, or not for this caller: the two are answered in the same words."""

    status = 404
    title = "Not Found"
    default_code = "not_found"


class MethodNotAllowed(PersonasError):
    """The path takes another method."""

    status = 405
    title = "Method Not Allowed"
    default_code = "method_not_allowed"


class Conflict(PersonasError):
    """The state of the thing, or another call under way, forbids this one now."""

    status = 409
    title = "Conflict"
    default_code = "conflict"


class VersionConflict(Conflict):
    """Somebody wrote in between: the expected version is not the stored one."""

    default_code = "version_conflict"


class Contended(Conflict):
    """A write that lost every race until the time of its call was over: nothing was saved."""

    default_code = "contended"

    def __init__(self) -> None:
        super().__init__(
            "Others kept writing the same persona until there was no time left: nothing of this was saved. Send it"
            " again.",
            retry_after=1,
        )


class GroupFull(Conflict):
    """An item collection of 10 GB, which takes only writes that make it smaller: nothing of this one was stored."""

    default_code = "group_full"

    def __init__(self) -> None:
        super().__init__(
            "This group holds as much as one can, so nothing of this was saved. Delete what nobody needs, or make it"
            " shorter, and tell the operators of the service."
        )


class Unreadable(Conflict):
    """An item that cannot be read: it is damaged, or a version of this service wrote it that knows more.

    A call that reads many items leaves it out and counts it; a call that names this very one gets this answer. ``key``
    says where it stands and ``reason`` what is wrong with it: both are for the log, and neither holds any of its
    contents.
    """

    default_code = "unreadable"

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(
            "What is stored cannot be read, so nothing can be done with it. It is kept as it is, for the operators of"
            " the service to restore or to remove."
        )
        self.key = key
        self.reason = reason


class PreconditionFailed(PersonasError):
    """``If-Match`` names another version than the stored one."""

    status = 412
    title = "Precondition Failed"
    default_code = "precondition_failed"


class TooLarge(PersonasError):
    """The body is larger than the service reads."""

    status = 413
    title = "Content Too Large"
    default_code = "body_too_large"


class UnsupportedMediaType(PersonasError):
    """The body is declared as something other than JSON."""

    status = 415
    title = "Unsupported Media Type"
    default_code = "not_json_content"


class Invalid(PersonasError):
    """A field breaks a rule; ``errors`` says which."""

    status = 422
    title = "Unprocessable Content"
    default_code = "invalid"


class Unavailable(PersonasError):
    """A backing service throttles or cannot be reached; nothing of this write was stored."""

    status = 503
    title = "Service Unavailable"
    default_code = "unavailable"

    def __init__(self, detail: str, *, code: str | None = None, retry_after: int = 2) -> None:
        super().__init__(detail, code=code, retry_after=retry_after)


class OutcomeUnknown(Unavailable):
    """A write was sent and its answer never came: it may have been stored, and repeating it is safe."""

    default_code = "outcome_unknown"
    may_have_saved = True


class ViewRebuilding(Unavailable):
    """A group's views are far behind: to read what they lack takes longer than a request may."""

    default_code = "view_rebuilding"

    def __init__(self) -> None:
        super().__init__(
            "This group's view is being built anew, which takes longer than a request. Try again shortly.",
            retry_after=30,
        )


class ExportUnfinished(Unavailable):
    """The time of a request was over before all rows of a file were written: there is no file."""

    default_code = "export_unfinished"

    def __init__(self) -> None:
        super().__init__(
            "These personas could not be written within the time of one request, and no file was kept. Try again "
            "shortly, or export them in parts, by filters.",
            retry_after=30,
        )


class NotRemembered(PersonasError):
    """A call of several items whose ``results`` are answered, but not kept under its Idempotency-Key.

    Its answer is 200 and never a problem: ``Api.write`` catches it. It is raised, not returned, because Powertools
    keeps no answer of a call that raises.

    Nothing was saved; or for some items there was no time or no room, or nobody knows, and a repeat finds what was
    saved and completes the rest.
    """

    def __init__(self, results: Sequence[Mapping[str, object]], *, may_have_saved: bool) -> None:
        super().__init__("Some items may be saved if the call is repeated.")
        self.results = list(results)
        self.may_have_saved = may_have_saved
