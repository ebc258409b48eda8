"""What one run of an encoder costs: samples together against one by one, and all processors against one.

    python benchmarks/bench_encoder.py

Samples a second of the network alone, on inputs that are prepared already; the variants are taken in turns. What the
service makes of it: a claim that is alone runs on all processors, several at once on one each, with whatever waits
(docs/decisions/0019-the-path-of-a-claim.md).
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import report
from encode.bundle import open_bundle
from encode.cpu import usable_cpus
from encode.encoder import Encoder

MODELS = Path(__file__).parents[1] / "models"
TOGETHER = 8
ROUNDS = 60


def in_turns(variants: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every run of each variant, one after the other in each round."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds + 2):
        for name, work in variants.items():
            began = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - began)
    return {name: values[2:] for name, values in seconds.items()}


def main() -> None:
    parser = report.parser(__doc__, quick="a fifth of the rounds")
    options = parser.parse_args()
    rows = report.Rows(options)
    rounds = ROUNDS // 5 if options.quick else ROUNDS
    for name in ("face", "signature"):
        bundle = open_bundle(MODELS / name)
        wide = Encoder(bundle)
        narrow = wide.on_one_thread()
        inputs = np.random.default_rng(0).standard_normal((TOGETHER, *bundle.preprocessing.shape)).astype(np.float32)
        seconds = in_turns(
            {
                "one": lambda narrow=narrow, x=inputs: narrow.embed_prepared(x[:1]),
                "together": lambda narrow=narrow, x=inputs: narrow.embed_prepared(x),
                "wide": lambda wide=wide, x=inputs: wide.embed_prepared(x[:1]),
            },
            rounds,
        )
        one, together, wider = (float(np.median(seconds[kind])) for kind in ("one", "together", "wide"))
        print(f"models/{name}: {1e3 * one:.2f} ms a sample on one processor")
        print(
            f"   {TOGETHER} together: {1e3 * together / TOGETHER:.2f} ms a sample, "
            f"{one * TOGETHER / together:.2f}x as fast"
        )
        print(f"   on {usable_cpus()}: {1e3 * wider:.2f} ms, {one / wider:.2f}x as fast")
        rows.add(
            f"{name} network, {TOGETHER} samples together on one processor",
            ours=TOGETHER / together,
            baseline=1.0 / one,
            against="one sample at a time",
            unit="samples/s, median",
            n=rounds,
            at_least=1.0,
        )
        rows.add(
            f"{name} network, one sample on all processors",
            ours=1.0 / wider,
            baseline=1.0 / one,
            against="on one processor",
            unit="samples/s, median",
            n=rounds,
            at_least=1.0,
        )


if __name__ == "__main__":
    main()
