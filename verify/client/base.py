"""What both clients are: a target, a channel to it, and the calls that were made through it."""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

import grpc

from verify.client.call import Call, serialized
from verify.client.channel import ClientTls, Target
from verify.settings import ClientSettings

_Channel = TypeVar("_Channel", grpc.Channel, grpc.aio.Channel)


class BaseClient(Generic[_Channel]):
    """See :class:`verify.client.client.Client`; `_open` makes the kind of channel."""

    def __init__(
        self,
        address: str,
        *,
        timeout: float = 30.0,
        token: str | None = None,
        tls: ClientTls | None = None,
        insecure_plaintext: bool = False,
    ) -> None:
        self.target = Target(address, timeout, token, tls, insecure_plaintext)
        self.channel: _Channel = self._open(self.target)
        self._methods: dict[str, Callable[..., Any]] = {}

    @classmethod
    def at(cls, target: Target) -> Self:
        """The client of a target."""
        return cls(
            target.address,
            timeout=target.timeout,
            token=target.token,
            tls=target.tls,
            insecure_plaintext=target.insecure_plaintext,
        )

    @classmethod
    def of(cls, settings: ClientSettings) -> Self:
        """The client that the settings describe."""
        return cls.at(Target.of(settings))

    def _open(self, target: Target) -> _Channel:
        raise NotImplementedError

    def _method(self, call: Call[Any]) -> Callable[..., Any]:
        """What makes a call of this kind, made once."""
        if call.method not in self._methods:
            self._methods[call.method] = self.channel.unary_unary(
                call.method, request_serializer=serialized, response_deserializer=call.answer.FromString
            )
        return self._methods[call.method]
