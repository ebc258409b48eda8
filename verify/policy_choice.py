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
        # Two threads that ask for the first time at once compute the same policy.
        self._fused: dict[frozenset[Modality], FusedPolicy] = {}

    def of(self, modalities: Collection[Modality]) -> Policy | FusedPolicy:
        """The policy for a decision on these modalities, at least one.

        Raises
        ------
        WrongModality : no loaded model reads one of them.
        TargetFarUnavailable : a model has no policy, or the policies cannot be fused.
        """
        policies = [self._measured(modality) for modality in sorted(set(modalities))]
        if len(policies) == 1:
            return policies[0]
        wanted = frozenset(modalities)
        if wanted not in self._fused:
            first, second = policies
            self._fused[wanted] = fuse(first, second)
        return self._fused[wanted]

    def _measured(self, modality: Modality) -> Policy:
        policy = model_of(self._models, modality).policy
        if policy is None:
            raise TargetFarUnavailable(
                f"no policy was measured for the {modality.value} model",
                field="samples",
                fix="choose its thresholds with `countersign eval policy` and seal the policy in",
            )
        return policy
