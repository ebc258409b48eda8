"""Mining and loss on a batch of 1,024 × 128, forward and backward, against Python loops and pytorch-metric-learning.

    python benchmarks/bench_mining.py            # every case, with peak memory
    python benchmarks/bench_mining.py --quick    # 4 samples a person, fewer rounds, no memory
    python benchmarks/bench_mining.py --whole    # what the library lists at 1,024 rows too: minutes, and gigabytes

Times are processor seconds of one thread, the best of several. The loops go over the pairs, or the triplets, of two
anchors one by one, with the cheapest term there is (a distance and a hinge); their time is scaled to all anchors:

    autograd    every pair is a tensor operation on two rows, every term a scalar with a gradient, then backward
    floats      lists of Python numbers, values only: no gradient is found, though ours finds it in the same time

The library lists every triplet, and for InfoNCE every (positive pair, negative pair): beside it those cases have 256
rows on both sides unless --whole is given, and what takes long is timed once. Its N-pair loss has one anchor a person;
ours has an anchor for every second sample, so at 4 samples a person twice as many, at 32 sixteen times.
Memory is how much the greatest resident size of a process of its own grows by one forward and backward pass.
"""

import argparse
import functools
import math
import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from pytorch_metric_learning import distances, losses, miners
from torch import Tensor

import report
from train.loss_term import LossTerm
from train.losses.build import build_loss

SIZE, LISTED, DIMENSIONS = 1024, 256, 128
Loss = Callable[[Tensor, Tensor], Tensor]
SQUARED = distances.LpDistance(normalize_embeddings=False, p=2, power=2)


@dataclass(frozen=True)
class Case:
    """A loss of ours, the library's, and whether its loop goes over triplets."""

    keys: dict[str, Any]
    theirs: Callable[[], Loss]
    triplets: bool = False
    lists: bool = False  # the library lists triplets, or (pair, pair)


def _mined(miner: Any, loss: Any) -> Loss:
    return lambda x, labels: loss(x, labels, miner(x, labels))


def _triplets(kind: str) -> Callable[[], Loss]:
    miner = miners.TripletMarginMiner(0.2, type_of_triplets=kind, distance=SQUARED)
    return lambda: _mined(miner, losses.TripletMarginLoss(margin=0.2, distance=SQUARED))


CASES = {
    "contrastive, hinge of the square": Case(
        {"kind": "hadsell2006", "form": "hinge_of_square", "reducer": "balanced_nonzero"},
        lambda: losses.ContrastiveLoss(0, 1, distance=SQUARED),
    ),
    "contrastive, nearly all inside the margin": Case(
        {"kind": "hadsell2006", "form": "hinge_of_square", "reducer": "balanced_nonzero", "margin": 1.6},
        lambda: losses.ContrastiveLoss(0, 1.6**2, distance=SQUARED),
    ),
    "triplet, all": Case(
        {"kind": "triplet", "miner": "all"},
        lambda: losses.TripletMarginLoss(margin=0.2, distance=SQUARED),
        triplets=True,
        lists=True,
    ),
    "triplet, semi-hard": Case({"kind": "triplet"}, _triplets("semihard"), triplets=True, lists=True),
    "triplet, hard": Case({"kind": "triplet", "miner": "hard"}, _triplets("hard"), triplets=True, lists=True),
    "triplet, hardest": Case(
        {"kind": "triplet", "miner": "hardest"},
        lambda: _mined(miners.BatchHardMiner(distance=SQUARED), losses.TripletMarginLoss(margin=0.2, distance=SQUARED)),
    ),
    "npair": Case(
        {"kind": "npair"},
        lambda: losses.NPairsLoss(distance=distances.DotProductSimilarity(normalize_embeddings=False)),
    ),
    "infonce": Case({"kind": "infonce"}, lambda: losses.NTXentLoss(temperature=0.1), lists=True),
    "supcon": Case({"kind": "supcon"}, lambda: losses.SupConLoss(temperature=0.1)),
    "ntxent": Case({"kind": "ntxent"}, lambda: losses.SupConLoss(temperature=0.1)),  # alike: equally many samples
    "multi-similarity, mined": Case(
        {"kind": "multi_similarity"},
        lambda: _mined(miners.MultiSimilarityMiner(0.1), losses.MultiSimilarityLoss(2, 50, 0.5)),
    ),
    "cosface": Case({"kind": "cosface"}, lambda: losses.CosFaceLoss(256, DIMENSIONS, margin=0.3, scale=24)),
    "arcface": Case({"kind": "arcface"}, lambda: losses.ArcFaceLoss(256, DIMENSIONS, margin=28.6, scale=24)),
}


def batch(samples: int, size: int = SIZE) -> tuple[Tensor, Tensor]:
    """Unit-norm embeddings gathered about a centre a person."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(size // samples).repeat_interleave(samples)
    centres = torch.randn(size // samples, DIMENSIONS, generator=generator)
    return torch.nn.functional.normalize(
        centres[labels] * 0.6 + torch.randn(size, DIMENSIONS, generator=generator), dim=1
    ), labels


def ours(keys: dict[str, Any]) -> Loss:
    loss = build_loss(LossTerm(**keys), size=DIMENSIONS, unit_norm=True, people=256)
    if hasattr(loss, "progress"):
        loss.progress(1.0)
    return loss


def seconds(loss: Loss, samples: int, rounds: int, size: int = SIZE) -> float:
    x, labels = batch(samples, size)
    best = math.inf
    for _ in range(rounds):
        leaf = x.clone().requires_grad_()
        started = time.process_time()
        torch.autograd.backward(loss(leaf, labels))
        best = min(best, time.process_time() - started)
    return best


@functools.cache
def loop_of_autograd(samples: int, *, triplets: bool, anchors: int = 2) -> float:
    """Seconds of all anchors, from those of a few, gradients included."""
    x, labels = batch(samples)
    leaf, person = x.clone().requires_grad_(), labels.tolist()
    started = time.process_time()
    terms = []
    for a in range(anchors):
        apart = [(leaf[a] - leaf[j]).square().sum() for j in range(SIZE)]
        if triplets:
            for p in range(SIZE):
                if p != a and person[p] == person[a]:
                    others = (n for n in range(SIZE) if person[n] != person[a])
                    terms += [torch.relu(apart[p] - apart[n] + 0.2) for n in others]
        else:
            terms += [torch.relu(1.0 - apart[j]) if person[j] != person[a] else apart[j] for j in range(SIZE)]
    torch.autograd.backward(torch.stack(terms).sum())
    return (time.process_time() - started) * SIZE / anchors


@functools.cache
def loop_of_floats(samples: int, *, triplets: bool, anchors: int = 2) -> float:
    """The same of plain numbers, values alone."""
    x, labels = batch(samples)
    rows, person = x.tolist(), labels.tolist()
    started = time.process_time()
    total = 0.0
    for a in range(anchors):
        apart = [sum((u - v) * (u - v) for u, v in zip(rows[a], row, strict=True)) for row in rows]
        if triplets:
            for p in range(SIZE):
                if p != a and person[p] == person[a]:
                    others = (n for n in range(SIZE) if person[n] != person[a])
                    total += sum(max(0.0, apart[p] - apart[n] + 0.2) for n in others)
        else:
            total += sum(max(0.0, 1.0 - apart[j]) if person[j] != person[a] else apart[j] for j in range(SIZE))
    return (time.process_time() - started) * SIZE / anchors


def peak_mib(name: str, samples: int, size: int, *, own: bool) -> float:
    """In a process of its own, forked before anything was computed: growth of its greatest resident size, MiB."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as process:
        return process.submit(_growth, name, samples, size, own).result()


def _growth(name: str, samples: int, size: int, own: bool) -> float:
    loss = ours(CASES[name].keys) if own else CASES[name].theirs()
    x, labels = batch(samples, size)
    torch.autograd.backward(loss(x[: 2 * samples].clone().requires_grad_(), labels[: 2 * samples]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    torch.autograd.backward(loss(x.clone().requires_grad_(), labels))
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    parser = report.parser(__doc__, quick="4 samples a person only, fewer rounds, and no memory")
    parser.add_argument("--case", choices=sorted(CASES), help="only this one")
    parser.add_argument("--samples", type=int, help="samples a person; 4 and 32 unless given")
    parser.add_argument("--whole", action="store_true", help="1,024 rows also where the library lists triplets")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sizes = [options.samples] if options.samples else [4] if options.quick else [4, 32]
    names = [options.case] if options.case else list(CASES)
    memory = {} if options.quick else memory_of(names, sizes, options)
    rows = report.Rows(options)
    for samples in sizes:
        print(f"{samples} samples a person: ms, x autograd loop, x float loop; x library (ms, rows); MiB ours, library")
        for name in names:
            measure(rows, name, samples, options, memory.get((name, samples), ""))


def rows_beside(case: Case, options: argparse.Namespace) -> int:
    return LISTED if case.lists and not options.whole else SIZE


def memory_of(names: list[str], sizes: list[int], options: argparse.Namespace) -> dict[tuple[str, int], str]:
    found = {}
    for samples in sizes:
        for name in names:
            beside = rows_beside(CASES[name], options)
            own = peak_mib(name, samples, SIZE, own=True)
            theirs = peak_mib(name, samples, beside, own=False)
            found[name, samples] = f"{own:.0f}, {theirs:.0f}" + ("" if beside == SIZE else f" at {beside} rows")
            print(f"peak memory, {name} × {samples}: {found[name, samples]} MiB", flush=True)
    return found


def measure(rows: report.Rows, name: str, samples: int, options: argparse.Namespace, memory: str) -> None:
    case = CASES[name]
    rounds = 3 if options.quick else 6
    what = f"{name}, {SIZE // samples} people × {samples}"
    mine = seconds(ours(case.keys), samples, rounds)
    unit = "batches a processor second, best"
    loops = [
        rows.add(
            f"mining and loss: {what}",
            ours=1.0 / mine,
            baseline=1.0 / loop(samples, triplets=case.triplets),
            against=against,
            unit=unit,
            n=rounds,
            at_least=claim,
        )
        for loop, against, claim in (
            (loop_of_autograd, "Python loop with autograd, two anchors scaled", 1000.0),
            (loop_of_floats, "Python loop of floats, values only, two anchors scaled", None),
        )
    ]
    size = rows_beside(case, options)
    repeats = 1 if case.lists and options.whole else rounds
    theirs = seconds(case.theirs(), samples, repeats, size)
    row = rows.add(
        f"mining and loss beside the library: {name}, {size // samples} people × {samples}",
        ours=1.0 / (mine if size == SIZE else seconds(ours(case.keys), samples, rounds, size)),
        baseline=1.0 / theirs,
        against="pytorch-metric-learning",
        unit=unit,
        n=repeats,
        at_least=1.0,
    )
    print(
        f"{name}: {mine * 1e3:.1f} ms, {loops[0].ratio:,.0f} x, {loops[1].ratio:,.0f} x; "
        f"{row.ratio:.2f} x ({theirs * 1e3:.1f} ms, {size} rows{', once' if repeats == 1 else ''}); {memory}",
        flush=True,
    )


if __name__ == "__main__":
    main()
