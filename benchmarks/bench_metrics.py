"""Error rates of 10⁷ scores: one sort of each side against scikit-learn's DET curve and pyeer.

python benchmarks/bench_metrics.py [--scores N]

Every contender has a process of its own, is given the same arrays in memory, and answers the same questions: EER, AUC,
FMR100 and FMR1000, the FRR at FAR 1e-2 … 1e-6, and a DET curve to draw. pyeer's share is the least that gives its EER,
AUC, FMR100 and FMR1000. Memory is the process's peak above what it held before, inputs and libraries loaded. The
numbers must agree to 1e-12 before any ratio is printed.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import report

FARS = (1e-2, 1e-3, 1e-4, 1e-6)
DET_POINTS = 400
REPEATS = 5
MIB = 1 << 20

Scores = np.ndarray
Answers = dict[str, float]


def ours(genuine: Scores, impostor: Scores, in_place: bool = False, curve_points: int | None = DET_POINTS) -> Answers:
    from eval.measures.sorted_scores import SortedScores

    scores = SortedScores(genuine, impostor, in_place=in_place)
    scores.curve(curve_points)
    equal = scores.equal_error()
    return {
        "eer": equal.rate,
        "auc": scores.auc(),
        "fmr100": scores.lowest_frr_at_far(1 / 100),
        "fmr1000": scores.lowest_frr_at_far(1 / 1000),
    } | {f"frr at {far:g}": scores.frr(scores.threshold_at_far(far)) for far in FARS}


def ours_in_place(genuine: Scores, impostor: Scores) -> Answers:
    return ours(genuine, impostor, in_place=True)


def ours_whole_curve(genuine: Scores, impostor: Scores) -> Answers:
    return ours(genuine, impostor, curve_points=None)


def ours_and_calibration(genuine: Scores, impostor: Scores) -> Answers:
    from eval.measures.reliability import calibration
    from eval.measures.sorted_scores import SortedScores

    found = calibration(SortedScores(genuine, impostor))
    return ours(genuine, impostor) | {"cllr": found.cllr, "min_cllr": found.min_cllr}


def scikit_learn(genuine: Scores, impostor: Scores) -> Answers:
    from sklearn.metrics import det_curve, roc_auc_score

    labels = np.zeros(genuine.size + impostor.size, np.int8)
    labels[: genuine.size] = 1
    scores = np.concatenate([genuine, impostor])
    far, frr, _ = det_curve(labels, scores)  # FAR falls, FRR rises
    crossed = int(np.argmax(frr >= far))
    sums = {at: far[at] + frr[at] for at in (max(crossed - 1, 0) if frr[crossed] > far[crossed] else crossed, crossed)}

    def lowest_frr(target: float) -> float:
        return float(frr[int(np.argmax(far <= target))])

    def frr_at_far(target: float) -> float:
        """At the lowest impostor score that meets the target: the last threshold before FAR falls below."""
        met = far[int(np.argmax(far <= target))]
        return float(frr[far.size - 1 - int(np.argmax(far[::-1] >= met))])

    return {
        "eer": float(min(sums.values()) / 2),
        "auc": float(roc_auc_score(labels, scores)),
        "fmr100": lowest_frr(1 / 100),
        "fmr1000": lowest_frr(1 / 1000),
    } | {f"frr at {target:g}": frr_at_far(target) for target in FARS}


def pyeer(genuine: Scores, impostor: Scores) -> Answers:
    from pyeer.eer_stats import calculate_roc, calculate_roc_auc, get_eer_values, get_fmr_op

    _, false_accepts, false_rejects = calculate_roc(genuine, impostor, rates=False)
    far, frr = false_accepts / impostor.size, false_rejects / genuine.size
    return {
        "eer": float(get_eer_values(far, frr)[3]),
        "auc": float(calculate_roc_auc(far, frr)),
        "fmr100": float(get_fmr_op(far, frr, 0.01)[1]),
        "fmr1000": float(get_fmr_op(far, frr, 0.001)[1]),
    }


CONTENDERS: dict[str, Callable[[Scores, Scores], Answers]] = {
    "countersign": ours,
    "countersign, in place": ours_in_place,
    "countersign, DET curve at every score": ours_whole_curve,
    "countersign, with Cllr, minCllr, reliability": ours_and_calibration,
    "scikit-learn": scikit_learn,
    "pyeer": pyeer,
}


def peak_bytes() -> int:
    """The largest resident memory since it was last reset."""
    return _status("VmHWM")


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


def contend(name: str, folder: Path) -> None:
    """Print seconds, bytes and answers of one contender; the first run counts for memory, the best for time."""
    work = CONTENDERS[name]
    genuine, impostor = np.load(folder / "genuine.npy"), np.load(folder / "impostor.npy")
    work(genuine[:1000].copy(), impostor[:1000].copy())  # imports and first calls
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    before, times = _status("VmRSS"), []
    for _ in range(1 if name == "pyeer" else REPEATS):
        mine = (genuine, impostor)
        if name.endswith("in place") and times:
            mine = genuine.copy(), impostor.copy()
            np.random.default_rng(0).shuffle(mine[0])
            np.random.default_rng(1).shuffle(mine[1])
        started = time.perf_counter()
        answers = work(*mine)
        times.append(time.perf_counter() - started)
        if len(times) == 1:
            peak = peak_bytes() - before
    print(json.dumps({"seconds": min(times), "bytes": max(peak, 1), "answers": answers}))


def compare(genuine: int, impostor: int, seed: int, rows: report.Rows) -> None:
    generator = np.random.default_rng(seed)
    print(f"\n{genuine:,} genuine and {impostor:,} impostor scores, float64")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "genuine.npy", generator.normal(2.5, 1.5, genuine))
        np.save(folder / "impostor.npy", generator.normal(-2.5, 1.5, impostor))
        found = {}
        for contender in CONTENDERS:
            command = [sys.executable, __file__, "--contender", contender, "--folder", name]
            run = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
            if run.returncode:
                raise SystemExit(run.stderr)
            found[contender] = json.loads(run.stdout)
    mine = found["countersign"]
    for contender, result in found.items():
        for question, answer in result["answers"].items():
            expected = mine["answers"].get(question, answer)
            assert abs(answer - expected) < 1e-12, (contender, question, answer, expected)
        ratios = (
            f"{result['seconds'] / mine['seconds']:7.1f}x the time, {result['bytes'] / mine['bytes']:6.2f}x the memory"
        )
        print(f"  {contender:45} {result['seconds']:8.3f} s {result['bytes'] / MIB:8.1f} MiB   {ratios}")
    for contender in ("scikit-learn", "pyeer"):
        for unit, key, scale in (("s, least", "seconds", 1), ("MiB, peak", "bytes", MIB)):
            rows.add(
                f"error rates of {genuine:,} genuine and {impostor:,} impostor scores",
                ours=mine[key] / scale,
                baseline=found[contender][key] / scale,
                against=contender,
                unit=unit,
                n=1 if contender == "pyeer" or key == "bytes" else REPEATS,
            )
    print("  all agree: " + ", ".join(f"{name} {value:.3g}" for name, value in mine["answers"].items()))


def main() -> None:
    parser = report.parser(__doc__, quick="a tenth of the scores")
    parser.add_argument("--scores", type=int, help="of both sides together; by default 10,000,000")
    parser.add_argument("--contender", choices=CONTENDERS)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.contender:
        contend(options.contender, options.folder)
        return
    rows, scores = report.Rows(options), options.scores or (1_000_000 if options.quick else 10_000_000)
    compare(scores // 2, scores // 2, 0, rows)
    compare(scores // 100, scores - scores // 100, 1, rows)


if __name__ == "__main__":
    main()
