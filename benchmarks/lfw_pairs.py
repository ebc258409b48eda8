"""Pairs of Labeled Faces in the Wild, of people never trained on: accuracy over ten folds, FRR at FAR 1 % and 0.1 %.

    python benchmarks/lfw_pairs.py lfw:DIR
    python benchmarks/lfw_pairs.py lfw:DIR --against models/mine --pairs 600

As the corpus's own protocol: a pair is one reference and one probe, as many genuine as impostor pairs, ten folds of
which no two share a person, and the accuracy on each fold is that of the threshold best on the nine others. People are
those whom the bundle's recipe puts aside (background and policy: the former stopped the training); a person is drawn
first, then the person's photographs, so that nobody counts by the number of theirs. The score is what the service would
say: the log-likelihood ratio of a template with one reference. Every bundle is measured on the same pairs in one run.
"""

import argparse
import itertools
import tempfile
from pathlib import Path

import numpy as np

from encode.bundle import open_bundle
from encode.sample import Modality
from enroll.stores.memory import MemoryStore
from eval.corpora.corpus import Corpus
from eval.corpora.files import number_of
from eval.corpora.spec import open_corpus
from eval.plans.plan_choice import PlanChoice, Rule
from eval.plans.splits import SplitChoice
from eval.run import evaluate
from report import shown
from train.people_split import Role, SplitShares, split_people
from verify.model import load_model
from verify.verifier import Verifier

FOLDS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", help="lfw:DIR")
    parser.add_argument("--bundle", default="models/face")
    parser.add_argument("--against", action="append", default=[], help="another bundle; its people put aside count too")
    parser.add_argument("--pairs", type=int, default=1000, help="half of them genuine")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    bundles = [options.bundle, *options.against]
    corpus = open_corpus(options.corpus)
    people = set.intersection(*(put_aside(bundle, corpus) for bundle in bundles))
    held = corpus.only(people)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pairs.txt"
        file.write_text("\n".join(drawn_pairs(held, options.pairs, options.seed)) + "\n")
        choice = PlanChoice(rule=Rule.TRIAL_LIST, files=(file,), split=SplitChoice("list"))
        print(f"{len(held.people)} people of {corpus.name} put aside, {options.pairs} pairs; 95 % intervals")
        first = None
        for bundle in bundles:
            verifier = Verifier({Modality.FACE: load_model(bundle)}, MemoryStore())
            found = evaluate(held, verifier, Modality.FACE, choice, quiet=True).results.random
            if found is None or found.fold_accuracy is None:
                raise SystemExit("the pairs hold no impostors, or no folds")
            first = first or found.eer.value
            rates = {row.far: row.frr for row in found.frr_at_far}
            print(
                f"{bundle}: accuracy {shown(found.fold_accuracy.accuracy)}, EER {shown(found.eer)}, "
                f"FRR at FAR 1 % {shown(rates[0.01])}, at 0.1 % {shown(rates[0.001])}; EER ratio "
                f"{found.eer.value / first:.2f}"
            )


def put_aside(path: str, corpus: Corpus) -> set[str]:
    """The people of the corpus on whom the bundle's network was not trained, by the recipe in its manifest."""
    recipe = open_bundle(path).manifest.recipe
    names = tuple(f"{corpus.name}/{person}" for person in corpus.people)
    roles = split_people(names, recipe.get("hold_out"), SplitShares(**recipe.get("split", {})))
    return {name.partition("/")[2] for role in Role if role is not Role.TRAINING for name in roles[role]}


def drawn_pairs(corpus: Corpus, pairs: int, seed: int) -> list[str]:
    """The lines of a list of pairs in the form of LFW's own."""
    generator = np.random.default_rng(seed)
    each = pairs // (2 * FOLDS)
    lines = [f"{FOLDS}\t{each}"]
    by_samples = sorted(generator.permutation(corpus.people), key=lambda person: -len(corpus.genuine(str(person))))
    for fold in range(FOLDS):
        numbers = {
            str(person): [number_of(row.path.stem) for row in corpus.genuine(str(person))]
            for person in by_samples[fold::FOLDS]
        }
        genuine = one_each([list(itertools.combinations(own, 2)) for own in numbers.values()], each, generator)
        people = list(itertools.combinations(range(len(numbers)), 2))
        if len(genuine) < each or not people:
            raise SystemExit(f"{len(corpus.people)} people do not give {pairs} pairs: ask for fewer (--pairs)")
        names = list(numbers)
        for number in range(each):
            person, (one, other) = genuine[number]
            lines.append(f"{names[person]}\t{one}\t{other}")
        impostor: set[tuple[str, ...]] = set()
        while len(impostor) < each:
            left, right = (str(person) for person in generator.choice(names, 2, replace=False))
            one, other = (numbers[name][generator.integers(len(numbers[name]))] for name in (left, right))
            impostor.add((left, str(one), right, str(other)))
        lines += ["\t".join(cells) for cells in sorted(impostor)]
    return lines


def one_each(
    pairs: list[list[tuple[int | None, ...]]], count: int, generator: np.random.Generator
) -> list[tuple[int, tuple[int | None, ...]]]:
    """At most `count` pairs with whose they are: one of everybody, then a second of those who have one, and so on."""
    shuffled = [[own[index] for index in generator.permutation(len(own))] for own in pairs]
    turns = itertools.zip_longest(*shuffled)
    found = [(person, pair) for turn in turns for person, pair in enumerate(turn) if pair is not None]
    return found[:count]


if __name__ == "__main__":
    main()
