"""A process that runs one built function on one event, from standard input, and tells where its code lay.

    python -I -S boot.py FUNCTION_FOLDER LAYER_FOLDER RUNTIME_FOLDER SECONDS

The folders are searched as Lambda searches them: the function, the layer, and last what the runtime brings (boto3).
"""

import importlib
import json
import sys
import time
import uuid
from pathlib import Path


class Context:
    """The context object that Lambda passes to a handler."""

    function_name = "built"
    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:built"

    def __init__(self, seconds: float) -> None:
        self.aws_request_id = str(uuid.uuid4())
        self._ends = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the invocation is cut off."""
        return int((self._ends - time.monotonic()) * 1000)


def main() -> None:
    """Run it; one line of JSON on standard output, behind what the function logs."""
    function, layer, runtime, seconds = sys.argv[1:]
    standard = tuple(sys.path)
    sys.path[:0] = [function, f"{layer}/python"]
    sys.path.append(runtime)
    handler = importlib.import_module("handler")
    imported = sorted(sys.modules)
    answer = handler.lambda_handler(json.load(sys.stdin), Context(float(seconds)))
    files = {name: getattr(module, "__file__", None) for name, module in sorted(sys.modules.items())}
    cached = {name: getattr(module, "__cached__", None) for name, module in sys.modules.items()}
    told = {
        "answer": answer,
        "imported": imported,
        "files": {name: file for name, file in files.items() if file and not file.startswith(standard)},
        "without_bytecode": [name for name, file in cached.items() if files[name] and file and not Path(file).exists()],
    }
    sys.stdout.write("\n" + json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
