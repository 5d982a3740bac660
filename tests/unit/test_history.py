"""The checker of histories, on histories made by hand: each rule catches what breaks it, and nothing else does."""

import random
from dataclasses import replace
from itertools import count, permutations

import pytest

from support.history import Contents, Copy, Event, Read, Span, Write, check

ITEM = "item"
ORDER = "what ended before something began comes after it"


def at(began: int, ended: int) -> Span:
    return Span(0, began, ended)


def create(version: int, span: Span, name: str = "n{}", description: str | None = None) -> Write:
    return Write(ITEM, span, "create", version, name.format(version), description)


def update(version: int, span: Span, description: str | None = None, expected: int | None = None) -> Write:
    return Write(ITEM, span, "update", version, f"n{version}", description, expected)


def merged(version: int, span: Span, *, since: int, name: str = "", description: str | None = None) -> Write:
    return Write(ITEM, span, "update", version, name, description, merged_from=since)


def delete(span: Span) -> Write:
    return Write(ITEM, span, "delete", None)


def read(version: int, span: Span, name: str | None = None, description: str | None = None) -> Read:
    contents = Contents(name or f"n{version}", description)
    return Read(ITEM, span, exists=True, version=version, contents=contents)


def searched(name: str, span: Span, description: str | None = None) -> Read:
    return Read(ITEM, span, exists=True, contents=Contents(name, description))


def gone(span: Span) -> Read:
    return Read(ITEM, span, exists=False)


def there(span: Span) -> Read:
    return Read(ITEM, span, exists=True)


SOUND: dict[str, list[Event]] = {
    "one after another": [
        gone(at(0, 1)),
        create(1, at(2, 3)),
        read(1, at(4, 5)),
        update(2, at(6, 7), "d2", expected=1),
        searched("n2", at(8, 9), "d2"),
        delete(at(10, 11)),
        gone(at(12, 13)),
        create(4, at(14, 15)),
        read(4, at(16, 17)),
    ],
    "a read during a write may show either": [
        create(1, at(0, 1)),
        update(2, at(2, 20)),
        read(2, at(3, 5)),
        read(1, at(4, 6)),
        searched("n2", at(7, 8)),
    ],
    "a field that was left alone keeps its value": [
        create(1, at(0, 1), description="d1"),
        update(2, at(2, 3)),
        read(2, at(4, 5), description="d1"),
    ],
    "a create forgets the life before it": [
        create(1, at(0, 1), description="d1"),
        delete(at(2, 3)),
        create(3, at(4, 5)),
        read(3, at(6, 7)),
    ],
    "deletes of two lives overlap": [
        create(1, at(0, 1)),
        delete(at(2, 30)),
        create(3, at(4, 6)),
        delete(at(7, 9)),
        create(5, at(10, 12)),
    ],
    "none while it is deleted and made anew": [
        create(1, at(0, 1)),
        delete(at(2, 3)),
        create(3, at(4, 9)),
        gone(at(5, 6)),
        there(at(7, 8)),
        read(3, at(10, 11)),
    ],
    "merges over changes of other fields": [
        create(1, at(0, 1), description="d1"),
        merged(2, at(2, 3), since=1, description="d2"),
        merged(3, at(4, 5), since=1, name="n3"),
        read(3, at(6, 7), description="d2"),
        merged(4, at(8, 9), since=3, name="n4"),
        merged(5, at(10, 11), since=2, description="d5"),
        searched("n4", at(12, 13), "d5"),
    ],
    "a delete whose answer comes late": [create(1, at(0, 1)), delete(at(2, 30)), gone(at(3, 4)), gone(at(5, 6))],
}


@pytest.mark.parametrize("events", SOUND.values(), ids=SOUND.keys())
def test_what_can_have_been_passes(events: list[Event]) -> None:
    assert check(events) == []


BROKEN: dict[str, tuple[str, list[Event]]] = {
    "two writes of one version": (
        "a version was made twice",
        [create(1, at(0, 1)), update(2, at(2, 5)), replace(update(2, at(3, 4)), name="other")],
    ),
    "a version left out": ("a version that nobody was told of", [create(1, at(0, 1)), update(3, at(2, 3))]),
    "a condition not kept": (
        "a write did not make the version after the one it expected",
        [create(1, at(0, 1)), update(2, at(2, 3)), update(3, at(4, 5), expected=1)],
    ),
    "a merge over a change of its own field": (
        "a merge went over a change of its own field",
        [
            create(1, at(0, 1)),
            update(2, at(2, 3)),
            merged(3, at(4, 5), since=2, description="d3"),
            merged(4, at(6, 7), since=1, name="n4"),
        ],
    ),
    "a merge over a persona that was deleted and made anew": (
        "a merge went over a change of its own field",
        [create(1, at(0, 1)), delete(at(2, 3)), create(3, at(4, 5)), merged(4, at(6, 7), since=1, description="d")],
    ),
    "a merge that takes back another's field": (
        "a read shows other contents than version 3 has",
        [
            create(1, at(0, 1), description="d1"),
            update(2, at(2, 3)),
            merged(3, at(4, 5), since=1, description="d3"),
            read(3, at(6, 7), name="n1", description="d3"),
        ],
    ),
    "a lost update": (
        "a read shows other contents than version 3 has",
        [create(1, at(0, 1)), update(2, at(2, 9), "d2"), update(3, at(3, 8)), read(3, at(10, 11), description=None)],
    ),
    "a stale read": (ORDER, [create(1, at(0, 1)), update(2, at(2, 3)), read(1, at(4, 5))]),
    "reads that go back while a write is under way": (
        ORDER,
        [create(1, at(0, 1)), update(2, at(2, 20)), read(2, at(3, 4)), read(1, at(5, 6))],
    ),
    "a read of what is not yet written": (ORDER, [create(1, at(0, 1)), read(2, at(2, 3)), update(2, at(4, 5))]),
    "versions against time": (ORDER, [create(1, at(0, 1)), update(3, at(2, 3)), update(2, at(4, 5))]),
    "a search that misses an acknowledged create": (
        "a read goes back behind what was known before it",
        [create(1, at(0, 1)), gone(at(2, 3))],
    ),
    "a search that shows what an acknowledged update replaced": (
        ORDER,
        [create(1, at(0, 1)), update(2, at(2, 3)), searched("n1", at(4, 5))],
    ),
    "a search that still shows what is deleted": (
        "a delete fits nowhere",
        [create(1, at(0, 1)), delete(at(2, 3)), searched("n1", at(4, 5))],
    ),
    "a create refused though nothing was there": (
        "a read goes back behind what was known before it",
        [create(1, at(0, 1)), delete(at(2, 3)), there(at(4, 5))],
    ),
    "none, then one, then none, in one life": (
        "a read goes back behind what was known before it",
        [create(1, at(0, 20)), gone(at(1, 2)), there(at(3, 4)), gone(at(5, 6))],
    ),
    "a text that nobody wrote": ("a read shows what nobody wrote", [create(1, at(0, 1)), searched("else", at(2, 3))]),
    "a version that nobody made": (
        "a read shows a version that nobody made",
        [create(1, at(0, 1)), read(2, at(2, 3))],
    ),
    "two deletes of one life": (
        "a delete of what was deleted or never there",
        [create(1, at(0, 1)), delete(at(2, 5)), delete(at(3, 4))],
    ),
    "a create on what exists": (
        "a write where it cannot have been",
        [create(1, at(0, 1)), create(2, at(2, 3))],
    ),
    "an update of what was deleted": (
        "a write where it cannot have been",
        [create(1, at(0, 1)), delete(at(2, 3)), update(3, at(4, 5))],
    ),
    "a delete outside of the time that its version had": (
        "a delete fits nowhere",
        [create(1, at(5, 6)), delete(at(0, 1)), create(3, at(10, 11))],
    ),
    "copies of one name": (
        "copies share a name",
        [
            create(1, at(0, 1)),
            Copy("a", at(2, 3), ITEM, Contents("n1 Copy", None), Contents("n1", None)),
            Copy("b", at(2, 3), ITEM, Contents("n1 Copy", None), Contents("n1", None)),
        ],
    ),
    "a copy of what the source no longer was": (
        ORDER,
        [
            create(1, at(0, 1)),
            update(2, at(2, 3)),
            Copy("a", at(4, 5), ITEM, Contents("n1 Copy", None), Contents("n1", None)),
        ],
    ),
}


@pytest.mark.parametrize(("rule", "events"), BROKEN.values(), ids=BROKEN.keys())
def test_what_cannot_have_been_is_found(rule: str, events: list[Event]) -> None:
    assert rule in {each.rule.partition(":")[0] for each in check(events)}


def chance_of(seed: int) -> random.Random:
    return random.Random(seed)


def simulated(chance: random.Random, length: int) -> list[Event]:
    """Return the history of clients of a register that does one thing after another, each within its span."""
    moments, version, contents = count(0, 10), 0, Contents("", None)
    events: list[Event] = []
    for _ in range(length):
        moment = next(moments)
        span = at(moment - chance.randrange(60), moment + chance.randrange(60))
        exists, act = contents.name != "", chance.random()
        if act < 0.5:  # half of all are reads
            shown = contents if exists and chance.random() < 0.7 else None  # most tell all
            told = version if shown and chance.random() < 0.5 else None  # gets and searches
            events.append(Read(ITEM, span, exists=exists, version=told, contents=shown))
        elif not exists:
            version, contents = version + 1, Contents(f"n{version + 1}", None)
            events.append(Write(ITEM, span, "create", version, contents.name))
        elif act < 0.7:  # a fifth are deletes
            version, contents = version + 1, Contents("", None)
            events.append(delete(span))
        else:
            version += 1
            set_ = f"d{version}" if chance.random() < 0.5 else None  # even chances
            contents = Contents(f"n{version}", set_ or contents.description)
            events.append(Write(ITEM, span, "update", version, contents.name, set_))
    chance.shuffle(events)
    return events


@pytest.mark.parametrize("seed", range(200))
def test_whatever_a_true_register_tells_passes(seed: int) -> None:
    assert check(simulated(chance_of(seed), 60)) == []


def possible(events: list[Event]) -> bool:
    """Return True if some order of the events is one that a register can have had; it tries them all."""
    return any(_in_time(order) and _as_told(order) for order in permutations(events))


def _in_time(order: tuple[Event, ...]) -> bool:
    return not any(later.span.ended < order[place].span.began for place in range(len(order)) for later in order[place:])


def _as_told(order: tuple[Event, ...]) -> bool:
    version, contents = 0, None
    for event in order:
        match event:
            case Write(kind="delete"):
                if contents is None:
                    return False
                version, contents = version + 1, None
            case Write():
                version += 1
                if event.version != version or (event.kind == "create") != (contents is None):
                    return False
                contents = Contents(event.name, event.description or (contents and contents.description))
            case Read():
                told = event.version in {None, version} and event.contents in {None, contents}
                if event.exists != (contents is not None) or not told:
                    return False
    return True


def test_says_of_small_histories_what_trying_every_order_says() -> None:
    verdicts = []
    for seed in range(1_500):
        chance = chance_of(seed)
        events = simulated(chance, 6)
        # Some events move in time, which may or may not make the history impossible.
        for place in chance.sample(range(6), 2):
            began = chance.randrange(-10, 60)
            events[place] = replace(events[place], span=at(began, began + chance.randrange(30)))
        verdicts.append(possible(events))
        assert (check(events) == []) == verdicts[-1], events
    assert 300 < sum(verdicts) < 1_200
