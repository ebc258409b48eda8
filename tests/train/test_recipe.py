"""A recipe is read whole: what is misspelt, missing or out of range is refused by its key before training starts."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from encode.errors import TrainingError
from train.augment import AugmentConfig
from train.loop import build_network
from train.objective import Objective
from train.recipe import Batch, LossTerm, Optimisation, Recipe, load_recipe, parse_recipe, shipped_recipes

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
    Objective(recipe.losses, size=8, unit_norm=bool(network.unit_norm), people=3)


def test_the_recipes_that_the_shipped_models_name_are_there() -> None:
    assert {"face", "face-chopra2005", "signature-bromley1993"} <= set(shipped_recipes())


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown key": ({"sed": 1}, "unknown key 'sed' .*known keys: .*seed", "recipe"),
    "unknown key of a section": ({"batch": {"peple": 3}}, "unknown key 'peple'", "batch"),
    "unknown key of the plan": ({"optimisation": {"lr": 1.0}}, "unknown key 'lr'", "optimisation"),
    "unknown key of a loss": ({"losses": [{"kind": "supcon", "tau": 1}]}, "unknown key 'tau'", "losses"),
    "unknown key of augmentation": ({"augment": {"blur": 1}}, "unknown key 'blur'", "augment"),
    "unknown network": ({"network": "resnet"}, "'residual', 'chopra2005' or 'bromley1993'", "network"),
    "unknown loss": ({"losses": [{"kind": "triplet"}]}, "'supcon'", "losses.0.kind"),
    "unknown distance": ({"losses": [{"kind": "hadsell2006", "distance": "cosine"}]}, "'l1'", "losses.0.distance"),
    "loss without a kind": ({"losses": [{}]}, "required", "losses.0.kind"),
    "no losses": ({"losses": []}, "at least 1", "losses"),
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


def test_the_1993_recipe_is_the_papers() -> None:
    recipe = load_recipe("signature-bromley1993")
    assert (recipe.batch.forged, recipe.batch.others) == (0.4, 0.1)
    identity = recipe.given_identity()
    assert identity is not None
    assert (identity.kind, identity.recent, identity.anchors) == ("spherical", 6, 0)
    assert parse_recipe(PLAIN).given_identity() is None


@pytest.mark.parametrize("key", ["name", "network", "losses", "preprocessing"])
def test_what_has_no_default_must_be_there(key: str) -> None:
    with pytest.raises(TrainingError, match="required") as caught:
        parse_recipe({name: value for name, value in PLAIN.items() if name != key})
    assert caught.value.field == key


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
