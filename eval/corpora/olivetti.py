"""`olivetti:`: scikit-learn's copy of the AT&T faces (64 x 64, fetched where there is internet).

`olivetti:DIR` reads a copy that scikit-learn has already stored under DIR (its `data_home`).
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from encode.errors import CorpusMissing
from encode.sample import ImageSample, Sample
from eval.corpora.corpus import Corpus, Row


def read_olivetti(data_home: Path | None, *, name: str) -> Corpus:
    """40 people, 10 images each. Raises CorpusMissing where it is neither stored nor to be fetched."""
    from sklearn.datasets import fetch_olivetti_faces

    try:
        home = str(data_home) if data_home else None
        fetched = fetch_olivetti_faces(data_home=home, download_if_missing=data_home is None)
    except OSError as error:  # URLError is one
        raise CorpusMissing(
            "the Olivetti faces are not stored here and could not be fetched",
            fix="connect to the internet once, or use att:DIR with a copy of the AT&T faces",
        ) from error
    encoded = [_png(face) for face in fetched.images]
    people = [int(label) for label in fetched.target]
    counts = dict.fromkeys(people, 0)
    rows = []
    for data, person in zip(encoded, people, strict=True):
        counts[person] += 1
        sample = ImageSample(data=data)

        def load(row: Row, sample: Sample = sample) -> Sample:
            return sample

        identifier = f"s{person + 1}/{counts[person]}"
        rows.append(
            Row(id=identifier, path=Path(identifier), person=f"s{person + 1}", order=counts[person], loader=load)
        )
    return Corpus(name, rows)


def _png(face: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> bytes:
    """float32 (64, 64) in [0, 1] → PNG bytes, so that these faces take the same road as everyone's."""
    buffer = io.BytesIO()
    Image.fromarray(np.round(face * 255).astype(np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()
