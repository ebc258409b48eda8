"""Faces behind sunglasses or a scarf: error rates of probes with a simulated covering, on the same trials as without.

    python benchmarks/face_occlusion.py att:DIR
    python benchmarks/face_occlusion.py att:DIR --against models/mine

People are enrolled with five uncovered photographs, drawn ten times; every probe, genuine or impostor, is then shown as
it is, with sunglasses, and with a scarf. Coverings are drawn on the picture at fixed shares of its sides (they suit the
framing of AT&T and LFW): two dark lenses with a bar over the eyes, or cloth from under the nose down, with folds and a
pattern of its own for every picture. Thresholds are those of each row's own impostors (a posteriori), and in the last
two columns those of uncovered impostors, which is what a service has. The ratio is of the EER to that without covering.
"""

import argparse
import dataclasses
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from encode.image import decode_image
from encode.sample import CropBox, ImageSample, Modality, Sample
from enroll.stores.memory import MemoryStore
from eval.corpora.corpus import Corpus, Row
from eval.corpora.spec import open_corpus
from eval.measures.metrics import threshold_at_far
from eval.measures.rates import counted_far, counted_frr, measure
from eval.plans.plan import Plan
from eval.plans.plan_choice import PlanChoice, derive_plan
from eval.plans.protocol import Protocol
from eval.resampling.bootstrap import bootstrap
from eval.scoring import Acquired, acquire, score
from eval.trials import ScoreTable, TrialKind
from report import shown
from verify.model import load_model
from verify.verifier import Verifier

Picture = NDArray[np.uint8]
FAR = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", help="att:DIR, or another whose pictures are framed likewise")
    parser.add_argument("--bundle", default="models/face")
    parser.add_argument("--against", action="append", default=[], help="another bundle")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    corpus = open_corpus(options.corpus)
    print(f"{corpus.name}: {len(corpus.people)} people, 5 references, 10 draws; percent, 95 % intervals")
    print(
        f"{'bundle':24s} {'probes':11s} {'trials':>16s} {'EER':>18s} {'FRR at FAR 5':>18s} {'FRR at FAR 1':>18s} "
        f"{'FAR, clean thr.':>18s} {'FRR, clean thr.':>18s} ratio"
    )
    for path in [options.bundle, *options.against]:
        first: float | None = None
        clean = 0.0
        for covering in ("none", "sunglasses", "scarf"):
            table = scored(corpus, Verifier({Modality.FACE: load_model(path)}, MemoryStore()), covering, options.seed)
            sides = table.of(TrialKind.GENUINE), table.of(TrialKind.RANDOM)
            replicates = bootstrap(*sides, seed=options.seed)
            found = measure(*sides, replicates)
            clean = clean if first is not None else threshold_at_far(sides[1].scores, FAR)
            first = first if first is not None else found.eer.value
            frr = {row.far: row.frr for row in found.frr_at_far}
            cells = [
                found.eer,
                frr[0.05],
                frr[FAR],
                counted_far(sides[1], clean, replicates.far),
                counted_frr(sides[0], clean, replicates.frr),
            ]
            print(
                f"{path:24s} {covering:11s} {len(sides[0]):>6,d}/{len(sides[1]):<9,d} "
                + " ".join(f"{shown(cell):>18s}" for cell in cells)
                + f" {found.eer.value / first:5.1f}"
            )


def scored(corpus: Corpus, verifier: Verifier, covering: str, seed: int) -> ScoreTable:
    """Every trial of the corpus, templates of uncovered samples and probes of covered ones."""
    rows = [row for row in corpus.rows if row.modality is Modality.FACE]
    plain = acquire(rows, verifier, Modality.FACE, quiet=True)
    shown_rows = [dataclasses.replace(row, loader=Covered(covering, seed + number)) for number, row in enumerate(rows)]
    covered = acquire(shown_rows, verifier, Modality.FACE, quiet=True)
    plan = derive_plan(rows, PlanChoice(protocol=Protocol(seed=seed)), plain.usable & covered.usable)
    both = Acquired(np.concatenate([plain.embeddings, covered.embeddings]), {})
    model = verifier.models[Modality.FACE]
    return score(probing_covered(plan), both, verifier, Modality.FACE, model.model_digest, quiet=True)


def probing_covered(plan: Plan) -> Plan:
    """The plan over uncovered samples, then covered ones, whose probes are the latter."""
    count = len(plan.samples)
    claims = tuple(
        dataclasses.replace(claim, genuine=claim.genuine + count, random=claim.random + count) for claim in plan.claims
    )
    return dataclasses.replace(
        plan,
        samples=(*plan.samples, *(f"{sample} covered" for sample in plan.samples)),
        owners=np.tile(plan.owners, 2),
        sources=np.tile(plan.sources, 2),
        claims=claims,
    )


@dataclasses.dataclass(frozen=True)
class Covered:
    """Loads a row's photograph with a covering drawn on it."""

    covering: str
    seed: int

    def __call__(self, row: Row) -> Sample:
        sample = ImageSample(data=row.path.read_bytes(), crop=row.crop, modality=row.modality)
        if self.covering == "none":
            return sample
        image = decode_image(sample.data).convert("L")
        box = sample.crop or CropBox(0, 0, image.width, image.height)
        face = np.asarray(image.crop((box.left, box.top, box.right, box.bottom)))
        drawn = {"sunglasses": sunglasses, "scarf": scarf}[self.covering](face, np.random.default_rng(self.seed))
        held = io.BytesIO()
        Image.fromarray(drawn).save(held, format="PNG")
        return ImageSample(data=held.getvalue(), crop=None, modality=row.modality)


def sunglasses(face: Picture, generator: np.random.Generator) -> Picture:
    """Two dark elliptic lenses and the bar between them, a little higher or lower in every picture."""
    height, width = face.shape
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    middle = 0.45 + generator.uniform(-0.02, 0.02)
    lenses = np.zeros(face.shape, np.bool_)
    for side in (0.3, 0.7):
        lenses |= ((x - side) / 0.2) ** 2 + ((y - middle) / 0.1) ** 2 < 1.0
    bar = (np.abs(y - middle + 0.05) < 0.018) & (x > 0.05) & (x < 0.95)
    shade = np.clip(18 + 25 * (1 - y) + generator.normal(0, 4, face.shape), 0, 255)
    covered: Picture = np.where(lenses | bar, shade, face).astype(np.uint8)
    return covered


def scarf(face: Picture, generator: np.random.Generator) -> Picture:
    """Cloth from under the nose to the lower edge, its upper edge bent, with folds and a pattern."""
    height, width = face.shape
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    edge = 0.63 + generator.uniform(-0.02, 0.02) + 0.05 * (2 * x - 1) ** 2
    folds = 30 * np.sin(2 * np.pi * (generator.uniform(3, 7) * y + generator.uniform(-2, 2) * x))
    cloth = generator.uniform(60, 190) + folds + generator.normal(0, 10, face.shape)
    covered: Picture = np.where(y > edge, np.clip(cloth, 0, 255), face).astype(np.uint8)
    return covered


if __name__ == "__main__":
    main()
