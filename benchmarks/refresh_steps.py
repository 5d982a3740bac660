"""The CPU time of a refresh by view and by step: a part grows with the group, another with what has changed."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from inspect import ismethod
from statistics import median
from typing import Final, NamedTuple
from unittest.mock import patch

from timing import ms

from personas.operations import refresh, refresh_pass
from personas.views import export_segments
from personas.views.most_used import MostUsed
from personas.views.persona_feed import PersonaFeed
from personas.views.search_views import SearchViewCache
from personas.views.text_usage import TextsView
from personas.views.view_objects import ViewObjectStore


class Step(NamedTuple):
    """A function whose time is told apart, and the view that it works for."""

    view: str
    label: str
    owner: object
    function: str


STEPS: Final = (
    Step("search", "reading and unpacking", SearchViewCache, "snapshot"),
    Step("search", "taking in the changes", refresh_pass, "take_changes"),
    Step("search", "packing", refresh_pass, "encode"),
    Step("texts", "reading and unpacking", refresh_pass, "_read_texts"),
    Step("texts", "taking in the changes", TextsView, "upsert"),
    Step("texts", "merging them into the columns", TextsView, "settle"),
    Step("texts", "packing", TextsView, "encode"),
    Step("the texts' companion", "unpacking", MostUsed, "decode"),
    Step("the texts' companion", "counting what is used most", MostUsed, "revised"),
    Step("the texts' companion", "packing", MostUsed, "encode"),
    Step("export", "reading the manifest", refresh, "read_manifest"),
    Step("export", "packing the changes, and storing them", export_segments, "revise"),
    Step("texts and export", "reading the changed personas", refresh_pass, "load_personas"),
    Step("all", "reading the feed", PersonaFeed, "changes"),
    Step("all", "storing: client, signature, checksum", ViewObjectStore, "write"),
)
"""All of them run in the thread of the refresh."""


class StepTimer:
    """A clock that tells the time of each step without that of the steps within it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._under_way: list[Step] = []
        self._since = 0.0
        self._seconds: Counter[Step] = Counter()
        self.rounds: list[Counter[Step]] = []

    @contextmanager
    def round(self) -> Iterator[None]:
        """Tell apart the steps of a refresh that the block does."""
        self._seconds = Counter()
        with ExitStack() as patched:
            for step in STEPS:
                own = getattr(step.owner, step.function)
                timed = self._timed(step, own)
                # A method of the class itself gets no instance.
                patched.enter_context(
                    patch.object(step.owner, step.function, staticmethod(timed) if ismethod(own) else timed)
                )
            yield
        self.rounds.append(self._seconds)

    def _timed[**P, T](self, step: Step, own: Callable[P, T]) -> Callable[P, T]:
        @wraps(own)
        def timed(*args: P.args, **kwargs: P.kwargs) -> T:
            self._switch()
            self._under_way.append(step)
            try:
                return own(*args, **kwargs)
            finally:
                self._switch()
                self._under_way.pop()

        return timed

    def _switch(self) -> None:
        """Count the time since the last switch for the step that is under way."""
        now = self._clock()
        if self._under_way:
            self._seconds[self._under_way[-1]] += now - self._since
        self._since = now


def table_of_steps(size: int, timers: Sequence[tuple[int, StepTimer, float]]) -> Iterator[str]:
    """Yield the steps, in ms, as Markdown: by the number of changes, with the timer and the seconds of all steps."""
    heads = " | ".join(f"{changes:,} changes" for changes, *_ in timers)
    yield f"| refresh, {size:,} personas, CPU in ms | step | {heads} |"
    yield "| --- " * (len(timers) + 2) + "|"
    rests = [seconds for *_, seconds in timers]
    for step in STEPS:
        spent = [median(each[step] for each in timer.rounds) for _, timer, _ in timers]
        rests = [rest - each for rest, each in zip(rests, spent, strict=True)]
        yield f"| {step.view} | {step.label} | {' | '.join(map(ms, spent))} |"
    yield f"| all | the rest | {' | '.join(map(ms, rests))} |"
    yield f"| all | all | {' | '.join(ms(seconds) for *_, seconds in timers)} |"
