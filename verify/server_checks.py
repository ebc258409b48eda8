"""What an operator should hear at the start: that some calls will be refused, or some templates never adapt."""

from collections.abc import Mapping
from itertools import product

from encode.errors import TargetFarUnavailable
from encode.sample import Modality
from enroll.lineup import Lineup
from enroll.stores.store import TemplateStore
from verify.logging import get_logger
from verify.model import Model
from verify.policy_choice import PolicyChoice
from verify.update_rule import require_update_rows


def tell_whether_fused(models: Mapping[Modality, Model]) -> None:
    """Warn the operator now if calls that carry several modalities are going to be refused."""
    lineup = Lineup.of(models)
    policies = PolicyChoice(models)
    for together in product(*(lineup.all_of(modality) for modality in sorted(lineup))):
        try:
            policies.of_models(together)
        except TargetFarUnavailable as error:
            get_logger().warning(
                "not_fused",
                modalities=sorted(lineup),
                models=[model.model_digest for model in together],
                why=error.message,
                advice=error.fix,
            )


def tell_whether_adaptable(models: Lineup[Model], store: TemplateStore) -> None:
    """Warn the operator of models whose templates never learn in a collection that adapts. Raises StoreError.

    `countersign collection set` refuses such settings; with another bundle they may come true all the same. Not to
    learn is safe, not to start is not.
    """
    policies = [model.policy for model in (*models.values(), *models.retiring) if model.policy is not None]
    for collection, settings in store.configured().items():
        try:
            without = require_update_rows(policies, collection, settings)
        except TargetFarUnavailable as error:
            get_logger().warning("never_adapts", collection=collection, why=error.message, advice=error.fix)
        else:
            for policy in without:
                get_logger().warning(
                    "never_adapts", collection=collection, modality=policy.modality.value, model=policy.model_digest
                )
