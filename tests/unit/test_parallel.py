"""Calls side by side: results in their order, and no thread where there is nothing to run beside something."""

from threading import get_ident

from personas.runtime import Parallel, nothing


def test_results_come_in_the_order_of_the_calls() -> None:
    assert Parallel().gather(lambda: "a", nothing, lambda: 2, lambda: None) == ("a", None, 2, None)


def test_a_call_beside_nothing_runs_on_the_thread_of_its_caller() -> None:
    assert Parallel().gather(nothing, get_ident, nothing) == (None, get_ident(), None)
