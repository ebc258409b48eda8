"""Fit the generator of synthetic faces that the demonstration draws people from.

    python -m train.eigenfaces --corpus lfw:DIR --out models/synthetic-faces

A picture of person i is modelled as  x = μ + s_i + e_ij  with s ~ N(0, B), e ~ N(0, W). With n_i pictures of each of I
people, N in all, and m_i the mean of person i's pictures, the moment estimates are

    μ = mean of the m_i        W = Σ_ij (x_ij − m_i)(x_ij − m_i)ᵀ / (N − I)        B = cov(m_i) − W · mean(1 / n_i)

both inside the span of the leading principal components of all pictures. The leading eigenvectors of B and W, each
scaled to one standard deviation, are the model that `eval.synthetic.faces` draws from. Everybody counts once in μ and
B, and with at most `MOST` pictures in W, so that nobody who was photographed often shapes it.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from encode.errors import CountersignError, SampleError, TrainingError
from encode.image import crop_image, decode_image
from encode.sample import ImageSample
from eval.corpora.corpus import Corpus, Row
from eval.corpora.spec import open_corpus
from eval.synthetic.faces import GENERATOR, FaceGenerator

CARD = "README.md"
HEIGHT, WIDTH = 80, 65
BETWEEN, WITHIN = 40, 30
MOST = 12
_COMPONENTS = 250  # principal components that hold B and W: 96 % of the variance of LFW
_PASSES = 4


@dataclass(frozen=True)
class Fitted:
    """The generator and what is to be told of it.

    Attributes
    ----------
    between_share, within_share : fraction of the variance of B and of W along the directions kept.
    largest_part : of any between-person direction, the largest fraction of its variance that one person brings in.
    """

    generator: FaceGenerator
    people: int
    pictures: int
    between_share: float
    within_share: float
    largest_part: float


def load_faces(corpus: Corpus) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Grey faces float32 (N, H·W) in 0 to 255 and each one's person, int64 (N,); unusable samples are left out."""
    faces, labels = [], []
    for number, person in enumerate(corpus.people):
        for row in corpus.genuine(person)[:MOST]:
            try:
                faces.append(_face(row))
            except (SampleError, OSError):
                continue
            labels.append(number)
    if not faces:
        raise TrainingError(f"no sample of {corpus.name} can be read", field="corpus")
    return np.stack(faces), np.array(labels, np.int64)


def fit_eigenfaces(
    faces: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    shape: tuple[int, int] = (HEIGHT, WIDTH),
    between: int = BETWEEN,
    within: int = WITHIN,
    seed: int = 0,
) -> Fitted:
    """The model of `faces` float32 (N, H·W) of the people `labels` int64 (N,).

    Raises TrainingError where the people or their repeated pictures are too few for the directions asked for.
    """
    _, labels = np.unique(labels, return_inverse=True)
    counts = np.bincount(labels)
    people, pictures = len(counts), len(faces)
    if people <= between or pictures - people < within:
        raise TrainingError(
            f"{people} people with {pictures} pictures are too few for {between} + {within} directions",
            field="corpus",
            fix="use a corpus of more people, with at least two pictures of most of them",
        )
    mean = _person_means(faces, labels, counts).mean(axis=0)
    axes = principal_axes(faces - mean, min(_COMPONENTS, pictures, faces.shape[1]), seed)
    scores = ((faces - mean) @ axes).astype(np.float64)
    means = _person_means(scores, labels, counts)
    residuals = scores - means[labels]
    within_covariance = residuals.T @ residuals / (pictures - people)
    between_covariance = np.cov(means, rowvar=False) - within_covariance * np.mean(1.0 / counts)
    between_values, between_vectors = _leading(between_covariance, between)
    within_values, within_vectors = _leading(within_covariance, within)
    parts = (means @ between_vectors) ** 2
    return Fitted(
        generator=FaceGenerator(
            mean.reshape(shape).astype(np.float32),
            _pictures(axes, between_values, between_vectors, shape),
            _pictures(axes, within_values, within_vectors, shape),
        ),
        people=people,
        pictures=pictures,
        between_share=_share(between_values, between_covariance),
        within_share=_share(within_values, within_covariance),
        largest_part=float((parts / parts.sum(axis=0)).max()),
    )


def principal_axes(centred: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
    """Orthonormal float32 (P, count) near the leading principal axes of `centred` (N, P).

    Subspace iteration from a seeded start (Halko, Martinsson & Tropp 2011, algorithm 4.4).
    """
    start = np.random.default_rng(seed).standard_normal((centred.shape[1], count)).astype(np.float32)
    axes = np.linalg.qr(start)[0]
    for _ in range(_PASSES):
        axes = np.linalg.qr(centred.T @ (centred @ axes))[0]
    return axes


def _face(row: Row) -> NDArray[np.float32]:
    sample = row.load()
    if not isinstance(sample, ImageSample):
        raise TrainingError("a face generator needs images", field=row.id)
    image = decode_image(sample.data)
    if sample.crop is not None:
        image = crop_image(image, sample.crop)
    return np.asarray(image.convert("L").resize((WIDTH, HEIGHT), Image.Resampling.BOX), np.float32).ravel()


def _person_means(
    values: NDArray[np.floating], labels: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, labels, values)
    means: NDArray[np.float64] = sums / counts[:, None]
    return means


def _leading(covariance: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest eigenvalues (count,), none below 0, and their eigenvectors (P, count) with a sign of their own."""
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
    # The sign of an eigenvector is the library's whim; with it fixed, everyone draws the same people.
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    return np.maximum(values, 0.0), vectors * signs


def _pictures(
    axes: NDArray[np.float32], values: NDArray[np.float64], vectors: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float32]:
    scaled = (axes.astype(np.float64) @ vectors) * np.sqrt(values)
    return scaled.T.reshape(-1, *shape).astype(np.float32)


def _share(kept: NDArray[np.float64], covariance: NDArray[np.float64]) -> float:
    values = np.linalg.eigvalsh(covariance)
    return float(kept.sum() / values[values > 0].sum())


def card(fitted: Fitted, corpus: str, digest: str) -> str:
    """README.md of the folder."""
    model = fitted.generator
    height, width = model.mean.shape
    directions = len(model.between), len(model.within)
    return f"""# Generator of synthetic faces

`{GENERATOR}` draws the people of `countersign demo` and of the tests. **Nobody it draws exists.**

It is an eigenface model of two covariances: a mean face, {directions[0]} directions in which people differ and
{directions[1]} in which pictures of one person differ, each {height} x {width} pixels, rounded to 8 bits.

- Fitted on {corpus}: {fitted.people:,} people, {fitted.pictures:,} pictures, at most {MOST} of one person
  (corpus digest `{digest[:16]}…`). The corpus is for research use; the drawn faces stand for nobody in it.
- It holds {1 + sum(directions)} averages over those pictures and nothing of any one: no picture, no crop, no
  coefficient of a person, so that no person's picture can be recovered from it. The person who weighs most in any
  direction brings in {fitted.largest_part:.1%} of its variance.
- The directions kept hold {fitted.between_share:.0%} of the variance between people, and
  {fitted.within_share:.0%} of that within.
- Drawn faces are smooth, frontal and of the population of the corpus. An error rate measured on them shows that the
  parts work together. It says nothing about real people: for that, measure a corpus of real faces.

Plain arrays, never pickle: `mean` uint8, `between` and `within` int8 with a float32 `_scale` a direction.

Fitted again, the same but for rounding, by

    python -m train.eigenfaces --corpus {corpus}:DIR --out models/synthetic-faces
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: `--corpus SPEC --out DIR`."""
    parser = argparse.ArgumentParser(prog="python -m train.eigenfaces", description="Fit the synthetic-face generator.")
    parser.add_argument("--corpus", required=True, help="people to fit on, for example lfw:DIR")
    parser.add_argument("--out", required=True, type=Path, help=f"folder of {GENERATOR} and {CARD}")
    given = parser.parse_args(arguments)
    try:
        corpus = open_corpus(given.corpus)
        fitted = fit_eigenfaces(*load_faces(corpus))
    except CountersignError as error:
        parser.exit(3, f"error: {error}\n")
    given.out.mkdir(parents=True, exist_ok=True)
    data = fitted.generator.to_npz()
    (given.out / GENERATOR).write_bytes(data)
    (given.out / CARD).write_text(card(fitted, corpus.name, corpus.digest), encoding="utf-8")
    print(f"{given.out / GENERATOR}: {len(data):,} bytes")


if __name__ == "__main__":
    main()
