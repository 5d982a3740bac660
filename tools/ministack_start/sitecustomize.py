"""The start of ministack's Python, by which ministack remembers how it has read an expression.

It reads the condition of a query again for every item of the partition: half of its time. Python imports a module of
this name before any program. A ministack that has other names runs as it is.
"""

from functools import lru_cache
from importlib import import_module

_dynamodb = import_module("ministack.services.dynamodb")
for _name in ("_tokenize", "_condition_syntax_error"):
    # Functions of texts alone, whose callers only read what they return.
    setattr(_dynamodb, _name, lru_cache(1_000)(getattr(_dynamodb, _name)))
