"""What a signature template holds and what that costs in accuracy: embedding and frames, embedding alone, 76 numbers.

    python benchmarks/signature_templates.py svc2004:DIR
    python benchmarks/signature_templates.py susig:DIR --policy-people      # only people the network never saw

Every way is measured in one run, on the same trials: five references, as the corpus's protocol draws them. The last
column is the skilled EER over that of the first row.
"""

import argparse
import dataclasses
import datetime

import numpy as np

from encode.bundle import open_bundle
from encode.sample import Modality
from enroll.identity import IdentityModel
from enroll.moments import Moments
from enroll.stores.memory import MemoryStore
from enroll.template import Template
from eval.corpora.corpus import Corpus
from eval.corpora.spec import open_corpus
from eval.plans.protocol import IMPOSTOR_SAMPLES, Protocol
from eval.run import evaluate
from report import shown
from train.people_split import Role
from train.pool import open_pool
from train.recipe import load_recipe
from verify.model import Model, load_model
from verify.verifier import Verifier

REFERENCES = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", help="svc2004:DIR, susig:DIR, sigcomp2009:DIR")
    parser.add_argument("--bundle", default="models/signature")
    parser.add_argument("--compact", default="models/signature-compact")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--policy-people", action="store_true", help="only people the recipe sets thresholds on")
    options = parser.parse_args()
    corpus = policy_people(options.corpus) if options.policy_people else open_corpus(options.corpus)
    whole = load_model(options.bundle)
    ways = {
        "embedding and frames": whole,
        "embedding, Gaussian": dataclasses.replace(whole, identity=embedding_alone(options.bundle), policy=None),
        "76 numbers": load_model(options.compact),
    }
    protocol = Protocol(
        references=REFERENCES,
        draws=options.draws,
        seed=options.seed,
        impostor_samples=IMPOSTOR_SAMPLES[Modality.SIGNATURE],
    )
    print(f"{corpus.name}: {len(corpus.people)} people, {REFERENCES} references, {options.draws} draws; EER in %")
    print(
        f"{'template':22s} {'bytes':>7s} {'skilled (95 %)':>20s} {'own threshold':>14s} {'random (95 %)':>20s}  ratio"
    )
    first = None
    for name, model in ways.items():
        verifier = Verifier({Modality.SIGNATURE: model}, MemoryStore())
        found = evaluate(corpus, verifier, Modality.SIGNATURE, protocol, quiet=True).results
        if found.skilled is None or found.skilled.eer_per_person is None or found.random is None:
            raise SystemExit("the corpus has no skilled forgeries")
        skilled = found.skilled.eer.value
        first = first or skilled
        print(
            f"{name:22s} {template_bytes(model, corpus):7,d} {shown(found.skilled.eer):>20s} "
            f"{100 * found.skilled.eer_per_person.value:14.2f} {shown(found.random.eer):>20s} {skilled / first:6.2f}"
        )


def policy_people(spec: str) -> Corpus:
    """The people of the corpus whom the recipe `signature` sets thresholds on, and trains nothing with."""
    recipe = load_recipe("signature")
    pool = open_pool([spec], modality=Modality.SIGNATURE, hold_out=recipe.hold_out, shares=recipe.split)
    kept = {person.partition("/")[2] for person in pool.people[Role.POLICY]}
    return open_corpus(spec).only(kept, name=f"{spec.partition(':')[0]}, policy people")


def embedding_alone(path: str) -> IdentityModel:
    """The bundle's Gaussian without its matching."""
    bundle = open_bundle(path)
    spec = bundle.manifest.identity.model_copy(update={"matching": None})
    return IdentityModel(spec, bundle.background)


def template_bytes(model: Model, corpus: Corpus) -> int:
    """Median stored size of the templates of ten people with their first references."""
    found = []
    for person in corpus.people[:10]:
        rows = model.encoder.embed_prepared(
            np.stack([model.encoder.prepare(row.load()) for row in corpus.genuine(person)[:REFERENCES]])
        )
        identity, now = model.identity, datetime.datetime.now(datetime.UTC)
        if identity.spec.matching is None:
            rows = rows[:, : identity.vector]
        template = Template.empty(
            "collection",
            "person",
            Modality.SIGNATURE,
            model.model_digest,
            size=rows.shape[1],
            now=now,
            compact=identity.spec.storage == "moments",
        )
        if template.moments is not None:
            template = dataclasses.replace(template, moments=Moments.of(rows.astype(np.float64)))
        else:
            template = template.with_references(rows, anchors_capacity=REFERENCES, recent_capacity=0, now=now)
        found.append(len(template.to_bytes()))
    return int(np.median(found))


if __name__ == "__main__":
    main()
