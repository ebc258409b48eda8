"""A bundle made ready to answer: its encoder, its identity model and its policy, for one modality."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from encode.bundle import open_bundle
from encode.encoder import Encoder
from encode.errors import BundleIncomplete, ConfigError, WrongModality
from encode.manifest import POLICY
from encode.sample import Modality
from enroll.acquisition import SampleEncoder
from enroll.identity import IdentityModel
from enroll.lineup import Lineup
from verify.policy import Policy


@dataclass(frozen=True, slots=True)
class Model:
    """`policy` is None only while the evaluator is still measuring the thresholds; such a model is never served."""

    name: str
    encoder: SampleEncoder
    identity: IdentityModel
    policy: Policy | None

    @property
    def modality(self) -> Modality:
        return self.encoder.modality

    @property
    def model_digest(self) -> str:
        return self.encoder.model_digest

    @property
    def gain(self) -> float:
        """Nats by which adapted references may raise a ratio at most; see :attr:`verify.policy.Policy.gain`."""
        return 0.0 if self.policy is None else self.policy.gain


def model_of(models: Mapping[Modality, Model], modality: Modality) -> Model:
    """The loaded model of a modality. Raises WrongModality."""
    if modality not in models:
        raise WrongModality(
            f"no loaded model reads {modality.value} samples", field="modality", fix="load a model that does"
        )
    return models[modality]


def load_model(path: str | Path, *, threads: int | None = None) -> Model:
    """Open the bundle at `path`; `threads` as for :class:`encode.encoder.Encoder`.

    Raises
    ------
    BundleError : the bundle or its policy cannot be used.
    PolicyMismatch : its policy was made for another model.
    """
    bundle = open_bundle(path)
    policy = None if bundle.policy is None else Policy.from_json(bundle.policy)
    if policy is not None:
        policy.require_model(bundle.model_digest, bundle.manifest.modality)
    encoder = Encoder(bundle, threads=threads)
    return Model(bundle.manifest.name, encoder, IdentityModel.from_bundle(bundle), policy)


def load_models(
    paths: Iterable[str | Path],
    policies: Iterable[Path] = (),
    *,
    retiring: Iterable[str | Path] = (),
    threads: int | None = None,
) -> Lineup[Model]:
    """Models fit to serve, by modality, and those that retire.

    Parameters
    ----------
    policies : policy files that are used in place of those sealed into the bundles, of whichever loaded model.
    retiring : bundles that answer for the people they enrolled, and for nobody new.

    Raises
    ------
    BundleIncomplete : a bundle without a policy: it could compare people, but not decide.
    ConfigError : no bundle at all, two for one modality, a retiring one of a modality without a current one or that is
        named twice, two policies for one model, or a policy file that cannot be read.
    BundleError, PolicyMismatch : as :func:`load_model`, of policy files too.
    """
    given = read_policies(policies)

    def load(path: str | Path) -> Model:
        model = load_model(path, threads=threads)
        return replace(model, policy=given[model.model_digest][1]) if model.model_digest in given else model

    loaded: list[tuple[str | Path, Model]] = []
    current: dict[Modality, Model] = {}
    for path in paths:
        model = load(path)
        if model.modality in current:
            raise ConfigError(
                f"two bundles read {model.modality.value} samples",
                field="models",
                fix="name one bundle per modality; the one that it follows belongs in `retiring`",
            )
        current[model.modality] = model
        loaded.append((path, model))
    if not current:
        raise ConfigError("no model bundle is named", field="models", fix="name a bundle, for example models/face")
    loaded += [(path, load(path)) for path in retiring]
    lineup = Lineup(current, [model for _, model in loaded[len(current) :]])
    for file, policy in given.values():
        _require_loaded(lineup, file, policy)
    for path, model in loaded:
        if model.policy is None:
            raise BundleIncomplete(
                f"the bundle {path} has no policy: there is no threshold to decide by",
                field=POLICY,
                fix="choose its thresholds with `countersign eval policy`, and seal it in or serve with --policy",
            )
    return lineup


def _require_loaded(models: Lineup[Model], file: Path, policy: Policy) -> None:
    """Raise PolicyMismatch or ConfigError unless the policy of `file` is for one of `models`."""
    current = models.get(policy.modality)
    if current is None:
        raise ConfigError(
            f"{file} is for {policy.modality.value} samples, which no loaded model reads",
            field="policies",
            fix="name that model's bundle too, or leave the policy out",
        )
    if all(one.model_digest != policy.model_digest for one in models.all_of(policy.modality)):
        policy.require_model(current.model_digest, current.modality, field=str(file))


def read_policies(paths: Iterable[Path]) -> Mapping[str, tuple[Path, Policy]]:
    """Each model's policy and the file it is from, by the model's digest. Raises ConfigError, BundleCorrupt."""
    found: dict[str, tuple[Path, Policy]] = {}
    for path in paths:
        try:
            policy = Policy.from_json(path.read_bytes(), field=str(path))
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}", field="policies") from error
        if policy.model_digest in found:
            raise ConfigError(
                f"two policies are for {policy.modality.value} samples, and of the same model",
                field="policies",
                fix="name one per model",
            )
        found[policy.model_digest] = path, policy
    return found
