"""Just enough HTTP/2 (RFC 9113) and HPACK (RFC 7541) to send what no client sends and to read how it was answered.

Requests are written without Huffman codes and without a table. Told of a table of size 0, gRPC's server answers
likewise.
"""

import asyncio
import ssl
import struct
from collections.abc import Iterable

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED = 0x1, 0x4, 0x8
_STATUSES = {8: "200", 9: "204", 10: "206", 11: "304", 12: "400", 13: "404", 14: "500"}
NO_TABLE = struct.pack(">HI", 1, 0)

Headers = Iterable[tuple[bytes, bytes]]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def hpack(headers: Headers) -> bytes:
    """Each header as a literal that is not indexed."""
    return b"".join(b"\0" + _length(len(name)) + name + _length(len(value)) + value for name, value in headers)


def grpc_message(body: bytes, *, flag: int = 0, length: int | None = None) -> bytes:
    """gRPC's frame: compressed or not, the length, the message."""
    return struct.pack(">BI", flag, len(body) if length is None else length) + body


def opening() -> bytes:
    return PREFACE + frame(SETTINGS, 0, 0, NO_TABLE)


async def exchange(
    port: int, sent: bytes, tls: ssl.SSLContext | None, *, seconds: float, patience: float
) -> tuple[str, str]:
    """Send, and read until the first stream or the connection has ended: what ended it, and what gRPC said of it.

    ``grpc N`` and ``http S`` for statuses, ``RST_STREAM N``, ``GOAWAY N``, ``closed``; ``waits`` where nothing came for
    `patience` seconds, which is as it should be where something is still to be sent, and ``hang`` after `seconds`.
    """
    try:
        name = "localhost" if tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
    except (OSError, ssl.SSLError):
        return "refused", ""
    try:
        writer.write(sent)
        return await asyncio.wait_for(_ended(reader, patience), seconds)
    except TimeoutError:
        return "hang", ""
    except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
        return "closed", ""
    finally:
        writer.transport.abort()


async def _ended(reader: asyncio.StreamReader, patience: float) -> tuple[str, str]:
    block = b""
    while True:
        try:
            head = await asyncio.wait_for(reader.readexactly(9), patience)
        except TimeoutError:
            return "waits", ""
        length, kind, flags = int.from_bytes(head[:3]), head[3], head[4]
        payload = await reader.readexactly(length)
        if kind == RST_STREAM:
            return f"RST_STREAM {int.from_bytes(payload)}", ""
        if kind == GOAWAY:
            return f"GOAWAY {int.from_bytes(payload[4:8])}", payload[8:].decode("latin-1")
        if kind in (HEADERS, CONTINUATION):
            block += payload
            if flags & END_HEADERS:
                found = dict(read_hpack(block))
                block = b""
                if "grpc-status" in found:
                    return f"grpc {found['grpc-status']}", found.get("grpc-message", "")
                if found.get(":status", "200") != "200":
                    return f"http {found[':status']}", ""


def read_hpack(block: bytes) -> list[tuple[str, str]]:
    """Headers that use neither Huffman codes nor a dynamic table; names from the static table only as ``:status``."""
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(block):
        first = block[at]
        if first & 0x80:
            index, at = _integer(block, at, 7)
            found += [(":status", _STATUSES[index])] if index in _STATUSES else []
        elif first & 0xE0 == 0x20:
            _, at = _integer(block, at, 5)
        else:
            index, at = _integer(block, at, 6 if first & 0x40 else 4)
            name = ":status" if index in _STATUSES else f"static {index}"
            if index == 0:
                name, at = _string(block, at)
            value, at = _string(block, at)
            found.append((name, value))
    return found


def _string(block: bytes, at: int) -> tuple[str, int]:
    huffman = block[at] & 0x80
    length, at = _integer(block, at, 7)
    text = block[at : at + length]
    return ("<huffman>" if huffman else text.decode("latin-1")), at + length


def _integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    most = (1 << bits) - 1
    value, at = block[at] & most, at + 1
    if value < most:
        return value, at
    shift = 0
    while True:
        more = block[at]
        value, at, shift = value + ((more & 0x7F) << shift), at + 1, shift + 7
        if not more & 0x80:
            return value, at


def _length(value: int) -> bytes:
    if value < 127:
        return bytes([value])
    value -= 127
    written = bytearray([127])
    while value > 127:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
