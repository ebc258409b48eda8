"""What `countersign train adapt` is worth: shipped encoders adapted to corpora, measured on people left out of it.

    python benchmarks/adapt_gain.py                      # all of the table, needs COUNTERSIGN_DATA
    python benchmarks/adapt_gain.py --only face:att      # one row of it

Prints the rows of the table in docs/adapt-an-encoder.md: rates with 95 % intervals, and the differences paired by
person, whatever they are. Each row takes a minute or two of one processor.
"""

import argparse
import tempfile
from pathlib import Path

from train.adapt.run import Adapted, adapt_bundle
from train.adapt.verdict import Verdict
from train.threads import use_threads

MODELS = Path(__file__).resolve().parents[1] / "models"

ROWS: dict[str, tuple[str, tuple[str, ...]]] = {
    "face:att": ("face", ("att:faces/att",)),
    "face:georgia_tech": ("face", ("folder:faces/georgia_tech",)),
    "face-chopra2005:att": ("face-chopra2005", ("att:faces/att",)),
    "face-chopra2005:umist": ("face-chopra2005", ("folder:faces/umist",)),
    "signature-bromley1993:svc2004": ("signature-bromley1993", ("svc2004:signatures/svc2004_task1",)),
}
"""Row → bundle and corpora."""


def main() -> None:
    """Measure the rows asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=sorted(ROWS), help="a row of the table; repeat for several")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    use_threads(1)
    print(
        "| encoder, corpus | people | impostors | rate | before | after | difference in points | p (Holm) | verdict |"
    )
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for name in options.only or ROWS:
        bundle, specs = ROWS[name]
        with tempfile.TemporaryDirectory() as folder:
            adapted = adapt_bundle(MODELS / bundle, specs, Path(folder), folds=options.folds, seed=options.seed)
        print_rows(name, adapted)


def print_rows(name: str, adapted: Adapted) -> None:
    """The rows of one encoder on one corpus: against what it was, and against a background of the same people."""
    against: list[tuple[str, Verdict]] = [("", adapted.verdict)]
    if adapted.of_head is not None:
        against.append((", the head alone", adapted.of_head))
    for what, verdict in against:
        for rate in verdict.rates:
            print(
                f"| {name}{what} | {rate.people} "
                f"| {rate.impostor}, {rate.genuine:,} / {rate.impostors:,} | {rate.rate} "
                f"| {_interval(rate.before, rate.before_low, rate.before_high)} "
                f"| {_interval(rate.after, rate.after_low, rate.after_high)} "
                f"| {100 * rate.value:+.2f} ({100 * rate.low:+.2f} to {100 * rate.high:+.2f}) "
                f"| {rate.p_holm:.2g} | {verdict.word} |",
                flush=True,
            )
    heads = [fold["head"] or "none" for fold in adapted.report["people"]]
    print(f"<!-- {name}: heads {'; '.join(heads)}; shipped {adapted.report['shipped']['head']} -->", flush=True)


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:.2%} ({low:.2%} to {high:.2%})"


if __name__ == "__main__":
    main()
