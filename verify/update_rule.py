"""The rule by which a collection's templates learn, from its settings and the policies of the loaded models.

Each modality has its own: the row of the collection's `update_target_far` in the policy of that modality's model, or
the strictest row there is. Claims teach something only where it is strictly smaller than the target FAR they were
accepted at.
"""

from collections.abc import Iterable
from datetime import timedelta

from encode.bundle import open_bundle
from encode.errors import TargetFarUnavailable
from enroll.adaptation import UpdateRule
from enroll.stores.collection import CollectionSettings
from verify.model import read_policies
from verify.policy import Policy, PolicyRow, find_row
from verify.settings import ServiceSettings


def update_row(policy: Policy, settings: CollectionSettings) -> PolicyRow | None:
    """The row that a probe must meet to be learned from, or None if the policy has none that is not its largest."""
    far = settings.update_target_far
    row = policy.table[-1] if far is None else find_row(policy.table, far)
    return None if row is None or row.target_far >= policy.table[0].target_far else row


def update_rule(policy: Policy, settings: CollectionSettings, accepted_at: float | None = None) -> UpdateRule | None:
    """The rule for probes of claims accepted at the target FAR `accepted_at`; None: nothing is learned from them.

    Without `accepted_at` it is the rule for what is in quarantine already.
    """
    row = update_row(policy, settings)
    if row is None or (accepted_at is not None and row.target_far >= accepted_at):
        return None
    return UpdateRule(row.threshold, timedelta(hours=settings.quarantine_hours), settings.max_drift)


def require_update_rows(policies: Iterable[Policy], collection: str, settings: CollectionSettings) -> list[Policy]:
    """The policies whose models' templates never learn under these settings, though the collection adapts.

    Raises
    ------
    TargetFarUnavailable : they are all of them; the error lists the rows there are.
    """
    listed = list(policies)
    if not settings.adapt:
        return []
    without = [policy for policy in listed if update_row(policy, settings) is None]
    if len(without) == len(listed):
        far = settings.update_target_far
        wanted = "smaller than another of its table" if far is None else f"of {far:g} below another of its table"
        rows = "; ".join(
            f"{policy.modality.value}: {', '.join(f'{one:g}' for one in policy.target_fars)}" for policy in listed
        )
        raise TargetFarUnavailable(
            f"the collection {collection} is to adapt its templates, and no policy has a target FAR {wanted}",
            field="update_target_far",
            fix=f"choose one smaller than claims are accepted at ({rows}), or do not adapt the collection",
        )
    return without


def served_policies(settings: ServiceSettings) -> list[Policy]:
    """The policies that a service of these settings decides by, read without its encoders.

    Raises
    ------
    BundleError, ConfigError : a bundle or a policy file cannot be read.
    """
    given = read_policies(settings.policies)
    found: list[Policy] = []
    for path in (*settings.models, *settings.retiring):
        bundle = open_bundle(path)
        if bundle.model_digest in given:
            found.append(given[bundle.model_digest][1])
        elif bundle.policy is not None:
            found.append(Policy.from_json(bundle.policy))
    return found
