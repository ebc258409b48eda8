"""policy.json on disk, beside a bundle or sealed into a copy of one."""

from pathlib import Path

from encode.bundle import Bundle, with_policy
from encode.errors import FieldInvalid
from eval.files.writing import writing
from verify.policy import Policy


def save_policy(policy: Policy, path: Path) -> Path:
    """Write `policy` to `path`, its folder made if need be. Raises ConfigError if it cannot be written."""
    with writing(path.parent, str(path)):
        path.write_bytes(policy.to_json())
    return path


def seal_policy(bundle: Bundle, policy: Policy, folder: Path) -> Path:
    """Write a copy of `bundle` with `policy` sealed in, and a note in its model card.

    Raises PolicyMismatch if the policy is another model's, FieldInvalid for the folder of `bundle` itself, ConfigError
    if the copy cannot be written.
    """
    if folder.resolve() == bundle.path.resolve():
        raise FieldInvalid("that is the bundle itself", field="seal_into", fix="name another folder for the copy")
    policy.require_model(bundle.model_digest, bundle.manifest.modality)
    note = (
        f"Those in force are in policy.json, set on {policy.corpus.people} people of {policy.corpus.name} "
        f"({policy.impostor} impostors). Any thresholds stated above are no longer used."
    )
    with writing(folder, str(folder), field="seal_into"):
        return with_policy(bundle, folder, policy.to_json(), note).path
