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
    paths: Iterable[str | Path], policies: Iterable[Path] = (), *, threads: int | None = None
) -> Mapping[Modality, Model]:
    """Models fit to serve, by modality.

    Parameters
    ----------
    policies : policy files that are used in place of those sealed into the bundles.

    Raises
    ------
    BundleIncomplete : a bundle without a policy: it could compare people, but not decide.
    ConfigError : no bundle at all, two or two policies for one modality, or a policy file that cannot be read.
    BundleError, PolicyMismatch : as :func:`load_model`, of policy files too.
    """
    given = _read_policies(policies)
    models: dict[Modality, Model] = {}
    for path in paths:
        model = load_model(path, threads=threads)
        if model.modality in given:
            file, policy = given[model.modality]
            policy.require_model(model.model_digest, model.modality, field=str(file))
            model = replace(model, policy=policy)
        if model.policy is None:
            raise BundleIncomplete(
                f"the bundle {path} has no policy: there is no threshold to decide by",
                field=POLICY,
                fix="choose its thresholds with `countersign eval policy`, and seal it in or serve with --policy",
            )
        if model.modality in models:
            raise ConfigError(
                f"two bundles read {model.modality.value} samples", field="models", fix="name one bundle per modality"
            )
        models[model.modality] = model
    if not models:
        raise ConfigError("no model bundle is named", field="models", fix="name a bundle, for example models/face")
    for modality, (file, _) in given.items():
        if modality not in models:
            raise ConfigError(
                f"{file} is for {modality.value} samples, which no loaded model reads",
                field="policies",
                fix="name that model's bundle too, or leave the policy out",
            )
    return models


def _read_policies(paths: Iterable[Path]) -> Mapping[Modality, tuple[Path, Policy]]:
    """Each modality's policy and the file it is from."""
    found: dict[Modality, tuple[Path, Policy]] = {}
    for path in paths:
        try:
            policy = Policy.from_json(path.read_bytes(), field=str(path))
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}", field="policies") from error
        if policy.modality in found:
            raise ConfigError(
                f"two policies are for {policy.modality.value} samples", field="policies", fix="name one per modality"
            )
        found[policy.modality] = path, policy
    return found
