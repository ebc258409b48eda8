"""Weights fitted on half of a corpus's own people, measured on the other half, beside the weights that ship.

    python benchmarks/signature_two_fold.py svc2004:DIR

The encoder is that of the bundle in both rows. Background, fusion weights and calibration come from the other half of
the people, forgeries of theirs included, and each half is scored by what the other taught. The ratio is of skilled
EERs.
"""

import argparse
import dataclasses

import numpy as np

from encode.bundle import Bundle, open_bundle
from encode.encoder import Encoder
from encode.sample import Modality
from enroll.identity import IdentityModel
from enroll.stores.memory import MemoryStore
from eval.corpora.corpus import Corpus, merge
from eval.corpora.spec import open_corpus
from eval.measures.metrics import equal_error, frr_at, threshold_at_far
from eval.measures.rates import equal_error_by_person
from eval.plans.protocol import IMPOSTOR_SAMPLES, Protocol
from eval.run import evaluate
from eval.trials import ScoreTable, TrialKind
from train.embedding import embed_prepared, prepare_corpus
from train.fusion import fuse, quickened_forgeries
from train.identity_choice import given_candidates
from train.recipe import load_recipe
from verify.model import Model, load_model
from verify.verifier import Verifier


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--bundle", default="models/signature")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    corpus, bundle, model = open_corpus(options.corpus), open_bundle(options.bundle), load_model(options.bundle)
    order = np.random.default_rng(options.seed).permutation(len(corpus.people))
    halves = [corpus.only(corpus.people[index] for index in order[start::2]) for start in (0, 1)]
    shipped = [score(model, half, options.seed) for half in halves]
    own = [
        score(dataclasses.replace(model, identity=taught(bundle, other), policy=None), half, options.seed)
        for half, other in (halves, halves[::-1])
    ]
    print(f"{corpus.name}: {len(corpus.people)} people in two halves; EER and FRR in %")
    print(f"{'weights':16s} {'skilled':>8s} {'own threshold':>14s} {'FRR at 5 %':>11s} {'random':>7s}  ratio")
    first = None
    for name, tables in (("as shipped", shipped), ("of other half", own)):
        skilled, personal, frr, random = rates(tables)
        first = first or skilled
        print(f"{name:16s} {skilled:8.2f} {personal:14.2f} {frr:11.1f} {random:7.2f}  {skilled / first:.2f}")


def taught(bundle: Bundle, people: Corpus) -> IdentityModel:
    """Background, weights and calibration from `people`."""
    matching = load_recipe("signature").matching
    if matching is None:
        raise SystemExit("the recipe signature matches no frames")
    encoder, vector = Encoder(bundle), bundle.manifest.embedding.vector
    # Merged, so that people's names begin with their corpus, as the weights are fitted by.
    prepared = prepare_corpus(encoder, merge(people.name, [people]))
    embedded = embed_prepared(encoder, prepared, vector=vector)
    hurried = embed_prepared(encoder, quickened_forgeries(prepared, seed=0), vector=vector)
    plain = bundle.manifest.identity.model_copy(update={"matching": None})
    candidate = given_candidates(plain)[0]
    served = bundle.manifest.identity.matching
    channels = None if served is None else served.learned
    fused = fuse(embedded, hurried, candidate, matching, seed=0, channels=channels)
    return IdentityModel(fused.identity, candidate.background(embedded))


def score(model: Model, corpus: Corpus, seed: int) -> ScoreTable:
    protocol = Protocol(references=5, draws=10, seed=seed, impostor_samples=IMPOSTOR_SAMPLES[Modality.SIGNATURE])
    verifier = Verifier({Modality.SIGNATURE: model}, MemoryStore())
    return evaluate(corpus, verifier, Modality.SIGNATURE, protocol, quiet=True).table


def rates(tables: list[ScoreTable]) -> tuple[float, float, float, float]:
    """Skilled EER at one threshold, mean of the enrolments' own, FRR at FAR 5 %, random EER; per cent."""
    kinds = {kind: [table.of(kind) for table in tables] for kind in TrialKind}
    pooled = {kind: np.concatenate([trials.scores for trials in found]) for kind, found in kinds.items()}
    genuine, forged = pooled[TrialKind.GENUINE], pooled[TrialKind.SKILLED]
    halves = zip(kinds[TrialKind.GENUINE], kinds[TrialKind.SKILLED], strict=True)
    personal = np.concatenate([equal_error_by_person(*half) for half in halves])
    return (
        100 * equal_error(genuine, forged).rate,
        100 * float(np.nanmean(personal)),
        100 * frr_at(genuine, threshold_at_far(forged, 0.05)),
        100 * equal_error(genuine, pooled[TrialKind.RANDOM]).rate,
    )


if __name__ == "__main__":
    main()
