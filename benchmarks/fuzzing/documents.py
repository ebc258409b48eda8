"""JSON and TOML made hostile as documents: well formed, with one value that does not belong where it stands."""

import json
import random
from collections.abc import Iterator
from typing import Any

_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x" * 10_000,
    "\0",
    "\ud800",
    "../../etc/passwd",
    "é",
    [],
    [[]],
    {},
    {"": {}},
)


def mangled(draw: random.Random, text: bytes) -> bytes:
    """A JSON document with one to three of its values replaced, taken out, doubled or renamed."""
    document = json.loads(text)
    for _ in range(draw.randint(1, 3)):
        holders = list(_holders(document))
        if not holders:
            break
        holder = draw.choice(holders)
        key = draw.choice(list(holder)) if isinstance(holder, dict) else draw.randrange(len(holder))
        how = draw.randrange(5)
        if how < 2:
            holder[key] = draw.choice(_VALUES)
        elif how == 2:
            del holder[key]
        elif how == 3 and isinstance(holder, dict):
            holder[draw.choice(("extra", "", f"{key} "))] = holder.pop(key)
        elif isinstance(holder, list):
            holder.insert(key, holder[key])
        else:
            holder[key] = [holder[key]]
    try:
        return json.dumps(document, ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")
    except ValueError:  # a number of more digits than Python writes
        return b"[" * draw.choice((10, 100_000))


def _holders(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        if value:
            yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _holders(inner)
