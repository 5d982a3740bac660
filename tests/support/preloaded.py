"""The imports of every process that tests have forked, made once by the process that they are forked from.

Nothing in it has a connection yet. Handlers import the rest, of which each process has some.
"""

import personas.api
import personas.operations.create
import personas.operations.delete
import personas.operations.draft
import personas.operations.drafts
import personas.operations.duplicate
import personas.operations.get
import personas.operations.refresh
import personas.operations.search
import personas.operations.update
import support.broken
import support.racers
import support.workload

__all__ = ["personas", "support"]
