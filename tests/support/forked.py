"""The way in which tests start processes: forked from one that has imported what they need."""

from multiprocessing import get_context
from multiprocessing.context import ForkServerContext


def forking() -> ForkServerContext:
    """Return the context of processes that begin with what `preloaded` has imported.

    A test process has one fork server, and the first of its contexts says what that imports.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["support.preloaded"])
    return context
