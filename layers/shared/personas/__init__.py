"""The personas service: what its functions, its tools and its tests share.

Nothing of it is imported here, so that a function pays at its cold start only for the modules that it names itself.
"""

import gc
import os

__version__ = "0.1.0"
"""The version of the service, which the project and the OpenAPI document take from here."""

# A start makes some hundred thousand objects that all stay: at Python's own threshold the collector looks through them
# again and again, for a seventh of the start, and finds nothing. The process of a function is ours; any other process
# that imports this package keeps its own threshold.
if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    gc.set_threshold(100_000)
