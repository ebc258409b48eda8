"""A small set of embeddings, as files hold them."""

import numpy as np
import pytest

from encode.sample import Modality
from eval.files.embedding_set import EmbeddingSet


@pytest.fixture
def three() -> EmbeddingSet:
    """Two people; the second sample failed, the third is a forgery."""
    return EmbeddingSet(
        samples=["c", "a", "b"],
        people=["ann", "ann", "bob"],
        kinds=["genuine", "genuine", "forgery"],
        modality=Modality.SIGNATURE,
        embeddings=np.array([[1, 2], [0, 0], [3, 4]], dtype=np.float32),
        reasons={1: "IMAGE_CORRUPT"},
        groups={"group_hand": ["left", "left", ""]},
        orders=[2, 1, None],
        sessions=["s1", None, "s2"],
        splits=["test", "test", "development"],
        model_digest="m",
    )
