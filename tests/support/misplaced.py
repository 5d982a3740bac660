"""Faults of the matrix (``support.matrix``) in which S3 answers with a whole object, but with another one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from support.faults import Outcome, Raw, Sent, answering
from support.mishaps import Fault
from support.swapped import VIEWS
from support.views import Views


class Place(NamedTuple):
    """A group's view."""

    group_id: str
    view: str


def snapshots(groups: Mapping[str, Views]) -> dict[Place, bytes]:
    """Return the objects of all views as they are now, by group and view."""
    return {
        Place(group_id, view): views.content(views.key(view)) for group_id, views in groups.items() for view in VIEWS
    }


@dataclass(frozen=True)
class Misplaced:
    """Objects to confuse: those of two groups as they are, and as they were one refresh before."""

    current: Mapping[Place, bytes]
    older: Mapping[Place, bytes]

    def faults(self) -> tuple[Fault, ...]:
        """Return the faults, which last as long as a damaged object would."""
        return (
            Fault("object of an earlier time", _of_views, _answering(self.older.__getitem__), spoils=True),
            Fault("object of another group", _of_views, _answering(self._foreign), spoils=True),
            Fault("object of another view", _of_views, _answering(self._of_another_view), spoils=True),
        )

    def _foreign(self, place: Place) -> bytes:
        (other,) = {each.group_id for each in self.current} - {place.group_id}
        return self.current[place._replace(group_id=other)]

    def _of_another_view(self, place: Place) -> bytes:
        return self.current[place._replace(view=VIEWS[VIEWS.index(place.view) - 1])]


_PREFIX: Final = "views"


def _place(path: str) -> Place:
    """Return the group and view of the object at a path of S3; the path may begin with the bucket."""
    parts = path.strip("/").split("/")
    return Place(*parts[parts.index(_PREFIX) + 1 :][:2])


def _of_views(sent: Sent) -> bool:
    return sent.operation == "GetObject" and _PREFIX in sent.path.split("/")


def _answering(find: Callable[[Place], bytes]) -> Outcome:
    """Let S3 answer with another object than the one that was asked for."""
    return answering(lambda response: Raw(find(_place(urlsplit(response.url).path))))
