"""What each term of the face recipe's objective buys: same network, same batches, same number of steps.

    python benchmarks/face_loss_terms.py --steps 1000 --corpus lfw:DIR … --test att:DIR

Five objectives are trained on the same people. Each is then judged on people it never saw: EER and FRR at FAR 1 % over
all pairs of single samples of the background people (no Gaussian), and, sealed into a bundle, by the evaluator on the
test corpus (5 references, 10 draws). One run takes about 7 processor-minutes per 1,000 steps; finished runs are kept.
"""

import argparse
import dataclasses
from pathlib import Path

import torch

from encode.sample import Modality
from enroll.stores.memory import MemoryStore
from eval.corpora.spec import open_corpus
from eval.plans.protocol import Protocol
from eval.run import evaluate
from train.pool import open_pool
from train.recipe import Recipe, load_recipe
from train.run import fit_network, seal_trained
from verify.model import load_model
from verify.verifier import Verifier

OBJECTIVES = {
    "pairs (2006)": ("hadsell2006",),
    "pairs + SupCon": ("hadsell2006", "supcon"),
    "pairs + CosFace": ("hadsell2006", "cosface"),
    "SupCon + CosFace": ("supcon", "cosface"),
    "pairs + SupCon + CosFace": ("hadsell2006", "supcon", "cosface"),
}


def variant(recipe: Recipe, kinds: tuple[str, ...], steps: int) -> Recipe:
    """The recipe with only the terms named and another number of steps."""
    plan = dataclasses.replace(recipe.optimisation, steps=steps, evaluate_every=max(1, steps // 4))
    terms = tuple(term for term in recipe.losses if term.kind in kinds)
    return dataclasses.replace(recipe, name="-".join(kinds), losses=terms, optimisation=plan)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", action="append", required=True, help="corpus to train on; repeat")
    parser.add_argument("--cohort", action="append", default=[], help="corpus of further impostors for the policy")
    parser.add_argument("--test", required=True, help="corpus to measure on, of other people")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--work", type=Path, default=Path("runs/face-loss-terms"))
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pool, test, recipe = open_pool(arguments.corpus, arguments.cohort), open_corpus(arguments.test), load_recipe("face")
    print(f"| objective, {arguments.steps} steps | pairs EER | pairs FRR@1 % | {test.name} EER | FRR@5 % | FRR@1 % |")
    print("|---|---|---|---|---|---|")
    for name, kinds in OBJECTIVES.items():
        chosen = variant(recipe, kinds, arguments.steps)
        trained = fit_network(chosen, pool, arguments.work / chosen.name)
        bundle = seal_trained(chosen, pool, trained, arguments.work / chosen.name / "bundle")
        verifier = Verifier({Modality.FACE: load_model(bundle.path)}, MemoryStore())
        results = evaluate(test, verifier, Modality.FACE, Protocol(), quiet=True).results
        assert results.random is not None
        frr = {row.far: row.frr for row in results.random.frr_at_far}
        cells = [
            f"{rate.value:.1%} ({rate.low:.1%} to {rate.high:.1%})"
            for rate in (results.random.eer, frr[0.05], frr[0.01])
        ]
        print(f"| {name} | {trained.best_eer:.1%} | {trained.best_frr_at_1:.1%} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
