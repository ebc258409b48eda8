"""Exceptions of a handler → an error of the tree, and what the log must tell of it."""

import uuid

from encode.errors import CountersignError, ServiceFailed, StoreError
from verify.call_id import current_call_id
from verify.logging import get_logger, where_raised


def failure_of(error: Exception) -> CountersignError:
    """What a caller is told of `error`: itself, if it is of the tree, else ServiceFailed with an incident id.

    Troubles of the store, and what nobody foresaw, are logged under the id of the call under way.
    """
    log = get_logger().bind(request_id=current_call_id())
    if isinstance(error, CountersignError):
        if isinstance(error, StoreError):
            log.error("store", reason=error.reason, message=error.message)
        return error
    incident = uuid.uuid4().hex
    failure = ServiceFailed(
        "the service failed in a way it did not foresee",
        fix=f"report incident {incident} to the operator",
        incident=incident,
    )
    failure.__cause__ = error
    log.error("unforeseen", incident=incident, error=type(error).__name__, frames=where_raised(error))
    return failure
