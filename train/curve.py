"""curve.csv of a run: a row an evaluation, with the step, the development figures and the losses there."""

import csv
from collections.abc import Mapping
from pathlib import Path

CURVE = "curve.csv"


def add_row(folder: Path, row: Mapping[str, float]) -> None:
    """Append the row to the folder's curve, under a header if it is the first."""
    curve = folder / CURVE
    fresh = not curve.exists() or curve.stat().st_size == 0
    with curve.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(row))
        if fresh:
            writer.writeheader()
        writer.writerow({key: f"{value:.6g}" for key, value in row.items()})


def forget_after(folder: Path, step: int) -> None:
    """Drop rows written after the checkpoint, or cut short by a kill: those steps will be taken, and written, again."""
    curve = folder / CURVE
    if not curve.exists():
        return
    # As bytes: text would turn the line endings of csv into others.
    whole = [line for line in curve.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    curve.write_bytes(b"".join(whole[:1] + [row for row in whole[1:] if int(row.partition(b",")[0]) <= step]))
