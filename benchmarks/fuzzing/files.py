"""Damaged files: every reader refuses with an error of the one tree, or reads what the file held before the damage.

Files that carry seals, digests or signatures are held to the second half; settings, scores and stroke files carry
none, so that of those only the kind of the refusal is asked.
"""

import random
import time
import traceback
from collections import Counter
from pathlib import Path

from encode.errors import CountersignError
from fuzzing.documents import mangled
from fuzzing.file_kind import Kind
from fuzzing.file_seeds import seeds
from fuzzing.pictures import damage

SLOW_SECONDS = 20.0


def fuzz_files(count: int, seed: int, folder: Path) -> list[str]:
    """Read `count` damaged files, print a table by kind and error; returns what is wrong."""
    if not count:
        return []
    folder.mkdir()
    kinds = seeds(folder)
    results: Counter[tuple[str, str]] = Counter()
    wrongs: list[str] = []
    started = time.monotonic()
    for number in range(count):
        kind = kinds[number % len(kinds)]
        ended, why = try_one(random.Random(f"{seed}:file:{number}"), kind)
        results[kind.name, ended] += 1
        if why:
            wrongs.append(f"file {number}, {kind.name}: {why}")
    print(f"\n## {count:,} damaged files in {time.monotonic() - started:.0f} s\n")
    for name in (kind.name for kind in kinds):
        row = {ended: n for (kind_name, ended), n in sorted(results.items()) if kind_name == name}
        print(f"| {name} | {sum(row.values()):,} | {', '.join(f'{ended} {n:,}' for ended, n in row.items())} |")
    return wrongs[:20]


def try_one(draw: random.Random, kind: Kind) -> tuple[str, str]:
    """How reading one damaged file ended, and what was wrong with that, if anything."""
    whole = draw.choice(kind.whole)
    data = mangled(draw, whole) if kind.text and draw.random() < 0.5 else damage(draw, whole, edits=draw.choice((1, 6)))
    started = time.monotonic()
    try:
        read = kind.read(data)
    except CountersignError as error:
        ended, why = type(error).__name__, "" if str(error) and error.message else "refused without a message"
    except Exception as error:  # noqa: BLE001 - what the campaign is for
        ended, why = "traceback", f"{error!r} at {traceback.extract_tb(error.__traceback__)[-1]}"[:400]
    else:
        ended, why = "read", ""
        if kind.sealed:
            ended = "the same content" if kind.same(read, kind.read(whole)) else "changed content"
            why = "changed content is read" if ended == "changed content" else ""
    took = time.monotonic() - started
    return ended, why or (f"took {took:.0f} s" if took > SLOW_SECONDS else "")
