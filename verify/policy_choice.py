"""Which policy decides: always the one for exactly the modalities that the decision rests on.

A modality that is missing is never counted as a ratio of 0 under the policy for both: that threshold may lie below the
other modality's own, because a genuine second ratio usually helps. Leaving one out would then help an impostor.
"""

from collections.abc import Collection, Mapping

from encode.errors import TargetFarUnavailable
from encode.sample import Modality
from verify.fused_policy import FusedPolicy, fuse
from verify.model import Model, model_of
from verify.policy import Policy


class PolicyChoice:
    """The policies of the loaded models and those fused of them; safe to use from several threads at once."""

    def __init__(self, models: Mapping[Modality, Model]) -> None:
        self._models = models
        # By the digests of the models, whichever of them are current. Two threads that ask for the first time at once
        # compute the same policy.
        self._fused: dict[frozenset[str], FusedPolicy] = {}

    def of(self, modalities: Collection[Modality]) -> Policy | FusedPolicy:
        """The policy for a decision on these modalities, at least one, by the current models.

        Raises
        ------
        WrongModality : no loaded model reads one of them.
        TargetFarUnavailable : a model has no policy, or the policies cannot be fused.
        """
        return self.of_models([model_of(self._models, modality) for modality in sorted(set(modalities))])

    def of_models(self, models: Collection[Model]) -> Policy | FusedPolicy:
        """The policy for a decision by these models, at least one and one a modality, current or retiring.

        Raises
        ------
        TargetFarUnavailable : a model has no policy, or the policies cannot be fused.
        """
        policies = [_measured(model) for model in models]
        if len(policies) == 1:
            return policies[0]
        digests = frozenset(model.model_digest for model in models)
        if digests not in self._fused:
            first, second = policies
            self._fused[digests] = fuse(first, second)
        return self._fused[digests]


def _measured(model: Model) -> Policy:
    if model.policy is None:
        raise TargetFarUnavailable(
            f"no policy was measured for the {model.modality.value} model",
            field="samples",
            fix="choose its thresholds with `countersign eval policy` and seal the policy in",
        )
    return model.policy
