"""The export view against a dict: what is read is what was last said, whatever was changed, deleted and merged."""

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final
from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from personas.domain.persona import Form, Persona
from personas.domain.text import Text
from personas.search.object_format import SnapshotDamaged, SnapshotVersionUnknown
from personas.views import export_segments
from personas.views.export_segments import (
    Block,
    Entry,
    Manifest,
    Record,
    Segment,
    columns_of,
    decode,
    encode,
    lookup,
    record_of,
    revise,
)
from support.views import records

IDS: Final = [str(uuid5(UUID(int=7), str(number))) for number in range(40)]
texts: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ids: Final = st.uuids().map(str)
id_lists: Final = st.lists(ids, max_size=3).map(tuple)


@st.composite
def personas(draw: st.DrawFn, persona_id: str) -> Persona:
    """Draw any persona."""

    def text() -> Text:
        return Text(draw(ids), draw(texts))

    return Persona(
        id=persona_id,
        form=Form(
            name=text(),
            description=text() if draw(st.booleans()) else None,
            instructions=text(),
            color_id=draw(ids),
            icon_id=draw(ids),
            active_flag_id=draw(st.none() | ids),
            department_ids=draw(id_lists),
            parameter_field_ids=draw(id_lists),
            examples=tuple(text() for _ in range(draw(st.integers(0, 2)))),
            voice_ids=draw(id_lists),
        ),
        scenario_ids=draw(id_lists),
        active_scenario_ids=draw(id_lists),
        num_profiles=draw(st.integers(0, 9)),
        generated=draw(st.booleans()),
        mcp=draw(st.booleans()),
        created_at="2026-11-24T12:00:00.000001+00:00",
        updated_at="2026-11-24T12:00:00+00:00",
        version=draw(st.integers(1, 9)),
    )


def numbered(number: int, *, size: int = 10) -> Persona:
    """Return a persona of many."""
    text = Text(IDS[0], f"Persona {number} " + "x" * size)
    return Persona(
        id=str(uuid5(UUID(int=8), str(number))),
        form=Form(
            name=text,
            instructions=text,
            color_id=IDS[1],
            icon_id=IDS[2],
        ),
        created_at="2026-11-24T12:00:00+00:00",
        updated_at="2026-11-24T12:00:00+00:00",
    )


@dataclass
class Objects:
    """A bucket, with the ranges that were asked for."""

    content: dict[str, bytes] = field(default_factory=dict)
    fetched: list[tuple[str, int, int]] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)

    def fetch(self, key: str, start: int, length: int) -> bytes | None:
        self.fetched.append((key, start, length))
        return self.content[key][start : start + length] if key in self.content else None

    def store(self, parts: Iterable[bytes]) -> str:
        key = f"segment {next(self._numbers)}"
        self.content[key] = b"".join(parts)
        return key

    def base(self, many: Iterable[Persona]) -> Manifest:
        """Return an export view of these personas."""
        entries = sorted(Entry(persona.id, persona.seq, persona) for persona in many)
        return revise(Manifest(), entries, len(entries), self.fetch, self.store)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set bounds that a few personas reach."""
    monkeypatch.setattr(export_segments, "BLOCK_ENTRIES", 3)
    monkeypatch.setattr(export_segments, "SEGMENTS_MAX", 4)


class Refreshes(RuleBasedStateMachine):
    """Refreshes after one another, each with the changes since the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.objects = Objects()
        self.manifest = Manifest()
        self.true: dict[str, Persona] = {}
        self.seqs: dict[str, int] = {}
        self.pending: dict[str, Entry] = {}
        self.patch = pytest.MonkeyPatch()

    @initialize(some=st.sets(st.sampled_from(IDS)), data=st.data(), read_ahead=st.sampled_from([1, 2000, 10**7]))
    def begin(self, some: set[str], data: st.DataObject, read_ahead: int) -> None:
        self.patch.setattr(export_segments, "BLOCK_ENTRIES", 3)
        self.patch.setattr(export_segments, "SEGMENTS_MAX", 4)
        self.patch.setattr(export_segments, "READ_AHEAD", read_ahead)
        for persona_id in some:
            self.save(persona_id, data)
        self.refresh(again=False)

    def teardown(self) -> None:
        self.patch.undo()

    @rule(persona_id=st.sampled_from(IDS), data=st.data())
    def save(self, persona_id: str, data: st.DataObject) -> None:
        """Create, change or create again."""
        seq = self.seqs[persona_id] = self.seqs.get(persona_id, data.draw(st.integers(0, 5))) + 1
        persona = replace(data.draw(personas(persona_id)), seq=seq)
        self.true[persona_id] = persona
        self.pending[persona_id] = Entry(persona_id, seq, persona)

    @rule(persona_id=st.sampled_from(IDS))
    def delete(self, persona_id: str) -> None:
        if self.true.pop(persona_id, None):
            seq = self.seqs[persona_id] = self.seqs[persona_id] + 1
            self.pending[persona_id] = Entry(persona_id, seq, None)

    @rule(again=st.booleans())
    def refresh(self, again: bool) -> None:
        """Take in the changes, and the same ones ``again`` the next time."""
        changes = sorted(self.pending.values(), key=lambda entry: entry.id)
        self.manifest = revise(self.manifest, changes, len(changes), self.objects.fetch, self.objects.store)
        self.manifest = decode(encode(self.manifest))
        if not again:
            self.pending.clear()

    @rule()
    def look_back(self) -> None:
        """Let a refresh meet again the changes that an earlier one has taken in."""
        for persona_id in list(self.true)[:2]:
            persona = self.true[persona_id]
            self.pending.setdefault(persona_id, Entry(persona_id, persona.seq, persona))

    @invariant()
    def all_is_read_in_order(self) -> None:
        if not self.pending:
            assert list(lookup(self.manifest, None, self.objects.fetch)) == self.records(sorted(self.true))

    @rule(some=st.lists(st.sampled_from([*IDS, str(UUID(int=0)), str(UUID(int=2**128 - 1))])))
    def some_are_looked_up(self, some: list[str]) -> None:
        self.refresh(again=False)
        wanted = sorted(set(some))
        expected = self.records(each for each in wanted if each in self.true)
        assert list(lookup(self.manifest, wanted, self.objects.fetch)) == expected

    def records(self, persona_ids: Iterable[str]) -> list[Record]:
        return records(Entry(each, self.true[each].seq, self.true[each]) for each in persona_ids)

    @invariant()
    def segments_are_few_and_changes_are_less_than_a_quarter(self) -> None:
        assert len(self.manifest.segments) <= 4
        if len(self.manifest.segments) > 1:
            base, *deltas = (segment.entries for segment in self.manifest.segments)
            assert sum(deltas) <= 0.25 * base

    @invariant()
    def lengths_are_those_of_the_objects(self) -> None:
        for segment in self.manifest.segments:
            assert segment.length == len(self.objects.content[segment.key])


TestRefreshes = Refreshes.TestCase
TestRefreshes.settings = settings(max_examples=60, stateful_step_count=25)


class TestMerging:
    def test_a_small_change_is_a_segment_of_its_own(self) -> None:
        objects = Objects()
        old = objects.base(map(numbered, range(40)))

        new = revise(old, [Entry(numbered(3).id, 5, None)], 1, objects.fetch, objects.store)

        assert new.segments[:-1] == old.segments
        assert new.segments[-1].entries == 1
        assert len(list(lookup(new, None, objects.fetch))) == 39

    def test_many_small_changes_become_one_and_the_base_stays(self) -> None:
        objects = Objects()
        base = manifest = objects.base(map(numbered, range(400)))
        segments = []
        for seq in range(1, 5):
            manifest = revise(manifest, [Entry(numbered(3).id, seq, None)], 1, objects.fetch, objects.store)
            segments.append(len(manifest.segments))

        assert manifest.segments[:1] == base.segments
        assert segments == [2, 3, 4, 2]
        # The deletion is still needed: the base holds the persona.
        assert manifest.segments[1].entries == 1
        assert len(list(lookup(manifest, None, objects.fetch))) == 399

    def test_more_than_a_quarter_makes_a_new_base_without_what_is_gone(self) -> None:
        objects = Objects()
        manifest = objects.base(map(numbered, range(40)))
        gone = sorted(numbered(number).id for number in range(11))

        manifest = revise(manifest, [Entry(each, 1, None) for each in gone], 11, objects.fetch, objects.store)

        assert [segment.entries for segment in manifest.segments] == [29]

    def test_a_group_of_which_nothing_is_left_has_no_segment(self) -> None:
        objects = Objects()
        manifest = objects.base([numbered(1)])

        manifest = revise(manifest, [Entry(numbered(1).id, 1, None)], 1, objects.fetch, objects.store)

        assert manifest == Manifest()
        assert list(lookup(decode(encode(manifest)), None, objects.fetch)) == []

    @pytest.mark.parametrize(("seq", "name"), [(4, "Persona 3"), (5, "again"), (6, "again")])
    def test_the_highest_seq_is_true_and_of_two_the_same_the_newest(self, seq: int, name: str) -> None:
        objects = Objects()
        manifest = objects.base(replace(numbered(number), seq=5) for number in range(40))
        third = numbered(3)
        again = replace(third, form=third.form.changed({"name": Text(IDS[0], "again")}), seq=seq)

        manifest = revise(manifest, [Entry(again.id, seq, again)], 1, objects.fetch, objects.store)

        (found,) = lookup(manifest, [again.id], objects.fetch)
        (shown,) = columns_of([found])["name"]
        assert shown.startswith(name)

    def test_an_empty_group_stores_nothing(self) -> None:
        objects = Objects()
        assert objects.base([]) == Manifest()
        assert objects.content == {}

    def test_changes_out_of_order_are_refused(self) -> None:
        objects = Objects()
        first, second = sorted((numbered(1).id, numbered(2).id))
        with pytest.raises(ValueError, match="order"):
            revise(
                Manifest(), [Entry(each, 1, numbered(1)) for each in (second, first)], 2, objects.fetch, objects.store
            )


class TestReading:
    def test_a_block_ends_by_personas_or_by_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        objects = Objects()
        (small,) = objects.base(map(numbered, range(7))).segments
        assert [block.entries for block in small.blocks] == [3, 3, 1]
        monkeypatch.setattr(export_segments, "BLOCK_BYTES", 3000)
        (large,) = objects.base(numbered(number, size=2000) for number in range(4)).segments
        assert [block.entries for block in large.blocks] == [1, 1, 1, 1]

    def test_blocks_side_by_side_are_fetched_together(self, monkeypatch: pytest.MonkeyPatch) -> None:
        objects = Objects()
        manifest = objects.base(map(numbered, range(30)))
        (segment,) = manifest.segments
        list(lookup(manifest, None, objects.fetch))
        assert objects.fetched == [(segment.key, 0, segment.length)]

        monkeypatch.setattr(export_segments, "READ_AHEAD", segment.length // 2)
        objects.fetched.clear()
        list(lookup(manifest, None, objects.fetch))
        assert len(objects.fetched) == 3
        assert sum(length for _, _, length in objects.fetched) == segment.length

    def test_only_the_blocks_of_the_wanted_are_fetched(self) -> None:
        objects = Objects()
        manifest = objects.base(map(numbered, range(30)))
        (segment,) = manifest.segments
        block = segment.blocks[4]
        start = sum(each.length for each in segment.blocks[:4])

        assert [record[0] for record in lookup(manifest, [block.first], objects.fetch)] == [block.first]
        assert objects.fetched == [(segment.key, start, block.length)]

    def test_nothing_is_fetched_ahead_of_the_reader(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(export_segments, "READ_AHEAD", 1)
        objects = Objects()
        reading = lookup(objects.base(map(numbered, range(30))), None, objects.fetch)
        next(reading)
        assert len(objects.fetched) == 1

    def test_a_missing_segment_is_told(self) -> None:
        objects = Objects()
        manifest = objects.base([numbered(1)])
        objects.content.clear()
        with pytest.raises(SnapshotDamaged, match="missing"):
            list(lookup(manifest, None, objects.fetch))

    @pytest.mark.parametrize("place", [0, -1])
    def test_a_changed_segment_is_told(self, place: int) -> None:
        objects = Objects()
        manifest = objects.base([numbered(1)])
        key, content = next(iter(objects.content.items()))
        changed = bytearray(content)
        changed[place] ^= 1
        objects.content[key] = bytes(changed)
        with pytest.raises(SnapshotDamaged, match="checksum"):
            list(lookup(manifest, None, objects.fetch))

    def test_a_cut_segment_is_told(self) -> None:
        objects = Objects()
        manifest = objects.base([numbered(1)])
        key, content = next(iter(objects.content.items()))
        objects.content[key] = content[:-1]
        with pytest.raises(SnapshotDamaged, match="checksum"):
            list(lookup(manifest, None, objects.fetch))

    @pytest.mark.parametrize("fields", [3, 10, 20, 23, 25])
    def test_a_record_of_another_length_is_told(self, fields: int) -> None:
        """The records are counted, for a stream that ends too soon would pass for all of them."""
        record = [IDS[0], 1, 1, *([[]] * (fields - 3))]
        content = zlib.compress(json.dumps([record]).encode())
        manifest = Manifest((Segment("a", (Block(IDS[0], 1, len(content), zlib.crc32(content)),)),))
        with pytest.raises(SnapshotDamaged, match="fields"):
            list(lookup(manifest, None, Objects({"a": content}).fetch))


class TestRecords:
    TEXTS: Final = tuple(Text(IDS[number], f"text {number}") for number in range(5))
    ADA: Final = Persona(
        id=IDS[20],
        form=Form(
            name=TEXTS[0],
            instructions=TEXTS[1],
            color_id=IDS[21],
            icon_id=IDS[22],
            department_ids=(IDS[23], IDS[24]),
            examples=TEXTS[2:4],
        ),
        scenario_ids=(IDS[25],),
        num_profiles=3,
        mcp=True,
        created_at="2026-11-24T12:00:00+00:00",
        updated_at="2026-11-25T12:00:00+00:00",
        version=7,
    )

    def test_a_record_has_its_layout(self) -> None:
        """The last release reads it, too."""
        assert records([Entry(self.ADA.id, 9, self.ADA)]) == [
            [
                *(IDS[20], 9, 7),
                *(IDS[0], "text 0", None, None, IDS[1], "text 1"),
                *(IDS[21], IDS[22], None, [IDS[23], IDS[24]], []),
                *([IDS[2], IDS[3]], ["text 2", "text 3"], []),
                *([IDS[25]], [], 3, False, True, "2026-11-24T12:00:00+00:00", "2026-11-25T12:00:00+00:00"),
            ]
        ]

    def test_a_column_has_the_texts_or_the_ids_that_a_file_shows(self) -> None:
        blank = replace(self.ADA, form=Form(name=self.TEXTS[4], instructions=self.TEXTS[1]), version=1)
        assert columns_of([record_of(Entry(each.id, 9, each)) for each in (self.ADA, blank)]) == {
            "persona_id": [IDS[20], IDS[20]],
            "version": [7, 1],
            "name": ["text 0", "text 4"],
            "description": [None, None],
            "instructions": ["text 1", "text 1"],
            "color": [IDS[21], None],
            "icon": [IDS[22], None],
            "active_flag": [None, None],
            "departments": [(IDS[23], IDS[24]), ()],
            "parameter_fields": [(), ()],
            "examples": [["text 2", "text 3"], []],
            "voices": [(), ()],
        }


class TestManifest:
    MANIFEST: Final = Manifest((Segment("a", (Block(IDS[0], 3, 10, 77), Block(IDS[1], 1, 5, 78))), Segment("b", ())))

    def test_it_comes_back(self) -> None:
        assert decode(encode(self.MANIFEST)) == self.MANIFEST

    @given(st.data())
    def test_any_changed_byte_is_told(self, data: st.DataObject) -> None:
        content = bytearray(encode(self.MANIFEST))
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        with pytest.raises(SnapshotDamaged):
            decode(bytes(content))

    @given(st.integers(0, len(encode(MANIFEST)) - 1))
    def test_a_part_of_it_is_told(self, length: int) -> None:
        with pytest.raises(SnapshotDamaged):
            decode(encode(self.MANIFEST)[:length])

    def test_another_version_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(export_segments, "FORMAT_VERSION", export_segments.FORMAT_VERSION + 1)
            newer = encode(self.MANIFEST)
        with pytest.raises(SnapshotVersionUnknown):
            decode(newer)
