"""Migrating people to another model: the time against reading the same samples bare, and memory against more people.

    python benchmarks/bench_migration.py

Five kept samples a person, `models/face-chopra2005` to `models/face`, in SQLite. The listing is measured by itself, on
a line of people as long as --listed says, because a million enrolments take longer than a benchmark should. What grows
with the people migrated is the memory of their data keys, which holds 10,000 at most.
"""

import io
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
from PIL import Image

import report
from encode.sample import ImageSample, Modality
from enroll.enroller import Enroller
from enroll.migration import Migration, Outcome
from enroll.stores.collection import CollectionSettings
from enroll.stores.memory import MemoryStore
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.store import EnrolledPerson, TemplateStore
from verify.model import Model, load_model

MODELS = Path(__file__).parents[1] / "models"
SAMPLES = 5


def picture(seed: int) -> ImageSample:
    """A 92 x 112 PNG of smooth noise; what it shows does not change the time."""
    coarse = np.random.default_rng(seed).integers(0, 256, (14, 12), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((92, 112), Image.Resampling.BICUBIC).save(buffer, format="PNG")
    return ImageSample(buffer.getvalue())


class Line(MemoryStore):
    """So many people, listed but not held; none has samples."""

    def __init__(self, people: int, digest: str) -> None:
        super().__init__()
        self._length, self._digest = people, digest

    def iterate_people(self, *, after: tuple[str, str] = ("", ""), limit: int) -> list[EnrolledPerson]:
        first = int(after[1] or "-1") + 1
        numbers = range(first, min(first + limit, self._length))
        return [("staff", f"{number:09d}", {Modality.FACE: self._digest}) for number in numbers]


def timed(work: Migration, model: Model, samples: list[ImageSample], people: int) -> tuple[int, float, float]:
    """How many were migrated, in how many seconds, and the seconds of reading as many samples bare, in turns."""
    run, done, seconds, bare = work.run(), 0, 0.0, 0.0
    for _ in range(people):
        started = time.perf_counter()
        done += next(run).outcome is Outcome.MIGRATED
        between = time.perf_counter()
        for sample in samples:
            model.encoder.embed_prepared(model.encoder.prepare(sample)[None])
        seconds += between - started
        bare += time.perf_counter() - between
    return done, seconds, bare


def peak_of(store: TemplateStore, model: Model) -> tuple[float, float, int]:
    """Peak of what Python allocated meanwhile in MiB, seconds, and how many were migrated."""
    tracemalloc.start()
    started = time.perf_counter()
    migrated = sum(one.outcome is Outcome.MIGRATED for one in Migration(store, model).run())
    seconds = time.perf_counter() - started
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return peak, seconds, migrated


def main() -> None:
    parser = report.parser(__doc__, quick="a tenth of the people")
    parser.add_argument("--people", type=int)
    parser.add_argument("--listed", type=int)
    options = parser.parse_args()
    options.people = options.people or (40 if options.quick else 400)
    options.listed = options.listed or (100_000 if options.quick else 1_000_000)
    rows = report.Rows(options)
    old, new = load_model(MODELS / "face-chopra2005"), load_model(MODELS / "face")
    samples = [picture(seed) for seed in range(SAMPLES)]

    peaks = {}
    for people in (options.people // 4, options.people):
        with tempfile.TemporaryDirectory() as folder:
            store = open_sql_store(StorePlace(str(Path(folder) / "bench.sqlite")))
            store.configure("staff", CollectionSettings(keep_samples=True))
            for number in range(people):
                Enroller({Modality.FACE: old}, store).enroll("staff", f"{number:09d}", samples)
            done, seconds, bare = timed(Migration(store, new), new, samples, people)
            # Back to the old model, to migrate it once more under the eyes of tracemalloc, which slows it down.
            list(Migration(store, old).run())
            peaks[people], _, again = peak_of(store, new)
            store.close()
        if done != people or again != people:
            raise SystemExit(f"{done} and {again} of {people} were migrated")
    print(
        f"{1e3 * seconds / done:.1f} ms a person of {SAMPLES} samples = {seconds / bare:.2f}x of decoding and "
        "embedding them"
    )
    print(
        f"peak of {options.people} people {peaks[options.people]:.2f} MiB, of {options.people // 4} "
        f"{peaks[options.people // 4]:.2f} MiB: ratio {peaks[options.people] / peaks[options.people // 4]:.2f}"
    )
    rows.add(
        f"migrating people of {SAMPLES} samples",
        ours=1e3 * seconds / done,
        baseline=1e3 * bare / done,
        against="decoding and embedding their samples",
        unit="ms a person, mean",
        n=done,
    )
    few, _, _ = peak_of(Line(options.listed // 100, new.model_digest), new)
    many, seconds, _ = peak_of(Line(options.listed, new.model_digest), new)
    print(
        f"passing over {options.listed:,} who are done: peak {many:.2f} MiB, of {options.listed // 100:,} {few:.2f} "
        f"MiB: ratio {many / few:.2f}; {1e6 * seconds / options.listed:.1f} µs each (with tracemalloc)"
    )
    rows.add(
        f"memory of passing over {options.listed:,} people",
        ours=many,
        baseline=few,
        against=f"{options.listed // 100:,} people",
        unit="MiB, peak",
        n=1,
    )


if __name__ == "__main__":
    main()
