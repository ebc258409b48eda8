"""How far templates of honest people drift: what `max_drift` must allow.

    python benchmarks/template_drift.py --corpus lfw:DIR --corpus folder:DIR …
    python benchmarks/template_drift.py --bundle models/signature --recipe signature --corpus susig:DIR

For each person, at random: five anchors, as many later references as the bundle's ring holds, and as many adapted
ones; drift is that of `enroll.adaptation.drift`, of samples of one time. Only people whom the recipe never trained the
encoder on are measured, of the corpora that it names. The last line is the bound to choose: the 99th percentile of all
draws, every person counting alike, rounded up to a tenth. Beyond it a probe is not learned from; no claim is refused.
"""

import argparse

import numpy as np

from encode.errors import SampleError
from enroll.adaptation import drift
from eval.corpora.spec import open_corpus
from train.people_split import Role
from train.pool import open_pool
from train.recipe import load_recipe
from verify.model import Model, load_model

ANCHORS = 5
DRAWS = 100
SAMPLES = 80
"""Of one person, at most."""
QUANTILES = (0.5, 0.9, 0.99, 0.999, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", action="append", required=True)
    parser.add_argument("--bundle", default="models/face")
    parser.add_argument("--recipe", default="face")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model = load_model(options.bundle)
    generator = np.random.default_rng(options.seed)
    print(f"{'corpus':20s} {'people':>6s} {'draws':>6s}  " + " ".join(f"{100 * one:6.1f}%" for one in QUANTILES))
    everything: list[np.ndarray] = []
    for spec in options.corpus:
        found = drifts(spec, model, options.recipe, generator)
        name = spec.partition(":")[2].rstrip("/").rpartition("/")[2] or spec
        if not found:
            print(f"{name:20s} nobody has enough samples")
            continue
        print(_line(name, found))
        everything += found
    print(_line("together", everything))
    print(f"max_drift {np.ceil(10 * np.quantile(np.concatenate(everything), 0.99)) / 10:g}")


def drifts(spec: str, model: Model, recipe: str, generator: np.random.Generator) -> list[np.ndarray]:
    """float64 (DRAWS,) for each person with enough samples."""
    rules = load_recipe(recipe)
    pool = open_pool([spec], modality=model.modality, hold_out=rules.hold_out, shares=rules.split)
    development = {one.partition("/")[2] for role in (Role.POLICY, Role.BACKGROUND) for one in pool.people[role]}
    corpus, ring = open_corpus(spec), model.identity.recent
    found = []
    for person in corpus.people:
        rows = corpus.genuine(person)[:SAMPLES]
        if person not in development or len(rows) < ANCHORS + 1:
            continue
        prepared = []
        for row in rows:
            try:
                prepared.append(model.encoder.prepare(row.load()))
            except SampleError:
                continue
        if len(prepared) < ANCHORS + ring:
            continue
        samples = model.encoder.embed_prepared(np.stack(prepared))
        drawn = []
        for _ in range(DRAWS):
            order = generator.permutation(len(samples))[: ANCHORS + 2 * ring]
            drawn.append(drift(samples[order[:ANCHORS]], samples[order], model.identity))
        found.append(np.array(drawn))
    return found


def _line(name: str, found: list[np.ndarray]) -> str:
    values = np.concatenate(found)
    quantiles = " ".join(f"{one:7.3f}" for one in np.quantile(values, QUANTILES))
    return f"{name:20s} {len(found):6d} {len(values):6d}  {quantiles}"


if __name__ == "__main__":
    main()
