"""The personas service: what its functions, its tools and its tests share.

Nothing of it is imported here, so that a function pays at its cold start only for the modules that it names itself.
"""

import gc
import os

__version__ = "0.1.0"
"""The version of the service, which the project and the OpenAPI document take from here."""

# A start makes some hundred thousand objects that all stay: the collector would look through them again and again, for
# a seventh of the start, and find nothing. `services.services` ends the start and has it collect again. The process of
# a function is ours; in any other process that imports this package the collector stays as it is.
if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    gc.disable()
