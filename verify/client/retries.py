"""Which calls the channel makes again by itself, and when: a gRPC service config.

    what   UNAVAILABLE alone: nothing answered, or the connection broke before an answer
    where  reads, decisions, and mutations with a request_id, which the client always draws: a repeat of one that had
           arrived is answered from the service's record
    when   0.1, 0.2, 0.4, 0.8 s after the failure before, give or take a fifth, at most four times, within the deadline

RESOURCE_EXHAUSTED is never repeated by itself: it says when to come back, and whoever calls has to slow down. Health is
asked about now. Streams go on by :mod:`verify.client.batches`, which knows what was answered. Where most calls fail,
repeats stop (gRFC A6, retry throttling): a service in trouble is not sent four times the load.
"""

import json

from verify.messages import MAX_MESSAGE_BYTES

ATTEMPTS = 5
"""The call and its repeats; gRPC takes no more."""

FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 2.0

RETRIED = {
    "verify.v1.VerificationService": ("Verify", "Identify"),
    "verify.v1.EnrollmentService": (
        "Enroll",
        "GetPerson",
        "ListPersons",
        "DeletePerson",
        "ListTemplateVersions",
        "RollbackTemplate",
        "ListQuarantine",
        "ResolveQuarantine",
    ),
    "verify.v1.ModelService": ("ListModels", "GetPolicy"),
}
"""Methods that may be sent again, by service."""


def service_config() -> str:
    """The service config, as JSON."""
    policy = {
        "maxAttempts": ATTEMPTS,
        "initialBackoff": f"{FIRST_BACKOFF_SECONDS:g}s",
        "maxBackoff": f"{LONGEST_BACKOFF_SECONDS:g}s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    names = [{"service": service, "method": method} for service, methods in RETRIED.items() for method in methods]
    return json.dumps(
        {
            "methodConfig": [{"name": names, "retryPolicy": policy}],
            "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.2},
        }
    )


def retry_options() -> list[tuple[str, int | str]]:
    """The channel options that make it so."""
    return [
        ("grpc.service_config", service_config()),
        # What a name's DNS records say of retries is not asked for.
        ("grpc.service_config_disable_resolution", 1),
        # A repeat needs the message still there; by default one over 256 KiB, a photograph, would not be.
        ("grpc.per_rpc_retry_buffer_size", MAX_MESSAGE_BYTES),
        # A connection is tried again as soon as a call is: the default, a second and growing, outlasts the repeats.
        ("grpc.initial_reconnect_backoff_ms", round(1e3 * FIRST_BACKOFF_SECONDS)),
        ("grpc.min_reconnect_backoff_ms", round(1e3 * FIRST_BACKOFF_SECONDS)),
        ("grpc.max_reconnect_backoff_ms", round(1e3 * LONGEST_BACKOFF_SECONDS)),
    ]
