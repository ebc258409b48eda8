"""A recipe: everything that decides a training run, as one small TOML file read into frozen dataclasses."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from encode.errors import BundleCorrupt, TrainingError
from encode.manifest import IdentitySpec
from encode.preprocessing import Preprocessing
from encode.sample import Modality
from encode.stroke_preprocessing import StrokePreprocessing, read_preprocessing
from train.augment import AugmentConfig
from train.episodes import EpisodeConfig
from train.fusion import Matching
from train.jitter import JitterConfig
from train.loss_term import LossTerm
from train.losses.episode import EpisodeWeights
from train.pen_writer import PenVariation
from train.people_split import SplitShares
from train.pretrain.config import PretrainConfig
from train.recipe_file import read_recipe_file
from train.teacher import TeacherConfig

Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class Batch:
    """P people × K samples, `singles` people with one sample (two views each), and corpora's shares of P.

    With `pairs` > 0 the batch is that many ordered pairs instead, half of them genuine, as in the 2005 paper; with
    `forged` > 0 too, that share of them is a genuine signature and a skilled forgery, `others` two writers, as in 1993.
    Of P × K batches, `forgeries` is how many skilled forgeries join for each of the P people.
    """

    pairs: NotNegative = 0
    forged: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    others: Annotated[float, Field(ge=0.0, le=1.0)] = 0.1
    people: Annotated[int, Field(ge=2)] = 40
    samples: Annotated[int, Field(ge=2)] = 4
    singles: NotNegative = 0
    forgeries: NotNegative = 0
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Optimisation:
    """AdamW with linear warm-up, then cosine decay to zero or a constant rate; EMA of the weights; early stopping on
    background people."""

    steps: Positive = 4500
    rate: Annotated[float, Field(gt=0.0)] = 3e-3
    weight_decay: float = 0.05
    warmup: NotNegative = 200
    ema: float = 0.998
    clip: float = 5.0
    schedule: Literal["cosine", "constant"] = "cosine"
    evaluate_every: Positive = 250
    patience: Positive = 8
    bf16: bool = True


@dataclass(frozen=True)
class Compact:
    """`size` values an embedding; a template takes the moments of up to `limit` references."""

    size: int = 38
    limit: int = 100

    def __post_init__(self) -> None:
        # ValueError: the recipe's validation names the key.
        if self.size < 1 or self.limit < 2:
            raise ValueError("size must be at least 1, and limit at least 2")


@dataclass(frozen=True)
class Recipe:
    """A training run as data.

    Attributes
    ----------
    margin, augment, mirror : of faces; with `mirror` the sealed network averages each face with its mirror image.
    members : networks trained with successive seeds, whose embeddings are put side by side; of pen_residual alone.
    jitter : of signatures, the trajectories that are seen in training beside those recorded.
    identity : fields of `encode.manifest.IdentitySpec` that are given; without any, every kind is tried.
    hold_out : corpus, or part of one → share of its people, by a fixed hash, who are used for nothing at all
        (`train.people_split.split_people`).
    """

    name: str
    network: Literal["residual", "chopra2005", "bromley1993", "pen_residual"]
    preprocessing: tuple[Mapping[str, Any], ...]
    losses: tuple[LossTerm, ...] = ()
    modality: Modality = Modality.FACE
    seed: NotNegative = 0
    margin: tuple[int, int] = (8, 7)
    batch: Batch = field(default_factory=Batch)
    optimisation: Optimisation = field(default_factory=Optimisation)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    network_options: Mapping[str, Any] = field(default_factory=dict)
    mirror: bool = False
    members: Positive = 1
    jitter: JitterConfig = field(default_factory=JitterConfig)
    identity: Mapping[str, Any] = field(default_factory=dict)
    hold_out: Mapping[str, Annotated[float, Field(ge=0.0, le=1.0)]] = field(default_factory=dict)
    split: SplitShares = field(default_factory=SplitShares)
    episodes: EpisodeConfig | None = None
    matching: Matching | None = None
    compact: Compact | None = None
    teacher: TeacherConfig | None = None
    pretrain: PretrainConfig | None = None
    episode_weights: EpisodeWeights = field(default_factory=EpisodeWeights)
    pen_variation: PenVariation = field(default_factory=PenVariation)

    def steps(self) -> Preprocessing | StrokePreprocessing:
        """The preprocessing, validated."""
        return read_preprocessing(self.preprocessing, self.modality)

    def given_identity(self) -> IdentitySpec | None:
        """The identity model that the recipe gives, if it gives one. Raises pydantic's ValidationError."""
        return IdentitySpec(**self.identity) if self.identity else None

    def describe(self) -> dict[str, Any]:
        """As plain data, for the manifest."""
        return dataclasses.asdict(self)


_SECTIONS = {
    "batch": Batch,
    "optimisation": Optimisation,
    "augment": AugmentConfig,
    "jitter": JitterConfig,
    "episodes": EpisodeConfig,
    "episode_weights": EpisodeWeights,
    "pen_variation": PenVariation,
    "split": SplitShares,
    "matching": Matching,
    "compact": Compact,
    "teacher": TeacherConfig,
    "pretrain": PretrainConfig,
}
_READ = {
    "residual": Modality.FACE,
    "chopra2005": Modality.FACE,
    "bromley1993": Modality.SIGNATURE,
    "pen_residual": Modality.SIGNATURE,
}
"""What each network reads."""
_RECIPE = TypeAdapter(Recipe)


def load_recipe(name_or_path: str) -> Recipe:
    """A shipped recipe by name, or a TOML file by path. Raises TrainingError naming the key at fault."""
    return parse_recipe(read_recipe_file(name_or_path))


def parse_recipe(data: Mapping[str, Any]) -> Recipe:
    """Parsed TOML → recipe; unknown keys and values are refused, so that a misspelt option cannot be ignored."""
    _refuse_unknown(Recipe, data, "recipe")
    for section, cls in _SECTIONS.items():
        _refuse_unknown(cls, data.get(section), section)
    losses = data.get("losses")
    for term in losses if isinstance(losses, list) else ():
        _refuse_unknown(LossTerm, term, "losses")
    try:
        recipe = _RECIPE.validate_python(dict(data))
    except ValidationError as error:
        first = error.errors()[0]
        raise TrainingError(first["msg"], field=".".join(str(part) for part in first["loc"]) or "recipe") from error
    try:
        shape = recipe.steps().shape
    except BundleCorrupt as error:
        raise TrainingError(error.message, field=error.field) from error
    _require_agreement(recipe, shape)
    return recipe


def _require_agreement(recipe: Recipe, shape: tuple[int, ...]) -> None:
    """Network, preprocessing and modality must mean the same kind of sample."""
    modality = recipe.modality
    if _READ[recipe.network] is not modality:
        raise TrainingError(f"the network {recipe.network} does not read a {modality.value}", field="modality")
    if (len(shape) == 2) is not (modality is Modality.SIGNATURE):
        raise TrainingError(f"these steps do not prepare a {modality.value}", field="preprocessing")
    if recipe.mirror and modality is not Modality.FACE:
        raise TrainingError("only faces have a mirror image", field="mirror")
    if recipe.teacher is not None and modality is not Modality.FACE:
        raise TrainingError("a teacher's embeddings are of faces", field="teacher")
    if recipe.batch.forged and modality is not Modality.SIGNATURE:
        raise TrainingError("only signatures have forgeries", field="batch.forged")
    if recipe.batch.forgeries and (modality is not Modality.SIGNATURE or recipe.batch.pairs):
        raise TrainingError("forgeries join P × K batches of signatures alone", field="batch.forgeries")
    if recipe.episodes is not None and recipe.network != "pen_residual":
        raise TrainingError("the network pen_residual, and no other, is trained on episodes", field="episodes")
    if recipe.members > 1 and recipe.network != "pen_residual":
        raise TrainingError(f"the network {recipe.network} has one member", field="members")
    for key, asked in (("matching", recipe.matching), ("compact", recipe.compact)):
        if asked is not None and recipe.network != "pen_residual":
            raise TrainingError(f"this is for the network pen_residual, not {recipe.network}", field=key)
    if (recipe.episodes is None) is not bool(recipe.losses):
        raise TrainingError("a recipe has losses, or episodes, which bring their own", field="losses")
    if recipe.batch.forged + recipe.batch.others >= 1.0:
        raise TrainingError("forged and other pairs leave no genuine ones", field="batch.forged")
    try:
        recipe.given_identity()
    except ValidationError as error:
        raise TrainingError(error.errors()[0]["msg"], field="identity") from error


def _refuse_unknown(cls: type[Any], values: object, where: str) -> None:
    if not isinstance(values, Mapping):
        return  # absent, or of a type that validation names
    known = {entry.name for entry in dataclasses.fields(cls)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise TrainingError(f"unknown key {unknown[0]!r}", field=where, fix=f"known keys: {', '.join(sorted(known))}")
