"""Does the time of a rejection tell whether the person exists? Distributions, and how well a distinguisher does.

    python benchmarks/concealment_timing.py [--calls 4000] [--modality face|signature]

Claims of people who are enrolled, made with somebody else's sample, and claims of names that nobody has, in random
order, by a caller without the scope `enroll`. Lock-outs and rate limits are off; decisions are audited. Timed are

    in process      the decision alone: what somebody would see who could time the service's own code, as no caller can
    first claims    the same with every key forgotten before, and a key management service that takes 5 ms
    over gRPC       a call, as a client on the same machine sees it

A distinguisher that calls the slower of two times an enrolled person's is right with probability AUC (Mann–Whitney);
0.5 is a guess. Its interval is that of Hanley and McNeil, 1982. KS is the largest distance between the two distribution
functions. From the AUC follows how many claims of one name it takes to be right 19 times of 20, were the times normal
with equal spread; the lock-out as it ships allows some 35 claims of one name a day.
"""

import argparse
import io
import math
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol
from unittest.mock import patch

# As `countersign serve` sets it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.special import ndtri
from scipy.stats import ks_2samp, mannwhitneyu

from encode.sample import ImageSample, Modality, Sample
from enroll.access.grants import Grant, Grants, Scope
from enroll.access.tokens import TokenStore
from enroll.enroller import Enroller
from enroll.keys.envelope import KEY_BYTES
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.sql import SqlStore
from eval.synthetic.faces import FaceGenerator
from eval.synthetic.signers import Signer
from verify.access.caller import Caller, calling
from verify.access.claims import Claims
from verify.access.decoy import Decoys
from verify.client.client import Client
from verify.model import load_models
from verify.server_thread import serving
from verify.settings import ServiceSettings
from verify.verifier import Verifier

BUNDLES = Path(__file__).parents[1] / "models"
PEOPLE, REFERENCES, PROBES = 60, 5, 20
COLLECTION = "bench"
VERIFY = Grants.of([Grant(Scope.VERIFY, COLLECTION)])
KEY_SERVICE_SECONDS = 0.005
REJECTED, UNKNOWN = "rejected", "unknown"


class Answer(Protocol):
    """A decision, or the message of one."""

    @property
    def accepted(self) -> bool: ...


Claim = Callable[[str, Sample], Answer]


def samples_of(modality: Modality) -> Callable[[int, int], Sequence[Sample]]:
    """``of(number, count)``: so many samples of synthetic person `number`."""
    if modality is Modality.SIGNATURE:
        return lambda number, count: Signer.draw(number).genuine(count)
    faces = FaceGenerator.load(BUNDLES / "synthetic-faces")
    return lambda number, count: [_png(pixels) for pixels in faces.draw(number, count)]


def _png(pixels: NDArray[np.uint8]) -> ImageSample:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return ImageSample(buffer.getvalue())


def forgetting(store: SqlStore, claim: Claim) -> Claim:
    """`claim`, with nothing remembered of keys, and a service for them that is far away."""
    unwrap = store.keys.ring.unwrap

    def slowly(key_id: str, wrapped: bytes, context: str) -> bytes:
        time.sleep(KEY_SERVICE_SECONDS)
        return unwrap(key_id, wrapped, context)

    def first(person: str, probe: Sample) -> Answer:
        for cache in (store.keys._cache, store.keys._nobodys):
            cache.clear()
        with patch.object(store.keys.ring, "unwrap", slowly):
            return claim(person, probe)

    return first


def timed(claim: Claim, probes: Sequence[Sample], calls: int) -> dict[str, NDArray[np.float64]]:
    """Milliseconds of `calls` rejections of each kind, in random order, after a tenth as many that are not counted."""
    generator = np.random.default_rng(0)
    times: dict[str, list[float]] = {REJECTED: [], UNKNOWN: []}
    turn = 0
    while len(times[REJECTED]) < calls:
        turn += 1
        number, probe = int(generator.integers(PEOPLE)), probes[int(generator.integers(len(probes)))]
        taken = {}
        for kind in generator.permutation([REJECTED, UNKNOWN]):
            began = time.perf_counter()
            answer = claim(f"{'person' if kind == REJECTED else 'nobody'}-{number}", probe)
            if not answer.accepted:
                taken[str(kind)] = 1e3 * (time.perf_counter() - began)
        # Now and then somebody looks like somebody else; who is accepted is told to exist.
        if turn > calls // 10 and len(taken) == 2:
            for kind, one in taken.items():
                times[kind].append(one)
    return {kind: np.array(taken) for kind, taken in times.items()}


def auc_interval(auc: float, first: int, second: int) -> tuple[float, float]:
    """95 % interval of an AUC of so many of each kind (Hanley and McNeil 1982, equation 1)."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (first - 1) * (q1 - auc**2) + (second - 1) * (q2 - auc**2)
    half = 1.96 * math.sqrt(max(variance, 0.0) / (first * second))
    return auc - half, auc + half


def claims_needed(auc: float) -> float:
    """Claims of one name until the mean of their times is on the right side of the middle 19 times of 20."""
    d_prime = abs(math.sqrt(2) * float(ndtri(auc)))
    return math.inf if d_prime == 0 else (2 * float(ndtri(0.95)) / d_prime) ** 2


def tell(where: str, times: dict[str, NDArray[np.float64]]) -> None:
    rejected, unknown = times[REJECTED], times[UNKNOWN]
    print(f"{where}: {len(rejected)} claims of each kind")
    for kind, taken in times.items():
        at = np.quantile(taken, [0.01, 0.25, 0.5, 0.75, 0.99])
        print(f"   {kind:9}" + "".join(f"{value:8.3f}" for value in at) + "  ms at 1, 25, 50, 75, 99 %")
    auc = float(mannwhitneyu(rejected, unknown).statistic) / (len(rejected) * len(unknown))
    low, high = auc_interval(auc, len(rejected), len(unknown))
    apart = ks_2samp(rejected, unknown)
    worst = max((low, high), key=lambda value: abs(value - 0.5))
    print(f"   AUC {auc:.3f} ({low:.3f} to {high:.3f}), KS {apart.statistic:.3f} (p = {apart.pvalue:.2g})")
    print(
        f"   right 19 times of 20 after {claims_needed(auc):,.0f} claims of a name, "
        f"{claims_needed(worst):,.0f} at the interval's worse end"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--calls", type=int, default=4_000)
    arguments.add_argument("--modality", type=Modality, choices=list(Modality), default=Modality.FACE)
    given = arguments.parse_args()
    models = load_models([BUNDLES / given.modality.value], threads=1)
    draw = samples_of(given.modality)
    probes = [draw(1_000 + number, 1)[0] for number in range(PROBES)]

    def ask(verify: Callable[..., Answer]) -> Claim:
        return lambda person, probe: verify(COLLECTION, person, [probe])

    with (
        tempfile.TemporaryDirectory() as folder,
        closing(open_sql_store(StorePlace(os.path.join(folder, "bench.sqlite")))) as store,
    ):
        enroller = Enroller(models, store)
        for number in range(PEOPLE):
            enroller.enroll(COLLECTION, f"person-{number}", draw(number, REFERENCES))
        claims = Claims(Verifier(models, store), Decoys(models, bytes(KEY_BYTES)), rejections=0)
        with calling(Caller("bench", "0" * 16, VERIFY)):
            tell("in process", timed(ask(claims.verify), probes, given.calls))
            tell("first claims", timed(forgetting(store, ask(claims.verify)), probes, given.calls // 4))
        token, _ = TokenStore(store.database, store.keys).create("bench", VERIFY, lifetime=None)
        settings = ServiceSettings(port=0, access="tokens", calls_per_second=0, lockout_rejections=0)
        with serving(models, store, settings) as address, Client(address, token=token) as client:
            tell("over gRPC", timed(ask(client.verify), probes, given.calls))


if __name__ == "__main__":
    main()
