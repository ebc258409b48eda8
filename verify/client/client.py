"""The client whose calls block: one method a call, a deadline on each, and errors of the one error tree.

Answers are the wire messages of verify/v1; samples are those of :mod:`encode.sample`. What a method takes and returns
is told by the function it is made of. Every method raises the error the service answered with, or

    ServiceUnavailable   nothing answers at the address, or not with a certificate that is trusted
    DeadlineExpired      no answer in time
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import grpc

from verify.client import enrollment_calls, model_calls, template_calls, verification_calls
from verify.client.async_client import AsyncClient
from verify.client.base import BaseClient
from verify.client.batch_items import EnrollItem, ItemResult, VerifyItem
from verify.client.call import Call, Pages
from verify.client.channel import Target
from verify.status import from_rpc_error
from verify.v1 import enrollment_pb2, verification_pb2

_P = ParamSpec("_P")
_Result = TypeVar("_Result")


def _answered(build: Callable[_P, Call[_Result]]) -> Callable[Concatenate["Client", _P], _Result]:
    """The method that makes the call `build` describes."""

    @wraps(build)
    def method(self: "Client", /, *args: _P.args, **kwargs: _P.kwargs) -> _Result:
        return self.answer(build(*args, **kwargs))

    return method


def _listed(build: Callable[_P, Pages[_Result]]) -> Callable[Concatenate["Client", _P], Iterator[_Result]]:
    """The method that fetches the pages `build` describes, each when the one before is used up."""

    @wraps(build)
    def method(self: "Client", /, *args: _P.args, **kwargs: _P.kwargs) -> Iterator[_Result]:
        pages = build(*args, **kwargs)
        token = ""
        while True:
            page = self.answer(pages.page(token))
            yield from page.items
            token = page.next_token
            if not token:
                return

    return method


class Client(BaseClient[grpc.Channel]):
    """Calls one service, each call with a deadline. Safe to use from several threads.

    Parameters
    ----------
    address : ``host:port``.
    timeout : seconds a call may take, repeats of it included.
    token : ``cs_...``, for a service that asks for one.
    tls : how to encrypt; None sends in the clear.
    insecure_plaintext : send a token beyond loopback without TLS all the same.

    Raises
    ------
    ConfigError : a certificate cannot be read, or a token would cross the network in the clear.
    """

    def _open(self, target: Target) -> grpc.Channel:
        return target.open()

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

    def answer(self, call: Call[_Result]) -> _Result:
        """Make a call and wait for what it is answered with."""
        try:
            answer = self._method(call)(call.request, timeout=self.target.timeout, metadata=self.target.metadata)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None
        return call.read(answer)

    def enroll_batch(
        self, items: Iterable[EnrollItem]
    ) -> Iterator[ItemResult[EnrollItem, enrollment_pb2.EnrollResponse]]:
        """Enroll many people over one stream: a result for each item, in any order; see :mod:`verify.client.batches`.

        An item that cannot be enrolled is a result with its error. Not from a thread that runs an event loop.
        """
        return self._stepwise(lambda client: client.enroll_batch(items))

    def verify_batch(
        self, items: Iterable[VerifyItem]
    ) -> Iterator[ItemResult[VerifyItem, verification_pb2.VerifyResponse]]:
        """Decide many claims over one stream, as :meth:`enroll_batch`."""
        return self._stepwise(lambda client: client.verify_batch(items))

    def _stepwise(self, results: Callable[[AsyncClient], AsyncIterator[_Result]]) -> Iterator[_Result]:
        """What an awaiting client of the same service yields, on an event loop that runs while the next is waited for.

        So there is one way to run a batch, and whoever is slow to use the results slows the batch down.
        """
        with asyncio.Runner() as runner:
            client = runner.run(_opened(self.target))
            stream = results(client)

            async def step() -> _Result | None:
                return await anext(stream, None)

            try:
                while (result := runner.run(step())) is not None:
                    yield result
            finally:
                runner.run(_ended(stream, client))

    def close(self) -> None:
        self.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def _opened(target: Target) -> AsyncClient:
    """An awaiting client, made in the event loop that will run it."""
    return AsyncClient.at(target)


async def _ended(stream: AsyncIterator[Any], client: AsyncClient) -> None:
    if isinstance(stream, AsyncGenerator):
        await stream.aclose()
    await client.close()
