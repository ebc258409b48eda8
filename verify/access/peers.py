"""Who calls without a token: told apart by address, and held to what one address may take.

    ipv4:10.0.0.7:40212          →  10.0.0.7
    ipv6:[2001:db8:1:2::9]:40212 →  2001:db8:1:2::/64      one line has a whole such network to choose addresses from
    unix:...                     →  local

A limit slows whoever tries tokens and keeps the log readable. It does not refuse a valid token from the same address,
which costs one hash to check: behind a proxy, or a network that shares an address, whoever sends wrong tokens would
otherwise shut out everybody else. What keeps a token from being guessed is its length, 256 random bits.
"""

import ipaddress
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote

from encode.errors import RateLimited
from verify.access.limits import RateLimits

HEALTH_MULTIPLE = 10
"""Health may be asked so many times as often as tokens may be wrong."""

STREAMS_OF_A_CALLER = 16
STREAMS = 256
"""Calls without a scope (health, reflection) that may be open at once: of one caller, and of all together."""

_BUSY_WAIT = 5.0


def address_of(peer: str) -> str:
    """The address in gRPC's name of a peer; an IPv6 address as its network of 64 bits."""
    kind, _, rest = peer.partition(":")
    if kind not in {"ipv4", "ipv6"}:
        return "local"
    host = unquote(rest).rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


class Strangers:
    """Limits on calls without a valid token, for each address. Safe to use from several threads.

    Parameters
    ----------
    rate : calls a second, lasting, that are refused with a word about the token; more are told to wait.
    """

    def __init__(self, rate: float) -> None:
        self._wrong = RateLimits(rate, "calls without a valid token", "address")
        self._health = RateLimits(HEALTH_MULTIPLE * rate, "questions for health", "address")

    def count_refusal(self, peer: str) -> None:
        """Count a call whose token is not valid. Raises RateLimited."""
        self._wrong.take(address_of(peer))

    def count_health(self, peer: str) -> None:
        """Count a call that needs no token. Raises RateLimited."""
        self._health.take(address_of(peer))


class OpenStreams:
    """Calls that may stay open for as long as their callers like, counted while they are. For one event loop."""

    def __init__(self, *, of_a_caller: int = STREAMS_OF_A_CALLER, of_all: int = STREAMS) -> None:
        self._of_a_caller = of_a_caller
        self._of_all = of_all
        self._open: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._open.total()

    @contextmanager
    def held(self, caller: str) -> Iterator[None]:
        """Count one call of the caller while the block runs. Raises RateLimited."""
        if self._open[caller] >= self._of_a_caller or len(self) >= self._of_all:
            raise RateLimited(
                "too many calls of this method are open at once",
                fix="end some, or wait as long as retry-after says",
                retry_after=_BUSY_WAIT,
            )
        self._open[caller] += 1
        try:
            yield
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]
