"""The runs of a comparison: every recipe with every seed, on the same people."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from encode.errors import TrainingError
from train.recipe import Recipe, load_recipe
from train.recipe_file import recipe_label


@dataclass(frozen=True)
class Run:
    """One cell of the matrix: `recipe` with the seed of this run, called `label` among the recipes."""

    label: str
    number: int
    recipe: Recipe

    @property
    def name(self) -> str:
        """Of its folder, and in progress lines."""
        return f"{self.label}-{self.recipe.seed}"


@dataclass(frozen=True)
class Matrix:
    """Recipes by label, in the order given, and the seeds of each."""

    recipes: dict[str, Recipe]
    seeds: int

    @property
    def runs(self) -> list[Run]:
        """Seed by seed, so that an unfinished matrix holds every recipe before it repeats one.

        A recipe of several members takes as many seeds a run, so that no two runs share a member.
        """
        return [
            Run(label, number, dataclasses.replace(recipe, seed=recipe.seed + number * recipe.members))
            for number in range(self.seeds)
            for label, recipe in self.recipes.items()
        ]

    @property
    def first(self) -> Recipe:
        """Any of them: what they must share, they share."""
        return next(iter(self.recipes.values()))


def read_matrix(names: Sequence[str], seeds: int) -> Matrix:
    """Load every recipe.

    Raises TrainingError for fewer than two recipes, two of one name, or recipes that do not train on the same people:
    another modality, other people held out, another division of the rest.
    """
    recipes: dict[str, Recipe] = {}
    for name in names:
        label = recipe_label(name)
        if label in recipes:
            raise TrainingError(f"two recipes are called {label!r}", field="recipes", fix="rename one of the files")
        recipes[label] = load_recipe(name)
    if len(recipes) < 2:
        raise TrainingError("two recipes or more are compared", field="recipes")
    (first_label, first), *others = recipes.items()
    for label, recipe in others:
        for key in ("modality", "hold_out", "split"):
            if getattr(recipe, key) != getattr(first, key):
                raise TrainingError(
                    f"{label} and {first_label} differ in {key}, so they would not learn from the same people",
                    field=key,
                    fix="give all recipes of a comparison the same",
                )
    return Matrix(recipes, seeds)


def samples_seen(recipe: Recipe, steps: int) -> int:
    """Network inputs of `steps` training batches, repeats counted, and of pre-training where the recipe has it.

    As the recipe asks for them; a corpus of few people may give fewer.
    """
    before = 0 if recipe.pretrain is None else 2 * recipe.pretrain.samples * recipe.pretrain.steps * recipe.members
    return before + steps * _samples_per_step(recipe)


def _samples_per_step(recipe: Recipe) -> int:
    if (episodes := recipe.episodes) is not None:
        own = episodes.references + episodes.genuine + episodes.forgeries + episodes.distorted + episodes.random
        return episodes.writers * own
    batch = recipe.batch
    if batch.pairs:
        return 2 * batch.pairs
    return batch.people * (batch.samples + batch.forgeries) + 2 * batch.singles
