"""The client whose calls are awaited: the same methods, deadlines and errors as :mod:`verify.client.client`."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import grpc

from verify.client import enrollment_calls, model_calls, template_calls, verification_calls
from verify.client.base import BaseClient
from verify.client.batch_items import ENROLL_BATCH, VERIFY_BATCH, BatchMethod, EnrollItem, ItemResult, VerifyItem
from verify.client.batches import Batch
from verify.client.call import Call, Pages, serialized
from verify.client.channel import Target
from verify.status import from_rpc_error
from verify.v1 import enrollment_pb2, verification_pb2

_P = ParamSpec("_P")
_Result = TypeVar("_Result")
_Item = TypeVar("_Item")
_Awaited = Coroutine[Any, Any, _Result]


def _answered(build: Callable[_P, Call[_Result]]) -> Callable[Concatenate["AsyncClient", _P], _Awaited[_Result]]:
    """The method that makes the call `build` describes."""

    @wraps(build)
    async def method(self: "AsyncClient", /, *args: _P.args, **kwargs: _P.kwargs) -> _Result:
        return await self.answer(build(*args, **kwargs))

    return method


def _listed(build: Callable[_P, Pages[_Result]]) -> Callable[Concatenate["AsyncClient", _P], AsyncIterator[_Result]]:
    """The method that fetches the pages `build` describes, each when the one before is used up."""

    @wraps(build)
    async def method(self: "AsyncClient", /, *args: _P.args, **kwargs: _P.kwargs) -> AsyncIterator[_Result]:
        pages = build(*args, **kwargs)
        token = ""
        while True:
            page = await self.answer(pages.page(token))
            for item in page.items:
                yield item
            token = page.next_token
            if not token:
                return

    return method


class AsyncClient(BaseClient[grpc.aio.Channel]):
    """Calls one service from one event loop, in which it is made, each call with a deadline.

    Parameters and errors as of :class:`verify.client.client.Client`.
    """

    def _open(self, target: Target) -> grpc.aio.Channel:
        return target.open_async()

    enroll = _answered(enrollment_calls.enroll)
    get_person = _answered(enrollment_calls.get_person)
    list_persons = _listed(enrollment_calls.list_persons)
    delete_person = _answered(enrollment_calls.delete_person)

    list_template_versions = _answered(template_calls.list_template_versions)
    rollback_template = _answered(template_calls.rollback_template)
    list_quarantine = _listed(template_calls.list_quarantine)
    resolve_quarantine = _answered(template_calls.resolve_quarantine)

    verify = _answered(verification_calls.verify)
    identify = _answered(verification_calls.identify)

    list_models = _answered(model_calls.list_models)
    get_policy = _answered(model_calls.get_policy)
    healthy = _answered(model_calls.healthy)

    async def answer(self, call: Call[_Result]) -> _Result:
        """Make a call and await what it is answered with."""
        try:
            answer = await self._method(call)(call.request, timeout=self.target.timeout, metadata=self.target.metadata)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None
        return call.read(answer)

    def enroll_batch(
        self, items: Iterable[EnrollItem]
    ) -> AsyncIterator[ItemResult[EnrollItem, enrollment_pb2.EnrollResponse]]:
        """Enroll many people over one stream: a result for each item, in any order; see :mod:`verify.client.batches`.

        An item that cannot be enrolled is a result with its error.
        """
        return self.batch(ENROLL_BATCH, items)

    def verify_batch(
        self, items: Iterable[VerifyItem]
    ) -> AsyncIterator[ItemResult[VerifyItem, verification_pb2.VerifyResponse]]:
        """Decide many claims over one stream, as :meth:`enroll_batch`."""
        return self.batch(VERIFY_BATCH, items)

    def batch(
        self, method: BatchMethod[_Item, _Result], items: Iterable[_Item]
    ) -> AsyncIterator[ItemResult[_Item, _Result]]:
        """The results of a stream of `items`."""
        stream = self.channel.stream_stream(
            method.method,
            request_serializer=serialized,
            response_deserializer=method.response.FromString,
        )
        target = self.target
        return Batch(method, lambda: stream(metadata=target.metadata), items, timeout=target.timeout).results()

    async def close(self) -> None:
        await self.channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
