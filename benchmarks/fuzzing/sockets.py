"""Hostile bytes on the socket itself, below gRPC: frames, headers, compression, and what is no HTTP/2 or no TLS."""

import gzip
import random
import ssl
import struct
from collections.abc import Callable
from functools import cache

from fuzzing import http2
from fuzzing.calls import SECONDS, Answer
from fuzzing.http2 import END_HEADERS, END_STREAM, frame, grpc_message, hpack, opening
from fuzzing.messages import METHODS, request
from fuzzing.pictures import damage
from fuzzing.service import Target

PATIENCE = 0.3
Header = tuple[bytes, bytes]


class Intruder:
    """Opens a connection of its own for each request."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._tls = None if target.ca is None else ssl.create_default_context(cafile=str(target.ca))
        if self._tls is not None:
            self._tls.set_alpn_protocols(["h2"])
            self._tls.check_hostname = False

    async def send(self, draw: random.Random) -> Answer:
        """One connection: a call with broken headers, a broken message, broken frames, or bytes."""
        name, make = draw.choice(_KINDS)
        token = self._target.tokens[0] if self._target.tokens else None
        sent, finished = make(draw, token)
        # On a port of TLS, below and within it.
        tls = None if name == "bytes" and draw.random() < 0.7 else self._tls
        ended, said = await http2.exchange(
            self._target.port, sent, tls, seconds=SECONDS, patience=SECONDS if finished else PATIENCE
        )
        return Answer(f"socket: {name}", ended, hung=ended == "hang" or (finished and ended == "waits"), said=said)


Sent = tuple[bytes, bool]
"""What is sent, and whether it is a whole request, which has to be answered."""


def call_headers(token: str | None = None, path: bytes = b"/verify.v1.VerificationService/Verify") -> list[Header]:
    """The headers of an honest call."""
    found = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ]
    return found if token is None else [*found, (b"authorization", b"Bearer " + token.encode())]


def a_call(headers: list[Header], data: bytes) -> bytes:
    """A connection with one call: `data` are gRPC's frames."""
    return (
        opening()
        + frame(http2.HEADERS, END_HEADERS, 1, hpack(headers))
        + b"".join(frame(http2.DATA, 0, 1, data[at : at + 16_384]) for at in range(0, len(data), 16_384))
        + frame(http2.DATA, END_STREAM, 1)
    )


def _body(draw: random.Random) -> tuple[bytes, bytes]:
    method = draw.choice(list(METHODS))
    return method.encode(), request(draw, method)[:60_000]


def _broken_headers(draw: random.Random, token: str | None) -> Sent:
    path, body = _body(draw)
    headers = call_headers(token, path)
    replaced = draw.choice(
        (
            (
                b"content-type",
                draw.choice((b"", b"text/html", b"application/grpcx", b"application/grpc+json", b"\xff")),
            ),
            (b":method", draw.choice((b"GET", b"PUT", b"", b"PRI"))),
            (b":path", draw.choice((b"", b"*", b"verify", b"/" + b"x" * 9_000, b"/\xff", b"/verify.v1.\x00/x"))),
            (b":scheme", draw.choice((b"", b"ftp"))),
            (b"te", b"gzip"),
        )
    )
    how = draw.randrange(6)
    if how == 0:
        headers = [replaced if header[0] == replaced[0] else header for header in headers]
    elif how == 1:
        del headers[draw.randrange(len(headers))]
    elif how == 2:
        headers.insert(draw.randrange(len(headers)), draw.choice(headers))
    elif how == 3:
        timeout = draw.choice((b"", b"1", b"x", b"-1S", b"1x", b"0n", b"1n", b"5m", b"9" * 30 + b"S", b"\xff", b"1.5S"))
        headers.append((b"grpc-timeout", timeout))
    elif how == 4:
        junk = draw.choice((b"x" * 7_000, b"x" * 100_000, b"\0", b"\r\n", b"\xff\xfe", b""))
        headers.append((draw.choice((b"x-junk", b"X-Upper", b"x-junk-bin", b"", b":unknown", b"authorization")), junk))
    else:
        draw.shuffle(headers)
    return a_call(headers, grpc_message(body)), True


def _broken_message(draw: random.Random, token: str | None) -> Sent:
    path, body = _body(draw)
    headers = call_headers(token, path)
    how = draw.randrange(6)
    if how == 0:
        data = grpc_message(body, length=draw.choice((0, len(body) + 1, 2**31, 2**32 - 1)))
    elif how == 1:
        data = grpc_message(body, flag=draw.choice((1, 2, 0x80, 0xFF)))
    elif how == 2:
        encoding = draw.choice((b"gzip", b"deflate", b"br", b"identity", b"", b"x" * 99))
        data = grpc_message(damage(draw, gzip.compress(body, 1)), flag=1)
        headers.append((b"grpc-encoding", encoding))
    elif how == 3:
        data = grpc_message(_bomb(), flag=1) if draw.random() < 0.1 else grpc_message(body) * 2
        headers.append((b"grpc-encoding", b"gzip"))
    elif how == 4:
        data = (grpc_message(body))[: draw.randint(0, 5 + len(body))]
    else:
        data = draw.choice((b"", b"\0", b"\0\0\0\0", draw.randbytes(40)))
    return a_call(headers, data), True


@cache
def _bomb() -> bytes:
    """A quarter of a megabyte that unpacks to 256 MiB."""
    return gzip.compress(bytes(256 * 1024 * 1024), 9)


def _broken_frames(draw: random.Random, token: str | None) -> Sent:
    path, body = _body(draw)
    whole = a_call(call_headers(token, path), grpc_message(body))
    block = frame(http2.HEADERS, END_HEADERS, 1, hpack(call_headers(token, path)))
    how = draw.randrange(12)
    frames = (
        lambda: frame(
            draw.randrange(256), draw.randrange(256), draw.getrandbits(32), draw.randbytes(draw.randrange(60))
        ),
        lambda: frame(http2.DATA, 0, 0, body),
        lambda: frame(http2.HEADERS, END_HEADERS, draw.choice((0, 2, 1)), draw.randbytes(30)),
        lambda: frame(http2.HEADERS, 0, 1, b"") + frame(http2.CONTINUATION, 0, 1, b"\0\x01a\x01b") * 500,
        lambda: block + frame(http2.RST_STREAM, 0, 1, struct.pack(">I", draw.choice((0, 8, 2**32 - 1)))),
        lambda: block + frame(http2.WINDOW_UPDATE, 0, draw.choice((0, 1)), b"\x7f\xff\xff\xff") * 2,
        lambda: frame(http2.SETTINGS, 0, 0, draw.randbytes(6 * draw.randrange(5) + draw.randrange(2))) * 20,
        lambda: frame(http2.PING, 0, 0, bytes(8)) * 200,
        lambda: frame(http2.HEADERS, END_HEADERS, 1, b"\x3f" + b"\xff" * 9 + b"\x7f"),
        lambda: b"".join(frame(http2.HEADERS, END_HEADERS, 1 + 2 * n, hpack(call_headers(token))) for n in range(200)),
    )
    if how >= len(frames):
        return damage(draw, whole), False
    return opening() + frames[how](), False


def _bytes(draw: random.Random, token: str | None) -> Sent:
    hello = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + draw.randbytes(160)
    return draw.choice(
        (
            lambda: b"",
            lambda: b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            lambda: http2.PREFACE[: draw.randint(1, 24)],
            lambda: http2.PREFACE + draw.randbytes(draw.randrange(200)),
            lambda: opening(),
            lambda: draw.randbytes(draw.choice((1, 100, 5_000))),
            lambda: hello,
            lambda: damage(draw, hello),
            lambda: b"\x16\x03\x01\xff\xff" + draw.randbytes(200),
            lambda: b"\x15\x03\x03\x00\x02\x02\x28",
        )
    )(), False


_KINDS: tuple[tuple[str, Callable[[random.Random, str | None], Sent]], ...] = (
    ("headers", _broken_headers),
    ("messages", _broken_message),
    ("frames", _broken_frames),
    ("bytes", _bytes),
)
