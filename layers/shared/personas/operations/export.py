"""export: the personas that a search would find, as a CSV file."""

from codecs import BOM_UTF8
from collections.abc import Iterator
from uuid import uuid4

from personas.contract.export import ExportPersonasRequest, ExportPersonasResponse
from personas.domain.exporting import HEADER_LINE, CsvLines
from personas.domain.permissions import may_see
from personas.domain.profile import Caller
from personas.errors import ExportUnfinished, NotFound
from personas.observability import logger
from personas.operations.search import current_view, query_of
from personas.search.index import Index
from personas.search.object_format import SnapshotDamaged
from personas.search.queries import Query, Selection
from personas.services import Services
from personas.store.change_feed import change_in
from personas.store.exports import Export
from personas.store.load_personas import LOADED_AT_ONCE, load_personas
from personas.views.export_segments import EXPORT_VIEW, Entry, Record, columns_of, decode, lookup, record_of
from personas.views.search_views import SearchView, take_changes
from personas.views.view_objects import read_object


def export_personas(services: Services, caller: Caller, request: ExportPersonasRequest) -> ExportPersonasResponse:
    """Write the file, then the record by which it is found. Without the record, the file is nobody's and expires.

    Raises:
        NotFound: ``persona_id`` cannot be seen.
        ExportUnfinished: there is no time left; no file is kept.
        ViewRebuilding: the group's view lacks more than can be read in time.
        OutcomeUnknown: the export may have been recorded, under an id that nobody was told.
        Unavailable: the table or S3 is busy or out of reach; no file is kept, or none that anyone can find.
    """
    view = current_view(services, caller.group_id)
    if request.persona_id is not None:
        row = view.index.row(request.persona_id)
        if row is None or not may_see(caller, row["dp"]):
            raise NotFound(f"There is no persona {request.persona_id}.")
    upload_id = str(uuid4())
    file = _File(_Wanted(services, view, query_of(caller, request), request.persona_id))
    services.exports.write_file(caller.group_id, upload_id, file)
    export = Export(
        id=upload_id,
        group_id=caller.group_id,
        profile_id=caller.profile_id,
        file_name=f"personas_export_{services.now():%Y-%m-%d_%H%M%S}.csv",
        row_count=file.row_count,
    )
    services.exports.put(export)
    return ExportPersonasResponse(upload_id=upload_id, file_name=export.file_name, row_count=export.row_count)


class _Wanted:
    """The personas that a query finds, whole, each as it stood at some moment after the call began.

    The view selects them, as for a search, in the order of the ids. The content of a persona comes from the blocks of
    the export view if these hold the very state that the view knows, and from the table if it was written since. If the
    blocks are lost, all of it comes from the table.
    """

    def __init__(self, services: Services, view: SearchView, query: Query, only: str | None) -> None:
        self.view = view
        self._services = services
        self._group_id = view.catalogue.group_id
        self._query = query
        self._selection = view.index.selection(query, view.field_of, only)

    def __iter__(self) -> Iterator[list[Record]]:
        """Yield the records of the personas, some at a time.

        Raises:
            ExportUnfinished: there is no time left for more.
        """
        selection = self._selection
        stream = self._from_blocks(selection)
        ahead = next(stream, None)
        for first in range(0, len(selection), LOADED_AT_ONCE):
            if not self._services.deadline.has_time_for_another_item():
                raise ExportUnfinished
            some = slice(first, first + LOADED_AT_ONCE)
            seqs = dict(zip(selection[some], selection.seqs(some), strict=True))
            last = next(reversed(seqs))
            found: dict[str, Record] = {}
            while ahead is not None and ahead[0] <= last:
                persona_id, seq = ahead[:2]
                if seq == seqs.get(persona_id):
                    found[persona_id] = ahead
                ahead = next(stream, None)
            missing = {persona_id: seq for persona_id, seq in seqs.items() if persona_id not in found}
            if missing:
                found |= self._from_table(missing)
            yield [found[persona_id] for persona_id in seqs if persona_id in found]

    def _from_blocks(self, selection: Selection) -> Iterator[Record]:
        """Yield the wanted as of the last refresh, as far as the blocks can be read."""
        view_objects = self._services.view_objects
        pointer = self.view.catalogue.pointer(EXPORT_VIEW)
        if pointer is None:
            return
        manifest = read_object(view_objects, pointer, decode)
        try:
            if manifest is not None:
                yield from lookup(manifest, selection, view_objects.read_range)
                return
        except SnapshotDamaged as error:
            logger.warning("the export view cannot be used", extra={"key": pointer.key, "reason": str(error)})
        self._services.persona_feed.queue_if_possible(self._group_id)

    def _from_table(self, seqs: dict[str, int]) -> dict[str, Record]:
        """Return those of the personas that still match; judge by itself what was written since the view was read."""
        stored = load_personas(self._services.personas, self._services.parallel, self._group_id, seqs)
        newer = Index()
        for persona_id, each in stored.items():
            if each.persona is not None and each.seq != seqs[persona_id]:
                take_changes(newer, (change_in(each.item),))
        still = frozenset(newer.ids(self._query, self.view.field_of))
        return {
            persona_id: record_of(Entry(persona_id, each.seq, each.persona))
            for persona_id, each in stored.items()
            if each.persona is not None and (each.seq == seqs[persona_id] or persona_id in still)
        }


class _File:
    """The bytes of a CSV file, some at a time; ``row_count`` says how many rows they are, when all are taken."""

    def __init__(self, wanted: _Wanted) -> None:
        self._wanted = wanted
        self.row_count = 0

    def __iter__(self) -> Iterator[bytes]:
        lines = CsvLines(self._wanted.view.catalogue)
        # Spreadsheets take a file without the mark for one in another encoding.
        yield BOM_UTF8 + HEADER_LINE.encode()
        for records in self._wanted:
            self.row_count += len(records)
            yield lines.of(columns_of(records)).encode()
