"""Find one person among a million: candidate search and exact ratios beside an exact flat search, in one run.

People are drawn from the shipped face model's own covariances: means with the between-class covariance T − W, five
references and the probes around them with W. The truth is the exact log-likelihood ratio of the identity model against
everybody, all people in one ranking; it is checked against `IdentityModel.llr` itself.

    recall@1     the person whom the exact ranking puts first is first after the candidates were compared
                 of probes of enrolled people, and of strangers: there the best of a million near misses is asked for
    p50          candidates and their exact ratios, in turns of 20 with FAISS's flat float32 search and the exact ratio
                 of its first; and in turns of one, after which the caches hold nothing of the gallery
    memory       what the gallery holds, references included, beside the float32 vectors alone
"""

import argparse
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import report
from encode.bundle import open_bundle
from enroll.identity import IdentityModel
from identification.synthetic import Floats, People, check, exact_scores
from verify.gallery.bounds import Bounds
from verify.gallery.local import LocalSearch
from verify.gallery.search import Near, worth_comparing
from verify.gallery.space import SearchSpace

SETTINGS = (("99 %", 16), ("99.9 %", 64))
"""Name of a setting, and how many candidates are compared exactly."""


def medians(
    calls: dict[str, Callable[[int], object]], probes: NDArray[np.int64], rounds: int, *, together: int
) -> dict[str, NDArray[np.float64]]:
    """Seconds of each call, taken in turns of `together` calls: name → (rounds,)."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for first in range(0, rounds, together):
        for name, call in calls.items():
            for number in range(first, min(first + together, rounds)):
                began = time.perf_counter()
                call(int(probes[number % len(probes)]))
                taken[name].append(time.perf_counter() - began)
    return {name: np.array(seconds) for name, seconds in taken.items()}


def main() -> None:
    parser = report.parser(__doc__, quick="100,000 people and 200 probes")
    parser.add_argument("--people", type=int, help="default: 1,000,000")
    parser.add_argument("--probes", type=int, help="of enrolled people, and as many of strangers; default: 1,000")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--model", type=Path, default=Path("models/face"))
    options = parser.parse_args()
    options.people = options.people or (100_000 if options.quick else 1_000_000)
    options.probes = options.probes or (200 if options.quick else 1_000)
    with threadpool_limits(1):
        faiss.omp_set_num_threads(1)
        measure(options, report.Rows(options))


def measure(options: argparse.Namespace, rows: report.Rows) -> None:
    identity = IdentityModel.from_bundle(open_bundle(options.model))
    people, space = People(identity, options.people), SearchSpace.of(identity)

    rng = np.random.default_rng(7)
    owners = np.sort(rng.choice(options.people, options.probes, replace=False))
    own = np.concatenate(
        [
            means[owners[(owners >= begin) & (owners < begin + len(means))] - begin]
            for begin, means, _ in people.chunks()
        ]
    )
    strangers = people.means(rng, options.probes)
    probes = np.concatenate([own, strangers]) + people.noise(rng, 2 * options.probes)

    refs = [secrets.token_hex(16) for _ in range(options.people)]
    search = LocalSearch(space.dimensions, space.limit, Bounds(seconds=5e-3))
    flat = faiss.IndexFlatL2(space.dimensions)
    best, first = np.full(len(probes), -np.inf, np.float32), np.zeros(len(probes), np.int64)
    building = 0.0
    for begin, _, references in people.chunks():
        vectors = space.of_each(references.mean(1))
        flat.add(vectors)
        began = time.perf_counter()
        search.add(refs[begin : begin + len(vectors)], vectors)
        search.tend()
        building += time.perf_counter() - began
        scores = exact_scores(identity, references, probes)
        if begin == 0:
            check(identity, references, probes, scores)
        top = scores.argmax(1)
        height = scores[np.arange(len(probes)), top]
        first = np.where(height > best, begin + top, first)
        best = np.maximum(best, height)
    number = {ref: at for at, ref in enumerate(refs)}

    most = max(count for _, count in SETTINGS)
    queries = np.stack([space.of_probes(probe[np.newaxis]) for probe in probes])
    candidates = [search.search(query, most) for query in queries]
    nearest = flat.search(queries, 1)[1][:, 0]
    people.hold({number[one.ref] for found in candidates for one in found} | set(nearest.tolist()))

    def exact(probe: Floats, found: list[int]) -> int:
        ratios = [identity.llr(identity.fit(people.references(one)), probe[np.newaxis])[0] for one in found]
        return found[int(np.argmax(ratios))]

    def compare(probe: Floats, found: Sequence[Near]) -> int:
        return exact(probe, [number[one.ref] for one in worth_comparing(found, 1)])

    print(f"{options.people:,} people, {space.dimensions} dimensions, kind {search.plan.kind}; one processor")
    print(f"put in and indexed in {building:.1f} s, {options.people / building:,.0f} people a second")
    for name, count in SETTINGS:
        right = np.array(
            [compare(probe, found[:count]) == one for probe, found, one in zip(probes, candidates, first, strict=True)]
        )
        enrolled, others = right[: options.probes], right[options.probes :]
        rows.add(
            f"Identify, recall@1, {name} setting",
            ours=float(enrolled.mean()),
            baseline=1.0,
            against="the exact ranking of everybody by likelihood ratio",
            unit="share of probes of enrolled people",
            n=len(enrolled),
            at_least=0.999 if "99.9" in name else 0.99,
        )
        print(
            f"recall@1, setting {name} ({count} candidates): enrolled {100 * enrolled.mean():.2f} % "
            f"({enrolled.sum():,} of {len(enrolled):,}), strangers {100 * others.mean():.2f} % "
            f"({others.sum():,} of {len(others):,})"
        )

    # Each call takes the number of a probe; the queries are mapped before, for both sides.
    calls: dict[str, Callable[[int], object]] = {
        "flat, exact": lambda at: exact(probes[at], flat.search(queries[at : at + 1], 1)[1][0].tolist())
    }
    for name, count in SETTINGS:
        calls[f"candidates, {name}"] = lambda at, count=count: search.search(queries[at], count)
        calls[f"identify, {name}"] = lambda at, count=count: compare(probes[at], search.search(queries[at], count))
    every = np.arange(options.probes)
    for whose, chosen, together in (
        ("enrolled", every, 20),
        ("enrolled, in turns of one", every, 1),
        ("strangers", options.probes + every, 20),
    ):
        taken = medians(calls, chosen, options.rounds, together=together)
        baseline = float(np.median(taken["flat, exact"]))
        for name, seconds in taken.items():
            low, middle, high = np.percentile(seconds, (5, 50, 95))
            print(
                f"{whose}: {name}: p50 {1e3 * middle:8.3f} ms (5–95 % {1e3 * low:.3f}–{1e3 * high:.3f}), "
                f"{middle / baseline:.3f} of flat"
            )
            if name.startswith("identify") and whose == "enrolled":
                rows.add(
                    f"Identify, {name.removeprefix('identify, ')} setting",
                    ours=1e3 * middle,
                    baseline=1e3 * baseline,
                    against="exact flat float32 search, and the exact ratio of its first",
                    unit="ms, median",
                    n=len(seconds),
                    at_most=0.1 if options.people >= 1_000_000 else None,
                )
    vectors_bytes = 4 * space.dimensions * options.people
    print(
        f"memory: {search.memory / 2**20:.0f} MiB beside {vectors_bytes / 2**20:.0f} MiB of float32 vectors, "
        f"{search.memory / vectors_bytes:.3f} of them; {search.memory / options.people:.0f} bytes a person"
    )
    rows.add(
        "Identify, memory of a gallery",
        ours=search.memory / 2**20,
        baseline=vectors_bytes / 2**20,
        against="its vectors in float32 alone",
        unit="MiB",
        n=1,
        at_most=0.4 if options.people >= 1_000_000 else None,
    )
    changing(search, queries)


def changing(search: LocalSearch, queries: Floats) -> None:
    """People put in and taken out, each seen by the search that follows."""
    taken: list[float] = []
    for query in queries[:500]:
        ref = secrets.token_hex(16)
        began = time.perf_counter()
        search.add([ref], query[np.newaxis])
        added = search.search(query, 1)[0].ref == ref
        search.remove([ref])
        removed = ref not in {one.ref for one in search.search(query, 5)}
        taken.append(time.perf_counter() - began)
        assert added
        assert removed
    middle = 1e3 * float(np.median(taken))
    print(f"{len(taken)} people put in, found, taken out, and not found: {middle:.2f} ms for all four, median")


if __name__ == "__main__":
    main()
