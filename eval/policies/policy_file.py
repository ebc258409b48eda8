"""policy.json on disk, beside a bundle or sealed into a copy of one."""

from pathlib import Path

from encode.bundle import Bundle, with_policy
from encode.errors import ConfigError, FieldInvalid
from verify.policy import Policy


def save_policy(policy: Policy, path: Path) -> Path:
    """Write `policy` to `path`, its folder made if need be. Raises ConfigError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(policy.to_json())
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}", field="out") from error
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
    try:
        return with_policy(bundle, folder, policy.to_json(), note).path
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror}", field="seal_into") from error
