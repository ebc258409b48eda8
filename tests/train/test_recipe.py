"""A recipe is read whole: what is misspelt, missing or out of range is refused by its key before training starts."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from encode.errors import TrainingError
from train.augment import AugmentConfig
from train.build import build_network
from train.episodes import EpisodeConfig
from train.fusion import Matching
from train.loss_term import LossTerm
from train.losses.episode import EpisodeObjective, EpisodeWeights
from train.objective import Objective
from train.pen_writer import PenVariation
from train.people_split import SplitShares
from train.recipe import Batch, Optimisation, Recipe, load_recipe, parse_recipe
from train.recipe_file import shipped_recipes

PLAIN: dict[str, Any] = {
    "name": "plain",
    "network": "residual",
    "preprocessing": [
        {"step": "colour", "mode": "L"},
        {"step": "resize", "height": 32, "width": 24},
        {"step": "scale", "per_image": True},
    ],
    "losses": [{"kind": "supcon"}],
}

TOML = """
name = "from a file"
network = "chopra2005"
seed = 3
margin = [7, 6]
preprocessing = [
    { step = "colour" }, { step = "resize", height = 56, width = 46 }, { step = "scale", mean = [0.5], std = [0.25] },
]
losses = [{ kind = "chopra2005", weight = 2, distance = "l1" }, { kind = "hadsell2006", margin = 1.5 }]

[batch]
pairs = 10

[optimisation]
steps = 7
rate = 1e-4
bf16 = false

[augment]
rotation = 0.0
"""


def test_what_is_left_out_has_its_default() -> None:
    recipe = parse_recipe(PLAIN)
    assert (recipe.seed, recipe.margin, recipe.network_options) == (0, (8, 7), {})
    assert (recipe.batch, recipe.optimisation, recipe.augment) == (Batch(), Optimisation(), AugmentConfig())
    assert recipe.losses == (LossTerm("supcon"),)
    assert recipe.steps().shape == (1, 32, 24)


def test_a_file_says_everything(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(TOML)
    recipe = load_recipe(str(tmp_path / "own.toml"))
    assert recipe == Recipe(
        name="from a file",
        network="chopra2005",
        preprocessing=(
            {"step": "colour"},
            {"step": "resize", "height": 56, "width": 46},
            {"step": "scale", "mean": [0.5], "std": [0.25]},
        ),
        losses=(LossTerm("chopra2005", weight=2.0, distance="l1"), LossTerm("hadsell2006", margin=1.5)),
        seed=3,
        margin=(7, 6),
        batch=Batch(pairs=10),
        optimisation=Optimisation(steps=7, rate=1e-4, bf16=False),
        augment=AugmentConfig(rotation=0.0),
    )


def test_a_recipe_is_described_as_plain_data() -> None:
    described = parse_recipe(PLAIN | {"batch": {"shares": {"lfw": 0.7}}}).describe()
    assert json.loads(json.dumps(described))["batch"]["shares"] == {"lfw": 0.7}
    assert set(described) == {field.name for field in dataclasses.fields(Recipe)}


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_can_be_started(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    network = build_network(recipe)
    assert (recipe.episodes is None) is bool(recipe.losses)
    if recipe.episodes is None:
        Objective(recipe.losses, size=8, unit_norm=bool(network.unit_norm), people=3)
    else:
        EpisodeObjective(recipe.episodes, recipe.episode_weights)


def test_the_recipes_that_the_shipped_models_name_are_there() -> None:
    assert {"face", "face-chopra2005", "signature-bromley1993"} <= set(shipped_recipes())


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown key": ({"sed": 1}, "unknown key 'sed' .*known keys: .*seed", "recipe"),
    "unknown key of a section": ({"batch": {"peple": 3}}, "unknown key 'peple'", "batch"),
    "unknown key of the plan": ({"optimisation": {"lr": 1.0}}, "unknown key 'lr'", "optimisation"),
    "unknown key of a loss": ({"losses": [{"kind": "supcon", "tau": 1}]}, "unknown key 'tau'", "losses"),
    "unknown key of augmentation": ({"augment": {"blur": 1}}, "unknown key 'blur'", "augment"),
    "unknown network": ({"network": "resnet"}, "'residual', .*'bromley1993' or 'pen_residual'", "network"),
    "unknown loss": ({"losses": [{"kind": "quadruplet"}]}, "'supcon'", "losses.0.kind"),
    "unknown distance": ({"losses": [{"kind": "hadsell2006", "distance": "manhattan"}]}, "'l1'", "losses.0.distance"),
    "loss without a kind": ({"losses": [{}]}, "required", "losses.0.kind"),
    "no losses": ({"losses": []}, "a recipe has losses, or episodes", "losses"),
    "losses without losses": ({"losses": None}, "tuple", "losses"),
    "episodes of faces": ({"episodes": {}}, "pen_residual, and no other", "episodes"),
    "members of faces": ({"members": 2}, "residual has one member", "members"),
    "no member": ({"members": 0}, "greater than or equal to 1", "members"),
    "frames of faces": ({"matching": {}}, "pen_residual, not residual", "matching"),
    "compact faces": ({"compact": {}}, "pen_residual, not residual", "compact"),
    "unknown schedule": ({"optimisation": {"schedule": "linear"}}, "'cosine' or 'constant'", "optimisation.schedule"),
    "unknown key of the split": ({"split": {"test": 1}}, "unknown key 'test'", "split"),
    "nobody in the background": ({"split": {"background": 0}}, "leave some of the 20 buckets", "split"),
    "nobody left to train on": ({"split": {"background": 12, "policy": 8}}, "leave some", "split"),
    "buckets below 0": ({"split": {"policy_of": {"lfw": -1}}}, "leave some", "split"),
    "buckets as text": ({"split": {"policy_of": {"lfw": "most"}}}, "integer", "split.policy_of.lfw"),
    "losses a number": ({"losses": 3}, "tuple", "losses"),
    "a loss that is text": ({"losses": ["supcon"]}, "LossTerm", "losses.0"),
    "section a number": ({"batch": 3}, "Batch", "batch"),
    "people as text": ({"batch": {"people": "many"}}, "integer", "batch.people"),
    "one person": ({"batch": {"people": 1}}, "greater than or equal to 2", "batch.people"),
    "one sample": ({"batch": {"samples": 1}}, "greater than or equal to 2", "batch.samples"),
    "share as text": ({"batch": {"shares": {"lfw": "most"}}}, "number", "batch.shares.lfw"),
    "no steps": ({"optimisation": {"steps": 0}}, "greater than or equal to 1", "optimisation.steps"),
    "evaluated every 0 steps": ({"optimisation": {"evaluate_every": 0}}, "greater", "optimisation.evaluate_every"),
    "rate 0": ({"optimisation": {"rate": 0.0}}, "greater than 0", "optimisation.rate"),
    "seed below 0": ({"seed": -1}, "greater than or equal to 0", "seed"),
    "margin of one": ({"margin": [3]}, "required", "margin.1"),
    "margin a number": ({"margin": 3}, "tuple", "margin"),
    "name a number": ({"name": 3}, "string", "name"),
    "unknown step": ({"preprocessing": [{"step": "blur"}]}, "'blur'", "preprocessing.0"),
    "no scaling": ({"preprocessing": PLAIN["preprocessing"][:2]}, "`scale` as the last", "preprocessing"),
    "modality of another network": ({"modality": "signature"}, "does not read a signature", "modality"),
    "unknown modality": ({"modality": "voice"}, "'face'", "modality"),
    "target too lenient": ({"losses": [{"kind": "bromley1993", "target": 0.0}]}, "-0.9", "losses.0.target"),
    "forgeries of faces": ({"batch": {"forged": 0.4}}, "only signatures", "batch.forged"),
    "unknown identity": ({"identity": {"kind": "cubic"}}, "'spherical'", "identity"),
    "held out twice": ({"hold_out": {"lfw": 2.0}}, "less than or equal to 1", "hold_out.lfw"),
    "pace backwards": ({"jitter": {"pace": 1.0}}, "below 1", "jitter"),
    "negative views": ({"jitter": {"views": -1}}, "at least 0", "jitter"),
    "preprocessing text": ({"preprocessing": "grey"}, "tuple", "preprocessing"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_recipe_is_refused_by_its_key(name: str) -> None:
    changes, message, field = BAD[name]
    with pytest.raises(TrainingError, match=message) as caught:
        parse_recipe(PLAIN | changes)
    assert caught.value.field == field


SIGNATURE = PLAIN | {
    "modality": "signature",
    "network": "bromley1993",
    "preprocessing": [{"step": "bromley1993"}],
    "losses": [{"kind": "bromley1993"}],
}
BAD_SIGNATURE: dict[str, tuple[dict[str, Any], str, str]] = {
    "steps of images": ({"preprocessing": PLAIN["preprocessing"]}, "do not prepare a signature", "preprocessing"),
    "mirrored": ({"mirror": True}, "mirror image", "mirror"),
    "no genuine pairs": ({"batch": {"forged": 0.8, "others": 0.2}}, "leave no genuine", "batch.forged"),
    "of a face": ({"modality": "face"}, "cannot read strokes|does not read", "preprocessing"),
}


@pytest.mark.parametrize("name", BAD_SIGNATURE)
def test_a_bad_signature_recipe_is_refused_by_its_key(name: str) -> None:
    changes, message, field = BAD_SIGNATURE[name]
    assert parse_recipe(SIGNATURE).steps().shape == (8, 200)
    with pytest.raises(TrainingError, match=message) as caught:
        parse_recipe(SIGNATURE | changes)
    assert caught.value.field == field


PEN = {name: value for name, value in SIGNATURE.items() if name != "losses"} | {
    "network": "pen_residual",
    "preprocessing": [{"step": "pen_frames"}],
    "episodes": {},
}
BAD_PEN: dict[str, tuple[dict[str, Any], str, str]] = {
    "losses beside episodes": ({"losses": [{"kind": "supcon"}]}, "losses, or episodes, which bring their", "losses"),
    "no episodes and no losses": ({"episodes": None}, "a recipe has losses, or episodes", "losses"),
    "episodes of another network": ({"network": "bromley1993"}, "pen_residual, and no other", "episodes"),
    "unknown key of episodes": ({"episodes": {"people": 3}}, "unknown key 'people'", "episodes"),
    "unknown key of weights": ({"episode_weights": {"dtw": 1.0}}, "unknown key 'dtw'", "episode_weights"),
    "unknown key of variation": ({"pen_variation": {"noise": 1.0}}, "unknown key 'noise'", "pen_variation"),
    "unknown key of matching": ({"matching": {"weights": {}}}, "unknown key 'weights'", "matching"),
    "unknown key of compact": ({"compact": {"length": 3}}, "unknown key 'length'", "compact"),
    "one reference": ({"episodes": {"references": 1}}, "needs two references", "episodes"),
    "too many random probes": ({"episodes": {"writers": 3, "random": 3}}, "more writers than", "episodes"),
    "episodes as text": ({"episodes": "many"}, "EpisodeConfig", "episodes"),
    "unknown part": ({"matching": {"parts": ["ink"]}}, "no part 'ink'", "matching"),
    "unknown feature set": ({"matching": {"sets": ["scent"]}}, "no part 'scent.log_mean'", "matching"),
    "share above 1": ({"matching": {"share": 1.5}}, "share must be 0 … 1", "matching"),
    "compact to nothing": ({"compact": {"size": 0}}, "at least 1", "compact"),
    "compact of one": ({"compact": {"limit": 1}}, "at least 2", "compact"),
    "images": ({"preprocessing": PLAIN["preprocessing"]}, "do not prepare a signature", "preprocessing"),
}


@pytest.mark.parametrize("name", BAD_PEN)
def test_a_bad_recipe_of_episodes_is_refused_by_its_key(name: str) -> None:
    changes, message, field = BAD_PEN[name]
    with pytest.raises(TrainingError, match=message) as caught:
        parse_recipe(PEN | changes)
    assert (caught.value.field or "").partition(".")[0] == field


def test_episodes_bring_their_own_losses() -> None:
    recipe = parse_recipe(PEN)
    assert recipe.losses == ()
    assert (recipe.members, recipe.matching, recipe.compact) == (1, None, None)
    assert (recipe.episodes, recipe.episode_weights) == (EpisodeConfig(), EpisodeWeights())
    assert (recipe.pen_variation, recipe.split) == (PenVariation(), SplitShares())
    assert recipe.steps().shape == (5, 512)


def test_the_modern_network_learns_from_losses_on_batches_as_well() -> None:
    batches = {"episodes": None, "losses": [{"kind": "supcon"}], "batch": {"people": 8, "forgeries": 3}}
    recipe = parse_recipe(PEN | batches | {"pen_variation": {"made": 0.2}, "members": 2})
    assert (recipe.episodes, recipe.batch.forgeries, recipe.pen_variation.made) == (None, 3, 0.2)
    with pytest.raises(TrainingError, match="made must be 0 or more"):
        parse_recipe(PEN | batches | {"pen_variation": {"made": 1.0}})


def test_every_section_of_episodes_is_read_and_described() -> None:
    asked = PEN | {
        "members": 3,
        "episodes": {"writers": 9, "across": 0.2},
        "episode_weights": {"supcon": 0.1},
        "pen_variation": {"longest": 100},
        "matching": {"share": 0.1, "sets": ["shape"], "parts": ["path_change"]},
        "split": {"background": 3, "policy_of": {"susig/visual": 6}},
        "optimisation": {"schedule": "constant"},
    }
    recipe = parse_recipe(asked)
    assert (recipe.members, recipe.optimisation.schedule) == (3, "constant")
    assert recipe.episodes == EpisodeConfig(writers=9, across=0.2)
    assert recipe.episode_weights == EpisodeWeights(supcon=0.1)
    assert recipe.pen_variation == PenVariation(longest=100)
    assert recipe.matching == Matching(share=0.1, sets=("shape",), parts=("path_change",))
    assert recipe.split == SplitShares(background=3, policy_of={"susig/visual": 6})
    described = json.loads(json.dumps(recipe.describe()))
    assert described["episodes"]["writers"] == 9
    assert parse_recipe({name: value for name, value in described.items() if value is not None}) == recipe


def test_the_1993_recipe_is_the_papers() -> None:
    recipe = load_recipe("signature-bromley1993")
    assert (recipe.batch.forged, recipe.batch.others) == (0.4, 0.1)
    identity = recipe.given_identity()
    assert identity is not None
    assert (identity.kind, identity.recent, identity.anchors) == ("spherical", 6, 0)
    assert parse_recipe(PLAIN).given_identity() is None


@pytest.mark.parametrize("key", ["name", "network", "preprocessing"])
def test_what_has_no_default_must_be_there(key: str) -> None:
    with pytest.raises(TrainingError, match="required") as caught:
        parse_recipe({name: value for name, value in PLAIN.items() if name != key})
    assert caught.value.field == key


def test_only_episodes_do_without_losses() -> None:
    with pytest.raises(TrainingError, match="a recipe has losses, or episodes, which bring their own") as caught:
        parse_recipe({name: value for name, value in PLAIN.items() if name != "losses"})
    assert caught.value.field == "losses"


def test_a_recipe_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"'fase' is not a shipped recipe .*face"):
        load_recipe("fase")
    with pytest.raises(TrainingError, match="there is no recipe"):
        load_recipe(str(tmp_path / "absent.toml"))


@pytest.mark.parametrize("raw", [b"name = ", b"\xff\xfe", b"name = 'a'\nname = 'b'\n"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "x.toml").write_bytes(raw)
    with pytest.raises(TrainingError, match="not valid TOML") as caught:
        load_recipe(str(tmp_path / "x.toml"))
    assert caught.value.field == "recipe"
