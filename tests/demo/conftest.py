"""Small real bundles for synthetic people: linear discriminants of some of them, sealed with a policy."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from encode.bundle import Bundle, seal_bundle
from encode.manifest import EmbeddingSpec, IdentitySpec, Manifest
from encode.preprocessing import Preprocessing
from encode.sample import Modality
from encode.stroke_preprocessing import StrokePreprocessing
from encode.strokes import read_strokes
from eval.corpora.corpus import Corpus
from eval.policies.development_policy import development_policy
from eval.synthetic.faces import FaceGenerator, read_people, write_people
from eval.synthetic.signers import Signer
from eval.synthetic.signers_corpus import read_signers, write_signers

ROOT = Path(__file__).resolve().parents[2]
SIZE = 12
STEPS: dict[Modality, list[dict[str, Any]]] = {
    Modality.FACE: [
        {"step": "colour", "mode": "L"},
        {"step": "resize", "height": 20, "width": 16, "filter": "box"},
        {"step": "scale", "per_image": True},
    ],
    Modality.SIGNATURE: [
        {"step": "bromley1993", "points": 60, "features": ["x", "y", "speed", "cos_direction", "sin_direction"]}
    ],
}


@pytest.fixture(scope="session")
def generator() -> FaceGenerator:
    """The generator that ships."""
    return FaceGenerator.load(ROOT / "models" / "synthetic-faces")


@pytest.fixture(scope="session")
def bundle(generator: FaceGenerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bundle fit to serve; its people come from other seeds than those of the demonstration."""
    home = tmp_path_factory.mktemp("faces")
    prepare = Preprocessing(STEPS[Modality.FACE])
    drawn = [generator.draw(person, 6, seed=11) for person in range(40)]
    prepared = np.stack([[prepare(Image.fromarray(picture)) for picture in pictures] for pictures in drawn])
    list(write_people(generator, home / "people", 20, 8, seed=12))
    return fitted(home / "linear", Modality.FACE, prepared, read_people(home / "people"))


@pytest.fixture(scope="session")
def signature_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Likewise for signatures."""
    home = tmp_path_factory.mktemp("signatures")
    prepare = StrokePreprocessing(STEPS[Modality.SIGNATURE])
    drawn = [Signer.draw(person, seed=11).genuine(6) for person in range(60)]
    prepared = np.stack([[prepare(read_strokes(sample)) for sample in samples] for samples in drawn])
    list(write_signers(home / "people", 20, 8, 0, seed=12))
    return fitted(home / "linear-strokes", Modality.SIGNATURE, prepared, read_signers(home / "people"))


def fitted(folder: Path, modality: Modality, prepared: NDArray[np.float32], development: Corpus) -> Path:
    """Prepared samples (people, samples, …) of training people → the folder of a bundle with a policy."""
    x = prepared.reshape(*prepared.shape[:2], -1).astype(np.float64)
    weights = discriminants(x)
    y = x @ weights
    within = np.einsum("psi,psj->ij", *[y - y.mean(1, keepdims=True)] * 2) / (len(y) * (y.shape[1] - 1))
    background = {
        "mean": y.reshape(-1, SIZE).mean(0),
        "total": np.cov(y.reshape(-1, SIZE), rowvar=False),
        "within": within,
    }
    unset = seal(folder, modality, prepared.shape[2:], weights, background)
    policy = development_policy(unset, development)
    return seal(folder, modality, prepared.shape[2:], weights, background, policy.to_json()).path


def discriminants(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """(people, samples, values) → (values, SIZE): between- over within-person variance, ridge-stabilised."""
    means = x.mean(1)
    residuals = (x - means[:, None]).reshape(-1, x.shape[2])
    within = residuals.T @ residuals / len(residuals)
    root = np.linalg.cholesky(np.linalg.inv(within + 0.05 * np.trace(within) / len(within) * np.eye(len(within))))
    vectors = np.linalg.svd((means - means.mean(0)) @ root, full_matrices=False)[2]
    found: NDArray[np.float64] = root @ vectors[:SIZE].T
    return found


def seal(
    folder: Path,
    modality: Modality,
    shape: tuple[int, ...],
    weights: NDArray[np.float64],
    background: dict[str, NDArray[np.float64]],
    policy: bytes | None = None,
) -> Bundle:
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["prepared"], ["values"], axis=1),
            helper.make_node("MatMul", ["values", "weights"], ["embeddings"]),
        ],
        "discriminants",
        [helper.make_tensor_value_info("prepared", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", SIZE])],
        [numpy_helper.from_array(weights.astype(np.float32), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    manifest = Manifest(
        format_version=1,
        name=folder.name,
        modality=modality,
        created="2025-03-01",
        model_digest="0" * 64,
        preprocessing=STEPS[modality],
        embedding=EmbeddingSpec(size=SIZE, unit_norm=False),
        identity=IdentitySpec(kind="pooled"),
        corpora=[],
        recipe={},
        parts={},
    )
    return seal_bundle(
        folder,
        manifest=manifest,
        encoder=model.SerializeToString(),
        background=background,
        card="# Linear\n",
        policy=policy,
    )
