"""A sealed bundle opens as it was sealed; a part that is missing or was changed is refused by its name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from encode.bundle import Bundle, open_bundle
from encode.errors import (
    BundleDigestMismatch,
    BundleIncomplete,
)
from encode.manifest import (
    BACKGROUND,
    CARD,
    ENCODER,
    MANIFEST,
    POLICY,
    CalibrationSpec,
    EmbeddingSpec,
    IdentitySpec,
    sha256_hex,
)
from encode.sample import Modality

SealTiny = Callable[..., Bundle]
Fields = dict[str, Any]
EditManifest = Callable[[Path, Callable[[Fields], object]], None]
Arrays = dict[str, NDArray[Any]]

SIZE = 6


def test_what_was_sealed_is_what_opens(plain_background: Arrays, sealed: Path) -> None:
    bundle = open_bundle(str(sealed))
    assert bundle.path == sealed
    assert bundle.manifest.name == "tiny"
    assert bundle.manifest.modality is Modality.FACE
    assert bundle.encoder == (sealed / ENCODER).read_bytes()
    assert bundle.policy == b"{}"
    assert bundle.preprocessing.shape == (1, 10, 8)
    assert bundle.model_digest == bundle.manifest.model_digest
    assert {name: array.dtype for name, array in bundle.background.items()} == dict.fromkeys(
        plain_background, np.float64
    )
    for name, array in plain_background.items():
        np.testing.assert_array_equal(bundle.background[name], array)


def test_the_manifest_seals_every_part(sealed: Path) -> None:
    parts = json.loads((sealed / MANIFEST).read_bytes())["parts"]
    assert set(parts) == {ENCODER, BACKGROUND, CARD, POLICY}
    assert all(parts[name] == sha256_hex((sealed / name).read_bytes()) for name in parts)


def test_sealing_twice_gives_the_same_bytes(plain_background: Arrays, seal_tiny: SealTiny, tmp_path: Path) -> None:
    """No clock and no path gets into a bundle: two people who seal the same model get the same digest."""
    first, second = (
        seal_tiny(tmp_path / "a", background=plain_background),
        seal_tiny(tmp_path / "b", background=plain_background),
    )
    assert first.model_digest == second.model_digest
    for name in (MANIFEST, BACKGROUND, ENCODER, CARD):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


SAME_MODEL: dict[str, Fields] = {
    "another card": {"card": "# Another\n"},
    "a policy": {"policy": b'{"a": 1}'},
    "another name": {"name": "other"},
    "another date": {"created": "2026-01-01"},
    "another recipe": {"recipe": {"name": "x", "seed": 3}},
}
OTHER_MODEL: dict[str, Fields] = {
    "another background": {"background": {"mean": np.ones(SIZE), "total": np.eye(SIZE), "within": 0.1 * np.eye(SIZE)}},
    "another identity kind": {"identity": IdentitySpec(kind="pooled")},
    "another calibration": {"identity": IdentitySpec(kind="map", calibration=CalibrationSpec(scale=2.0))},
    "another embedding": {"embedding": EmbeddingSpec(size=SIZE, unit_norm=False)},
    "another modality": {"modality": Modality.SIGNATURE},
    "other preprocessing": {
        "preprocessing": [
            {"step": "colour", "mode": "L"},
            {"step": "resize", "height": 10, "width": 8, "filter": "bilinear"},
            {"step": "scale"},
        ]
    },
}


@pytest.mark.parametrize("name", SAME_MODEL)
def test_what_decides_no_score_keeps_the_model_digest(seal_tiny: SealTiny, tmp_path: Path, name: str) -> None:
    plain = seal_tiny(tmp_path / "plain").model_digest
    assert seal_tiny(tmp_path / "changed", **SAME_MODEL[name]).model_digest == plain


@pytest.mark.parametrize("name", OTHER_MODEL)
def test_what_decides_a_score_changes_the_model_digest(seal_tiny: SealTiny, tmp_path: Path, name: str) -> None:
    plain = seal_tiny(tmp_path / "plain").model_digest
    assert seal_tiny(tmp_path / "changed", **OTHER_MODEL[name]).model_digest != plain


def test_another_encoder_changes_the_model_digest(
    seal_tiny: SealTiny, tiny_network: Callable[..., bytes], tmp_path: Path
) -> None:
    plain = seal_tiny(tmp_path / "plain").model_digest
    assert seal_tiny(tmp_path / "changed", encoder=tiny_network(seed=1)).model_digest != plain


def test_sealing_without_a_policy_takes_the_old_one_away(seal_tiny: SealTiny, tmp_path: Path) -> None:
    seal_tiny(tmp_path / "b", policy=b"{}")
    assert seal_tiny(tmp_path / "b").policy is None
    assert not (tmp_path / "b" / POLICY).exists()


@pytest.mark.parametrize("part", [ENCODER, BACKGROUND, CARD, POLICY])
@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-1], lambda data: data + b"\n", lambda data: b"", lambda data: bytes([data[0] ^ 1]) + data[1:]],
    ids=["shortened", "lengthened", "emptied", "one bit flipped"],
)
def test_a_part_that_changed_is_named(folder: Path, part: str, damage: Callable[[bytes], bytes]) -> None:
    (folder / part).write_bytes(damage((folder / part).read_bytes()))
    with pytest.raises(BundleDigestMismatch, match="not what the manifest sealed") as caught:
        open_bundle(folder)
    assert caught.value.field == part


@pytest.mark.parametrize("part", [MANIFEST, ENCODER, BACKGROUND, CARD, POLICY])
def test_a_missing_part_is_named(folder: Path, part: str) -> None:
    (folder / part).unlink()
    with pytest.raises(BundleIncomplete, match="No such file") as caught:
        open_bundle(folder)
    assert caught.value.field == part


def test_a_missing_folder_and_a_file_are_no_bundles(folder: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "absent", folder / ENCODER):
        with pytest.raises(BundleIncomplete) as caught:
            open_bundle(path)
        assert caught.value.field == MANIFEST


def test_a_folder_in_a_parts_place_is_refused(folder: Path) -> None:
    (folder / CARD).unlink()
    (folder / CARD).mkdir()
    with pytest.raises(BundleIncomplete) as caught:
        open_bundle(folder)
    assert caught.value.field == CARD


def test_a_policy_that_nobody_sealed_is_refused(seal_tiny: SealTiny, tmp_path: Path) -> None:
    seal_tiny(tmp_path / "b")
    (tmp_path / "b" / POLICY).write_bytes(b"{}")
    with pytest.raises(BundleDigestMismatch, match="not sealed") as caught:
        open_bundle(tmp_path / "b")
    assert caught.value.field == POLICY


def test_a_manifest_that_seals_no_card_is_refused(edit_manifest: EditManifest, folder: Path) -> None:
    edit_manifest(folder, lambda fields: fields["parts"].pop(CARD))
    with pytest.raises(BundleIncomplete, match="seals no digest") as caught:
        open_bundle(folder)
    assert caught.value.field == f"{MANIFEST}:parts.{CARD}"


def test_a_write_cut_short_leaves_a_bundle_that_is_refused(
    plain_background: Arrays, seal_tiny: SealTiny, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest goes last: with the new parts and the old manifest nothing opens."""
    write = Path.write_bytes

    def fail_at_the_manifest(path: Path, data: bytes) -> int:
        if path.name == MANIFEST:
            raise OSError("no space left")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fail_at_the_manifest)
    with pytest.raises(OSError, match="no space"):
        seal_tiny(folder, background=plain_background | {"mean": np.ones(SIZE)}, policy=b"{}")
    monkeypatch.undo()
    with pytest.raises(BundleDigestMismatch):
        open_bundle(folder)
