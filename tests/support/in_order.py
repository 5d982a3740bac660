"""Sequential execution of a function's parallel calls, so that requests have numbers and one thread makes them all."""

from collections.abc import Callable, Sequence

from personas.runtime import Parallel


class InOrder(Parallel):
    """A replacement of threads: it makes all calls one after another in the calling thread."""

    def run[T](self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Return the results of ``calls``; the first error is raised once all calls have been made."""
        results: list[T] = []
        errors: list[Exception] = []
        for call in calls:
            try:
                results.append(call())
            except Exception as error:  # noqa: BLE001  # raised below, as a future would
                errors.append(error)
        if errors:
            raise errors[0]
        return results
