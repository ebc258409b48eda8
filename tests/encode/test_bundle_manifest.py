"""manifest.json: another version, garbage, edited fields and names that lead outside are refused by the field."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from encode.bundle import bundle_digest, open_bundle
from encode.errors import (
    BundleCorrupt,
    BundleDigestMismatch,
    BundleError,
    BundleIncomplete,
    BundleVersionUnsupported,
)
from encode.manifest import (
    CARD,
    MANIFEST,
    Manifest,
    canonical_json,
    sha256_hex,
)

Fields = dict[str, Any]
EditManifest = Callable[[Path, Callable[[Fields], object]], None]


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.update(model_digest="f" * 64),
        lambda fields: fields["identity"].update(strength=1.0),
        lambda fields: fields["identity"]["calibration"].update(offset=5.0),
        lambda fields: fields["preprocessing"][1].update(filter="lanczos"),
        lambda fields: fields["embedding"].update(unit_norm=False),
        lambda fields: fields.update(modality="signature"),
    ],
)
def test_a_manifest_edited_by_hand_is_refused(
    edit_manifest: EditManifest, folder: Path, change: Callable[[Fields], object]
) -> None:
    edit_manifest(folder, change)
    with pytest.raises(BundleDigestMismatch, match="does not follow from the parts") as caught:
        open_bundle(folder)
    assert caught.value.field == f"{MANIFEST}:model_digest"


@pytest.mark.parametrize("version", [0, 2, "1", None, [1]])
def test_another_format_version_is_refused(edit_manifest: EditManifest, folder: Path, version: object) -> None:
    edit_manifest(folder, lambda fields: fields.update(format_version=version, something_new=True))
    with pytest.raises(BundleVersionUnsupported, match="which this release reads") as caught:
        open_bundle(folder)
    assert caught.value.field == f"{MANIFEST}:format_version"


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"{'format_version': 1}", b'{"name": "\\ud800"}']
)
def test_a_manifest_that_is_no_json_is_refused(folder: Path, raw: bytes) -> None:
    (folder / MANIFEST).write_bytes(raw)
    with pytest.raises(BundleCorrupt, match="not valid JSON") as caught:
        open_bundle(folder)
    assert caught.value.field == MANIFEST


@pytest.mark.parametrize("raw", [b"[]", b"1", b"null", b'"manifest"', b"{}"])
def test_json_that_is_no_manifest_is_refused(folder: Path, raw: bytes) -> None:
    (folder / MANIFEST).write_bytes(raw)
    with pytest.raises(BundleVersionUnsupported, match="None"):
        open_bundle(folder)


BAD_FIELDS: dict[str, tuple[Callable[[Fields], object], type[BundleError], str]] = {
    "no embedding": (lambda fields: fields.pop("embedding"), BundleIncomplete, "embedding"),
    "no kind": (lambda fields: fields["identity"].pop("kind"), BundleIncomplete, "identity.kind"),
    "unknown kind": (lambda fields: fields["identity"].update(kind="magic"), BundleCorrupt, "identity.kind"),
    "size 0": (lambda fields: fields["embedding"].update(size=0), BundleCorrupt, "embedding.size"),
    "unknown key": (lambda fields: fields.update(extra=1), BundleCorrupt, "extra"),
    "unknown modality": (lambda fields: fields.update(modality="voice"), BundleCorrupt, "modality"),
    "short digest": (lambda fields: fields["parts"].update({CARD: "ab"}), BundleCorrupt, f"parts.{CARD}"),
    "digest in capitals": (lambda fields: fields.update(model_digest="F" * 64), BundleCorrupt, "model_digest"),
    "scale 0": (
        lambda fields: fields["identity"]["calibration"].update(scale=0.0),
        BundleCorrupt,
        "identity.calibration.scale",
    ),
    "offset NaN": (
        lambda fields: fields["identity"]["calibration"].update(offset=float("nan")),
        BundleCorrupt,
        "identity.calibration.offset",
    ),
    "scale infinite": (
        lambda fields: fields["identity"]["calibration"].update(scale=float("inf")),
        BundleCorrupt,
        "identity.calibration.scale",
    ),
}


@pytest.mark.parametrize("name", BAD_FIELDS)
def test_a_bad_field_of_the_manifest_is_named(edit_manifest: EditManifest, folder: Path, name: str) -> None:
    change, kind, field = BAD_FIELDS[name]
    edit_manifest(folder, change)
    with pytest.raises(kind) as caught:
        open_bundle(folder)
    assert caught.value.field == f"{MANIFEST}:{field}"


@pytest.mark.parametrize("name", ["../outside", "sub/part", "/etc/hostname", "a\0b"])
def test_a_part_outside_the_folder_is_refused(edit_manifest: EditManifest, folder: Path, name: str) -> None:
    (folder.parent / "outside").write_bytes(b"secret")
    edit_manifest(folder, lambda fields: fields["parts"].update({name: sha256_hex(b"secret")}))
    with pytest.raises(BundleCorrupt, match="plain file name"):
        open_bundle(folder)


@pytest.mark.parametrize("name", ["", ".", "..", "absent.bin"])
def test_a_part_that_is_no_file_is_refused(edit_manifest: EditManifest, folder: Path, name: str) -> None:
    edit_manifest(folder, lambda fields: fields["parts"].update({name: "0" * 64}))
    with pytest.raises(BundleError):
        open_bundle(folder)


def test_bad_preprocessing_is_named(edit_manifest: EditManifest, folder: Path) -> None:
    def change(fields: Fields) -> None:
        fields["preprocessing"][1]["filter"] = "magic"
        fields["model_digest"] = bundle_digest(Manifest.model_validate(fields), fields["parts"])

    edit_manifest(folder, change)
    with pytest.raises(BundleCorrupt) as caught:
        open_bundle(folder)
    assert caught.value.field == "preprocessing.1.resize.filter"


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.update(name="another"),
        lambda fields: fields.update(created="1999-01-01"),
        lambda fields: fields["recipe"].update(epochs=1),
        lambda fields: fields.update(
            corpora=[{"name": "another", "digest": "0", "people": 1, "samples": 1, "role": "training"}]
        ),
        lambda fields: fields.update(manifest_digest="0" * 64),
        lambda fields: fields["identity"].update(strength=1.0),
    ],
)
def test_what_the_model_digest_leaves_out_cannot_be_edited_either(
    folder: Path, change: Callable[[Fields], object]
) -> None:
    fields = json.loads((folder / MANIFEST).read_bytes())
    (folder / MANIFEST).write_text(json.dumps(fields))
    open_bundle(folder)  # the same content in another layout
    change(fields)
    (folder / MANIFEST).write_text(json.dumps(fields))
    with pytest.raises(BundleDigestMismatch, match="manifest is not what was sealed") as caught:
        open_bundle(folder)
    assert caught.value.field == MANIFEST


def test_a_manifest_without_its_own_digest_is_refused(folder: Path) -> None:
    fields = json.loads((folder / MANIFEST).read_bytes())
    del fields["manifest_digest"]
    (folder / MANIFEST).write_text(json.dumps(fields))
    with pytest.raises(BundleIncomplete, match="no digest of its own") as caught:
        open_bundle(folder)
    assert caught.value.field == MANIFEST


def test_canonical_json_does_not_depend_on_order() -> None:
    assert canonical_json({"b": [1, 2], "a": "é"}) == canonical_json({"a": "é", "b": [1, 2]})
    assert canonical_json({"a": "é"}) == '{"a":"é"}'.encode()
