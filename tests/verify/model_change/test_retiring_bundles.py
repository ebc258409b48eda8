"""Which bundles and policies can be loaded side by side."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from encode.errors import BundleIncomplete, ConfigError, PolicyMismatch
from encode.sample import Modality
from verify.model import Model, load_models
from verify.policy import Policy

Seal = Callable[..., Path]


@pytest.mark.parametrize(
    ("current", "retiring", "told"),
    [
        (["face"], ["old signature"], "a signature model retires"),
        (["face"], ["face"], "is named twice"),
        (["face"], ["old face", "old face"], "is named twice"),
        (["face", "old face"], [], "two bundles read face samples"),
        ([], ["old face"], "no model bundle is named"),
    ],
)
def test_bundles_that_do_not_go_together_are_refused_at_the_start(
    folders: Mapping[str, Path], current: list[str], retiring: list[str], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        load_models([folders[one] for one in current], retiring=[folders[one] for one in retiring], threads=1)


def test_a_retiring_bundle_needs_a_policy_too(seal: Seal, folders: Mapping[str, Path], tmp_path: Path) -> None:
    with pytest.raises(BundleIncomplete, match="bare has no policy"):
        load_models([folders["face"]], retiring=[seal(tmp_path / "bare", policy=None, seed=5)], threads=1)


def test_policy_files_are_for_whichever_loaded_model_they_name(
    folders: Mapping[str, Path], loaded: Mapping[str, Model], make_policy: Callable[..., Policy], tmp_path: Path
) -> None:
    def written(name: str, digest: str) -> Path:
        path = tmp_path / name
        path.write_bytes(make_policy(digest, corpus={"name": name, "digest": "c" * 64, "people": 30}).to_json())
        return path

    ours = [written(name, loaded[name].model_digest) for name in ("face", "old face")]
    models = load_models([folders["face"]], ours, retiring=[folders["old face"]], threads=1)
    policies = [model.policy for model in models.all_of(Modality.FACE)]
    assert [policy.corpus.name for policy in policies if policy is not None] == ["face", "old face"]
    foreign = written("foreign", loaded["older face"].model_digest)
    with pytest.raises(PolicyMismatch, match=f"not for the face model {loaded['face'].model_digest[:12]}"):
        load_models([folders["face"]], [*ours, foreign], retiring=[folders["old face"]], threads=1)
