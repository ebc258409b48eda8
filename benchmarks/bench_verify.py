"""One client's Verify over gRPC against decoding the same image and running the same network in this process.

    python benchmarks/bench_verify.py

What is left over is gRPC, the template store (SQLite), the person's Gaussian and the decision.
"""

import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import report
from encode.sample import ImageSample, Modality
from enroll.stores.opening import StorePlace, open_sql_store
from verify.client.client import Client
from verify.model import load_models
from verify.server_thread import serving

CALLS = 300
BUNDLE = Path(__file__).parents[1] / "models" / "face"


def picture(seed: int) -> ImageSample:
    """A 92 x 112 PNG of smooth noise; what it shows does not change the time."""
    coarse = np.random.default_rng(seed).integers(0, 256, (14, 12), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((92, 112), Image.Resampling.BICUBIC).save(buffer, format="PNG")
    return ImageSample(buffer.getvalue())


def median_ms(work: Callable[[], object]) -> float:
    """Median of `CALLS` runs in milliseconds, after a warm-up."""
    times = []
    for number in range(CALLS + 20):
        started = time.perf_counter()
        work()
        if number >= 20:
            times.append(time.perf_counter() - started)
    return 1e3 * float(np.median(times))


def main() -> None:
    rows = report.Rows(report.parser(__doc__, quick="the same: it takes seconds").parse_args())
    models = load_models([BUNDLE])
    encoder = models[Modality.FACE].encoder
    references, probe = [picture(seed) for seed in range(5)], picture(9)
    with tempfile.TemporaryDirectory() as folder:
        store = open_sql_store(StorePlace(str(Path(folder) / "bench.sqlite")))
        with serving(models, store) as address, Client(address) as client:
            client.enroll("bench", "someone", references)
            bare = median_ms(lambda: encoder.embed_prepared(encoder.prepare(probe)[None]))
            verify = median_ms(lambda: client.verify("bench", "someone", [probe]))
            health = median_ms(client.healthy)
        store.close()
    print(f"decode + network, in process: {bare:.2f} ms; health check over gRPC: {health:.2f} ms")
    print(
        f"Verify over gRPC, one client: {verify:.2f} ms = {verify / bare:.2f}x of the first, "
        f"{verify / (bare + health):.2f}x of both together"
    )
    rows.add(
        "Verify over gRPC, one client",
        ours=verify,
        baseline=bare + health,
        against="decode and network in process, and a health check over gRPC",
        unit="ms, median",
        n=CALLS,
    )


if __name__ == "__main__":
    main()
