"""What one connection may cost, whoever is at its other end: options of gRPC's transport.

    connects and says nothing          closed after HANDSHAKE_SECONDS, TLS or not
    has no call under way              closed after IDLE_SECONDS
    answers no ping                    closed after PING_SECONDS + PONG_SECONDS
    sends pings without end            closed
    stays for ever                     asked to connect anew after AGE_SECONDS, cut AGE_GRACE_SECONDS later
    opens calls without end            STREAMS at once, the next one waits for one to end
    sends metadata without end         METADATA_BYTES a call
    opens calls faster than they are   PENDING of all connections wait for that; of more, the newest are cancelled by
    taken up                           the transport itself, at random up to twice as many and then all

Clients connect anew by themselves and notice nothing; a stream that lasts longer than a connection may, a watch of
health say, ends with UNAVAILABLE and is begun again by whoever watches. Nothing here limits how many connections there
are: that is for the limit of open files and for whatever stands in front.
"""

HANDSHAKE_SECONDS = 10.0
IDLE_SECONDS = 300.0
PING_SECONDS, PONG_SECONDS = 60.0, 20.0
AGE_SECONDS, AGE_GRACE_SECONDS = 3_600.0, 60.0
STREAMS = 100
METADATA_BYTES = 8 * 1024
PENDING = 64
"""Calls that have arrived and were not looked at yet. The service takes them up in well under a millisecond each; with
gRPC's own bound of a thousand, a flood of them keeps those that are admitted waiting for seconds before they are."""


def channel_options() -> list[tuple[str, int]]:
    """The options as gRPC takes them."""
    seconds = {
        "grpc.server_handshake_timeout_ms": HANDSHAKE_SECONDS,
        "grpc.max_connection_idle_ms": IDLE_SECONDS,
        "grpc.keepalive_time_ms": PING_SECONDS,
        "grpc.keepalive_timeout_ms": PONG_SECONDS,
        "grpc.max_connection_age_ms": AGE_SECONDS,
        "grpc.max_connection_age_grace_ms": AGE_GRACE_SECONDS,
    }
    return [
        *((name, int(1e3 * value)) for name, value in seconds.items()),
        ("grpc.max_concurrent_streams", STREAMS),
        ("grpc.server.max_pending_requests", PENDING),
        ("grpc.server.max_pending_requests_hard_limit", 2 * PENDING),
        ("grpc.max_metadata_size", METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", METADATA_BYTES),
    ]
