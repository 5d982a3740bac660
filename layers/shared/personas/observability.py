"""Logs and metrics: what is told about a call, and what never is.

Logs name the operation, the caller's group and profile, the status, the code and the time; never a credential, a body
or a persona's texts. Metrics are written as EMF, one set an operation.
"""

from typing import Final

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

logger: Final = Logger()
metrics: Final = Metrics()


def count_call(operation: str, duration_ms: float) -> None:
    """Count a call of an operation."""
    metrics.add_dimension(name="operation", value=operation)
    metrics.add_metric(name="Calls", unit=MetricUnit.Count, value=1)
    metrics.add_metric(name="Duration", unit=MetricUnit.Milliseconds, value=duration_ms)


def count_items(saved: int, failed: int) -> None:
    """Count what a writing call did: the items that it saved, and those that it did not."""
    metrics.add_metric(name="ItemsSaved", unit=MetricUnit.Count, value=saved)
    metrics.add_metric(name="ItemsFailed", unit=MetricUnit.Count, value=failed)


def count_view(size_bytes: int, evictions: int) -> None:
    """Tell how much memory the views of this environment take, and how many were dropped for want of it."""
    metrics.add_metric(name="ViewBytes", unit=MetricUnit.Bytes, value=size_bytes)
    metrics.add_metric(name="ViewEvictions", unit=MetricUnit.Count, value=evictions)


def count_error(operation: str, status: int, code: str) -> None:
    """Count an answer other than success, by its code; conflicts also by themselves, for the alarm on their rate."""
    with single_metric(name="Errors", unit=MetricUnit.Count, value=1) as metric:
        metric.add_dimension(name="operation", value=operation)
        metric.add_dimension(name="code", value=code)
    if status in {409, 412}:
        metrics.add_metric(name="Conflicts", unit=MetricUnit.Count, value=1)
