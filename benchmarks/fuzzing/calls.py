"""Hostile calls through gRPC's own client: any bytes as the body, any path, any metadata it lets through."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from fuzzing.messages import METHODS, request
from fuzzing.pictures import damage
from fuzzing.service import Target
from fuzzing.texts import hostile_text

SECONDS = 90.0
"""A call without an answer for so long hangs."""

Metadata = Sequence[tuple[str, str | bytes]]
_CHANNELS = 4
_HERE = "Internal error from Core"
"""What gRPC's client says, of itself, where a call has been answered before all of it was sent."""
_OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
_OTHERS = (
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.health.v1.Health/List",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)
_NO_METHODS = (
    "/",
    "/verify.v1.VerificationService/",
    "/verify.v1.VerificationService/verify",
    "/verify.v1.VerificationService/Verify/",
    "//verify.v1.VerificationService/Verify",
    "/verify.v2.VerificationService/Verify",
    "/%2e%2e/Verify",
    "/" + "x" * 4_000,
    "verify",
)


@dataclass(frozen=True)
class Answer:
    """What became of a request: the method, the code or what else ended it, whether it hung, what was said of it."""

    method: str
    ended: str
    hung: bool = False
    said: str = ""


class Caller:
    """Sends hostile calls to one service. Use it as a context."""

    def __init__(self, target: Target) -> None:
        self._target = target

    async def __aenter__(self) -> "Caller":
        address = f"localhost:{self._target.port}"
        if self._target.ca is None:
            self._channels = [grpc.aio.insecure_channel(address, options=_OPTIONS) for _ in range(_CHANNELS)]
        else:
            credentials = grpc.ssl_channel_credentials(self._target.ca.read_bytes())
            self._channels = [grpc.aio.secure_channel(address, credentials, _OPTIONS) for _ in range(_CHANNELS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for channel in self._channels:
            await channel.close(None)

    async def send(self, draw: random.Random) -> Answer:
        """One call: mostly of a method there is, with a body made for it."""
        how = draw.random()
        if how < 0.90:
            method = draw.choice(list(METHODS))
            return await self._call(draw, method, request(draw, method))
        if how < 0.96:
            return await self._call(draw, draw.choice(_OTHERS), damage(draw, b"\x0a\x09verify.v1"))
        method = draw.choice(_NO_METHODS)
        return await self._call(draw, method, request(draw, next(iter(METHODS))), told="no method")

    async def _call(self, draw: random.Random, method: str, body: bytes, *, told: str | None = None) -> Answer:
        timeout = draw.choice((0.0, 0.001, 0.01, 0.1)) if draw.random() < 0.02 else SECONDS
        compression = grpc.Compression.Gzip if draw.random() < 0.05 else None
        bodies = [body] if draw.random() < 0.97 else [body] * draw.choice((0, 2, 3))
        if method.endswith("/Watch"):
            timeout = min(timeout, 0.2)  # an honest watcher never hangs up either
        channel, options = draw.choice(self._channels), {"timeout": timeout, "compression": compression}
        if len(bodies) == 1 and not method.startswith("/grpc.reflection"):
            call = channel.unary_stream(method)(body, metadata=self._metadata(draw), **options)
        else:
            call = channel.stream_stream(method)(_each(bodies), metadata=self._metadata(draw), **options)
        if draw.random() < 0.02:
            asyncio.get_running_loop().call_later(draw.random() / 50, call.cancel)
        started, said = time.monotonic(), ""
        try:
            async for _ in call:
                pass
            code = await call.code()
        except grpc.aio.AioRpcError as error:
            code, said = error.code(), error.details() or ""
            if said == _HERE:
                return Answer(told or method.rpartition(".")[2], "ended while being sent")
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
        took = time.monotonic() - started
        late = code is grpc.StatusCode.DEADLINE_EXCEEDED and timeout == SECONDS
        return Answer(told or method.rpartition(".")[2], code.name, hung=late or took > SECONDS + 10, said=said)

    def _metadata(self, draw: random.Random) -> Metadata:
        sent: list[tuple[str, str | bytes]] = []
        tokens = self._target.tokens
        if tokens:
            sent += _authorization(draw, tokens)
        if draw.random() < 0.1:
            junk = draw.choice(("x", "not a uuid", "0" * 36, "x" * 3_000, "{}", "11111111-1111-1111-1111-111111111111"))
            sent.append(("x-request-id", junk))
        if draw.random() < 0.03:
            sent += [(f"x-{number}", "y" * draw.choice((0, 10, 900))) for number in range(draw.choice((1, 5, 40)))]
        if draw.random() < 0.03:
            sent.append(("x-junk-bin", hostile_text(draw)[:2_000]))
        return sent


def _authorization(draw: random.Random, tokens: Sequence[str]) -> Metadata:
    token = draw.choice(tokens)
    how = draw.random()
    if how < 0.85:
        return [("authorization", f"Bearer {token}")]
    at = draw.randrange(len(token))
    forged = token[:at] + draw.choice("0f_zZ ") + token[at + 1 :]
    junk = ("", "Bearer", "Bearer ", f"Basic {token}", f"bearer  {token}", f"Bearer {token} ", token, "Bearer cs__")
    values = draw.choice(([], [f"Bearer {forged}"], [draw.choice(junk)], [f"Bearer {token}"] * 2))
    return [("authorization", value) for value in values]


async def _each(bodies: list[bytes]) -> object:  # type: ignore[misc]
    for body in bodies:
        yield body
