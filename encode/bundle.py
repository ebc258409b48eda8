"""A sealed bundle: a folder holding one encoder and all that is needed to use and judge it.

    encoder.onnx      image or stroke tensor → embedding
    manifest.json     preprocessing, sizes, identity model, corpora, recipe, SHA-256 of every other part
    background.npz    the impostor density and within-class covariance (plain arrays, never pickle)
    policy.json       target FAR → threshold (optional until the evaluator has written it)
    MODEL_CARD.md     what it was trained on, how well it does, what it must not be used for

A bundle is the only thing that crosses from training to serving. Opening one checks every digest first.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from encode.errors import (
    BundleCorrupt,
    BundleDigestMismatch,
    BundleIncomplete,
    BundleShapeMismatch,
    BundleVersionUnsupported,
)
from encode.manifest import (
    BACKGROUND,
    CARD,
    ENCODER,
    FORMAT_VERSION,
    MANIFEST,
    POLICY,
    REQUIRED_PARTS,
    Manifest,
    canonical_json,
    model_digest,
    sha256_hex,
)
from encode.preprocessing import Preprocessing
from encode.stroke_preprocessing import StrokePreprocessing, read_preprocessing

_MAX_PART_BYTES = 1 << 30

# How zipfile, zlib and numpy say that an archive or an array in it is damaged, encrypted or larger than memory.
_NOT_ARRAYS = (
    ValueError,
    OSError,
    EOFError,
    KeyError,
    TypeError,
    RuntimeError,
    MemoryError,
    zlib.error,
    zipfile.BadZipFile,
)


@dataclass(frozen=True)
class Bundle:
    """An opened bundle whose digests agree.

    Attributes
    ----------
    preprocessing : of images, or of strokes.
    background : name → float64 array, among them `mean` (D,), `total` (D, D) and `within` (D, D), where D is the
        manifest's `embedding.vector_size`.
    policy : the bytes of policy.json, or None where none has been sealed in.
    """

    path: Path
    manifest: Manifest
    preprocessing: Preprocessing | StrokePreprocessing
    encoder: bytes
    background: Mapping[str, NDArray[np.float64]]
    policy: bytes | None

    @property
    def model_digest(self) -> str:
        """64 hex digits: what templates and policies made with this bundle are bound to."""
        return self.manifest.model_digest


def open_bundle(path: str | Path) -> Bundle:
    """Read a bundle and check it whole.

    Raises
    ------
    BundleIncomplete, BundleDigestMismatch, BundleVersionUnsupported, BundleShapeMismatch, BundleCorrupt, each naming
    the part at fault in `field`.
    """
    folder = Path(path)
    raw = _read(folder, MANIFEST)
    manifest = _parse_manifest(raw)
    if manifest.manifest_digest is None:
        raise BundleIncomplete(
            "the manifest carries no digest of its own", field=MANIFEST, fix="export the bundle again"
        )
    if manifest.manifest_digest != manifest.own_digest():
        raise BundleDigestMismatch(
            "the manifest is not what was sealed",
            field=MANIFEST,
            fix="restore the bundle from where it was published; do not edit its parts by hand",
        )
    parts = {name: _read(folder, name) for name in sorted({*REQUIRED_PARTS, *manifest.parts})}
    for name, data in parts.items():
        if name not in manifest.parts:
            raise BundleIncomplete("the manifest seals no digest for this part", field=f"{MANIFEST}:parts.{name}")
        if sha256_hex(data) != manifest.parts[name]:
            raise BundleDigestMismatch(
                "the content is not what the manifest sealed",
                field=name,
                fix="restore the bundle from where it was published; do not edit its parts by hand",
            )
    if (folder / POLICY).exists() and POLICY not in parts:
        raise BundleDigestMismatch("the policy is not sealed by the manifest", field=POLICY, fix="seal it again")
    if bundle_digest(manifest, manifest.parts) != manifest.model_digest:
        raise BundleDigestMismatch(
            "model_digest does not follow from the parts", field=f"{MANIFEST}:model_digest", fix="seal the bundle again"
        )
    background = _parse_background(parts[BACKGROUND], manifest.embedding.vector_size)
    return Bundle(
        path=folder,
        manifest=manifest,
        preprocessing=read_preprocessing(manifest.preprocessing, manifest.modality),
        encoder=parts[ENCODER],
        background=background,
        policy=parts.get(POLICY),
    )


def seal_bundle(
    folder: str | Path,
    *,
    manifest: Manifest,
    encoder: bytes,
    background: Mapping[str, NDArray[np.float64]],
    card: str,
    policy: bytes | None = None,
) -> Bundle:
    """Write a bundle, filling in digests, and open it again.

    `manifest.parts` and `manifest.model_digest` are computed here; what they held before is ignored.
    """
    folder = Path(folder)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(background))
    parts = {ENCODER: encoder, BACKGROUND: buffer.getvalue(), CARD: card.encode()}
    if policy is not None:
        parts[POLICY] = policy
    else:
        (folder / POLICY).unlink(missing_ok=True)
    digests = {name: sha256_hex(data) for name, data in parts.items()}
    sealed = manifest.model_copy(
        update={
            "format_version": FORMAT_VERSION,
            "parts": digests,
            "model_digest": bundle_digest(manifest, digests),
        }
    )
    return _write(folder, sealed, parts)


def with_policy(bundle: Bundle, folder: str | Path, policy: bytes, note: str) -> Bundle:
    """A copy of `bundle` in `folder` with `policy` sealed in; the model digest, and so every template, stays valid.

    `note` is added to the model card, which may still tell of the thresholds that were.
    """
    parts = {name: _read(bundle.path, name) for name in bundle.manifest.parts if name != POLICY} | {POLICY: policy}
    parts[CARD] += f"\n## Thresholds replaced\n\n{note}\n".encode()
    digests = {name: sha256_hex(data) for name, data in parts.items()}
    return _write(Path(folder), bundle.manifest.model_copy(update={"parts": digests}), parts)


def _write(folder: Path, manifest: Manifest, parts: Mapping[str, bytes]) -> Bundle:
    """The manifest last: a write cut short leaves a bundle that is refused, not one that is half new."""
    manifest = manifest.model_copy(update={"manifest_digest": manifest.own_digest()})
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in parts.items():
        (folder / name).write_bytes(data)
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_bytes(text.encode())
    return open_bundle(folder)


def bundle_digest(manifest: Manifest, parts: Mapping[str, str]) -> str:
    """The model digest that `manifest` gets with these part digests."""
    return model_digest(
        modality=manifest.modality,
        preprocessing=manifest.preprocessing,
        embedding=manifest.embedding,
        identity=manifest.identity,
        parts=parts,
        network=manifest.network,
    )


def _read(folder: Path, name: str) -> bytes:
    part = folder / name
    if Path(name).name != name or "\0" in name:
        raise BundleCorrupt("a part's name must be a plain file name", field=f"{MANIFEST}:parts.{name}")
    try:
        if part.stat().st_size > _MAX_PART_BYTES:
            raise BundleCorrupt("the part is larger than 1 GiB", field=name)
        return part.read_bytes()
    except OSError as error:
        raise BundleIncomplete(
            f"the part cannot be read from {folder.name or folder}: {error.strerror}",
            field=name,
            fix="point to the folder of a sealed bundle, for example models/face",
        ) from error


def _parse_manifest(raw: bytes) -> Manifest:
    try:
        fields = json.loads(raw)
        canonical_json(fields)  # an escape may stand for half a character, which no digest can be taken of
    except (ValueError, RecursionError) as error:
        raise BundleCorrupt("not valid JSON", field=MANIFEST) from error
    version = fields.get("format_version") if isinstance(fields, dict) else None
    if version != FORMAT_VERSION:
        raise BundleVersionUnsupported(
            f"bundle format {version!r} is not format {FORMAT_VERSION}, which this release reads",
            field=f"{MANIFEST}:format_version",
            fix="use the release that wrote the bundle, or export it again",
        )
    try:
        return Manifest.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        kind = BundleIncomplete if first["type"] == "missing" else BundleCorrupt
        raise kind(first["msg"], field=f"{MANIFEST}:{where}") from error


def _parse_background(raw: bytes, size: int) -> dict[str, NDArray[np.float64]]:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as members:
            unpacked = sum(member.file_size for member in members.infolist())
        if unpacked > _MAX_PART_BYTES:
            raise BundleCorrupt("the arrays unpack to more than 1 GiB", field=BACKGROUND)
        with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
            arrays = {name: _real(archive[name]) for name in archive.files}
    except _NOT_ARRAYS as error:
        raise BundleCorrupt("not an archive of plain arrays", field=BACKGROUND) from error
    for name, shape in {"mean": (size,), "total": (size, size), "within": (size, size)}.items():
        if name not in arrays:
            raise BundleIncomplete(f"array {name!r} is missing", field=BACKGROUND)
        if arrays[name].shape != shape:
            raise BundleShapeMismatch(
                f"array {name!r} has shape {arrays[name].shape}, the embedding size asks for {shape}", field=BACKGROUND
            )
        if not np.isfinite(arrays[name]).all():
            raise BundleCorrupt(f"array {name!r} holds values that are not finite", field=BACKGROUND)
    return arrays


def _real(array: NDArray[np.generic]) -> NDArray[np.float64]:
    if array.dtype.kind not in "fiu":
        raise TypeError("not an array of real numbers")
    return array.astype(np.float64)
