"""Malformed requests and files against a real service process: what answers, what hangs, what it costs in memory.

    python benchmarks/fuzz_service.py --requests 100000 --files 20000 --seed 1

Half of the requests go to `countersign serve` in the clear and open, half to one with TLS and tokens, through real
sockets on loopback. Request n of a seed is the same in every run. It ends with 1, and says why, unless

    every answer has a documented code, none of them INTERNAL, UNKNOWN, UNAVAILABLE or DATA_LOSS
    nothing hangs, the process lives, its memory stays flat
    health says SERVING at the end, a valid claim is accepted, a false one rejected, the audit log is intact
    every damaged file is refused with an error of the one tree, or reads as the same content
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import numpy as np

from enroll.audit.chain import AuditKeys
from enroll.audit.check import check_stored
from enroll.audit.reading import stored_log
from enroll.stores.opening import AUDIT_SECRET, StorePlace, open_sql_store
from fuzzing.calls import Answer, Caller
from fuzzing.files import fuzz_files
from fuzzing.service import Target, attacked
from fuzzing.sockets import Intruder
from verify.status import CODES

AT_ONCE = 16
SOCKET_SHARE = 0.08
SAMPLES = 200
WARM_UP = 0.5
"""Share of the requests after which memory should grow no more."""
MAX_GROWTH = 0.05
"""By which the median of the last quarter may lie above that of the quarter before: bombs leave marks for a while."""

BAD = {"INTERNAL", "UNKNOWN", "UNAVAILABLE", "DATA_LOSS"}
ALLOWED = ({code.name for code in CODES.values()} | {"OK", "UNIMPLEMENTED", "CANCELLED"}) - BAD
NUMBERS = {str(code.value[0]) for code in grpc.StatusCode if code.name in ALLOWED}
TRANSPORT = "of the transport"
"""INTERNAL and UNAVAILABLE that gRPC's core gives, as its protocol asks, to what never becomes a call."""
_ITS_WORDS = (
    "Error parsing '",
    "Failed parsing HTTP/2",
    "Duplicate '",
    "Illegal header",
    "Metadata keys cannot be zero length",
    "Compression bit set but no encoding configured",
    "Decompression failed",
)


@dataclass
class Campaign:
    """What came of the requests to one service."""

    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    hung: int = 0
    died: bool = False
    memory: list[tuple[int, int]] = field(default_factory=list)

    def slope(self) -> float:
        """KiB a request by which memory grew after the warm-up, by least squares."""
        after = np.array(self.memory[int(WARM_UP * len(self.memory)) :], np.float64)
        return float(np.polyfit(after[:, 0], after[:, 1], 1)[0]) if len(after) > 2 else 0.0

    def growth(self) -> float:
        """The median of memory in the last quarter over that in the quarter before, less 1."""
        kib = np.array([held for _, held in self.memory], np.float64)
        third, last = kib[len(kib) // 2 : 3 * len(kib) // 4], kib[3 * len(kib) // 4 :]
        return float(np.median(last) / np.median(third) - 1.0) if len(third) else 0.0


async def attack(target: Target, numbers: range, seed: int, campaign: Campaign) -> None:
    """Send the requests of these numbers, some at once."""
    waiting = iter(numbers)
    every = max(1, len(numbers) // SAMPLES)
    done = 0

    async def work(caller: Caller, intruder: Intruder) -> None:
        nonlocal done
        for number in waiting:
            draw = random.Random(f"{seed}:{number}")
            sender = intruder if draw.random() < SOCKET_SHARE else caller
            answer = await sender.send(draw)
            ended = f"grpc {TRANSPORT}" if of_the_transport(answer) else answer.ended
            campaign.answers[answer.method, ended] += 1
            if answer.hung or wrong(ended):
                campaign.hung += answer.hung
                print(
                    f"request {number} of seed {seed}: {answer.method} ended with {answer.ended} {answer.said}",
                    flush=True,
                )
            done += 1
            if done % every == 0:
                if not target.alive:
                    campaign.died = True
                    return
                campaign.memory.append((done, target.resident_kib()))

    async with Caller(target) as caller:
        intruder = Intruder(target)
        await asyncio.gather(*(work(caller, intruder) for _ in range(AT_ONCE)))


def of_the_transport(answer: Answer) -> bool:
    """Whether headers, frames or compression were so broken that gRPC's core, not the service, answered."""
    return answer.ended in ("grpc 13", "grpc 14") and answer.said.startswith(_ITS_WORDS)


def wrong(ended: str) -> bool:
    """Whether a request must not end so."""
    if ended.startswith("grpc "):
        return ended.removeprefix("grpc ") not in {*NUMBERS, TRANSPORT}
    return ended.isupper() and ended not in ALLOWED and " " not in ended


def told(target: Target, campaign: Campaign, seconds: float) -> list[str]:
    """Print the table of one service; returns what is wrong."""
    codes = sorted({code for _, code in campaign.answers})
    total = sum(campaign.answers.values())
    print(f"\n## {target.name}: {total:,} requests in {seconds:.0f} s\n")
    for method in sorted({method for method, _ in campaign.answers}):
        row = {code: campaign.answers[method, code] for code in codes if campaign.answers[method, code]}
        print(f"| {method} | {sum(row.values()):,} | {', '.join(f'{code} {n:,}' for code, n in row.items())} |")
    kib = [held for _, held in campaign.memory]
    warm = kib[int(WARM_UP * len(kib))]
    slope = campaign.slope()
    tenths = " ".join(f"{held / 1024:.0f}" for held in kib[:: max(1, len(kib) // 10)])
    print(
        f"\nmemory: {kib[0] / 1024:.0f} MiB at the start, {warm / 1024:.0f} after {WARM_UP:.0%} of the requests, "
        f"{kib[-1] / 1024:.0f} at the end, {max(kib) / 1024:.0f} at most; "
        f"{slope:+.3f} KiB a request after the warm-up, {campaign.growth():+.1%} in the last quarter; "
        f"each tenth: {tenths}"
    )
    found = [f"{code} answered {n} times" for (_, code), n in campaign.answers.items() if wrong(code)]
    found += [f"{campaign.hung} requests hung"] * bool(campaign.hung) + ["the process died"] * campaign.died
    found += [f"memory grew by {campaign.growth():.1%} in the last quarter"] * (campaign.growth() > MAX_GROWTH)
    unforeseen = target.log.read_text().count('"unforeseen"')
    return found + [f"{unforeseen} errors nobody foresaw in the log"] * bool(unforeseen)


def audit_findings(database: Path) -> list[str]:
    with closing(open_sql_store(StorePlace(str(database)))) as store:
        keys = AuditKeys.derive(store.keys.secret(AUDIT_SECRET))
        with store.database.reading() as connection:
            stored, rows = stored_log(connection)
            checked = check_stored(rows, stored, keys)
    print(f"audit log: {checked.entries:,} entries, {'intact' if checked.intact else 'broken'}")
    return [finding.message for finding in checked.findings]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000, help="of both services together")
    parser.add_argument("--files", type=int, default=20_000, help="damaged files")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    wrongs: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        half = asked.requests // 2
        parts = ((False, "in the clear, open", range(half)), (True, "TLS and tokens", range(half, asked.requests)))
        for closed, title, numbers in parts:
            if not numbers:
                continue
            place = folder / ("closed" if closed else "open")
            with attacked(place, title, closed=closed) as target:
                target.settle()
                campaign, started = Campaign(), time.monotonic()
                asyncio.run(attack(target, numbers, asked.seed, campaign))
                wrongs += told(target, campaign, time.monotonic() - started)
                wrongs += target.well() if target.alive else []
            if target.process.returncode:
                wrongs.append(f"the process ended with {target.process.returncode}")
            wrongs += audit_findings(place / "people.sqlite")
        wrongs += fuzz_files(asked.files, asked.seed, folder / "files")
    for one in wrongs:
        print(f"WRONG: {one}")
    print("\nall as it must be" if not wrongs else f"\n{len(wrongs)} things wrong")
    return int(bool(wrongs))


if __name__ == "__main__":
    sys.exit(main())
