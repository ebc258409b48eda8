"""The frozen encoder that is adapted: a sealed bundle, ours or imported, or an ONNX file with its preprocessing."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from encode.bundle import Bundle, open_bundle
from encode.encoder import Encoder
from encode.errors import TrainingError
from encode.manifest import CalibrationSpec, IdentitySpec, Manifest
from eval.corpora.corpus import Corpus
from train.foreign import read_foreign
from train.foreign_spec import read_foreign_spec
from train.identity_choice import Candidate, given_candidates
from train.sealing import bare_encoder


@dataclass(frozen=True)
class Source:
    """What is adapted.

    Attributes
    ----------
    manifest : the bundle's, or what a bundle of the file would have.
    data : the ONNX file.
    encode : runs it.
    bundle : None for a bare file, which has no background of its own to be held against.
    """

    manifest: Manifest
    data: bytes
    encode: Encoder
    bundle: Bundle | None

    @property
    def vector(self) -> int:
        """How many values of a row are the embedding."""
        return self.manifest.embedding.vector_size

    def trained_on(self, corpora: Iterable[Corpus]) -> tuple[str, ...]:
        """Names of those whose people trained the encoder, as far as its manifest tells: on them it looks too good."""
        roles = self.manifest.roles
        return tuple(corpus.name for corpus in corpora if roles.get(corpus.digest) == "training")

    def candidates(self) -> list[Candidate]:
        """The identity models to choose from: the bundle's kind, with the shrinkages worth comparing.

        A small corpus cannot choose among kinds. The weights of frame matching are kept; where they leave the density
        out, no shrinkage changes a score, and there is one candidate.
        """
        kept = self.manifest.identity if self.bundle is not None else IdentitySpec(kind="map")
        uncalibrated = kept.model_copy(update={"calibration": CalibrationSpec()})
        if kept.matching is not None and "gaussian" not in kept.matching.weights:
            return [Candidate(uncalibrated, 0.5, 0.5)]
        return given_candidates(uncalibrated)


def open_source(path: Path, preprocessing: Path | None) -> Source:
    """The encoder at `path`. Raises BundleError kinds, TrainingError."""
    if path.suffix != ".onnx":
        if preprocessing is not None:
            raise TrainingError("a bundle brings its own preprocessing", field="preprocessing", fix="leave it out")
        bundle = open_bundle(path)
        return Source(bundle.manifest, bundle.encoder, Encoder(bundle), bundle)
    if preprocessing is None:
        raise TrainingError(
            "a bare ONNX file does not tell what it reads",
            field="preprocessing",
            fix="give --preprocessing FILE, see docs/bring-your-own-encoder.md",
        )
    foreign = read_foreign(path, read_foreign_spec(preprocessing))
    manifest = foreign.manifest(path.stem)
    return Source(manifest, foreign.data, bare_encoder(manifest, foreign.data), None)
