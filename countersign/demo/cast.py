"""Where the people of the demonstration come from: drawn, read from a corpus, or put together from two.

A chimeric person has the face of somebody of one corpus and the signature of somebody of another.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from countersign.demo.scene import enough_samples
from encode.sample import Modality
from eval.corpora.corpus import Corpus, Row

FACES, SIGNATURES = "synthetic-people", "synthetic-signatures"
"""Folders that drawn samples are written into."""

SAMPLES, FORGERIES = 10, 8


@dataclass(frozen=True)
class Cast:
    """People before anybody is chosen.

    Attributes
    ----------
    corpora : by modality; one person has one name in all of them.
    sources : by modality, the digest of the corpus that the samples were read from.
    who : what to call them in a title.
    synthetic : nobody of them is real in any modality.
    chimeric : faces and signatures come from different people.
    """

    corpora: Mapping[Modality, Corpus]
    sources: Mapping[Modality, str]
    who: str
    synthetic: bool = False
    chimeric: bool = False


def gather(
    modalities: Collection[Modality],
    faces: str | None,
    signatures: str | None,
    *,
    generators: Path,
    out: Path,
    people: int,
    references: Mapping[Modality, int],
    seed: int = 0,
) -> Cast:
    """The cast of `modalities`: from the corpora named, drawn into `out` where none is.

    Parameters
    ----------
    faces, signatures : corpora, such as ``att:DIR`` and ``svc2004:DIR``; None draws synthetic people.
    generators : folder of the generator of synthetic faces.
    people : how many to draw, or to put together.
    references : samples that enroll a person, by modality.
    """
    from eval.corpora.spec import open_corpus

    named = {Modality.FACE: faces, Modality.SIGNATURE: signatures}
    # What is named is opened before anything is drawn, so that a wrong path leaves nothing behind.
    read = {
        modality: open_corpus(spec) for modality in Modality if (spec := named[modality]) and modality in modalities
    }
    corpora = {
        modality: read.get(modality) or _drawn(modality, generators, out, people)
        for modality in Modality
        if modality in modalities
    }
    sources = {modality: corpus.digest for modality, corpus in corpora.items()}
    if not read:
        return Cast(corpora, sources, "synthetic people (nobody real)", synthetic=True)
    if len(corpora) == 1:
        (corpus,) = corpora.values()
        return Cast(corpora, sources, f"people of {corpus.name}")
    face, signature = corpora[Modality.FACE], corpora[Modality.SIGNATURE]
    who = f"chimeric people (faces: {face.name}, signatures: {signature.name})"
    return Cast(chimeras(corpora, references, people, seed=seed), sources, who, chimeric=True)


def chimeras(
    corpora: Mapping[Modality, Corpus], references: Mapping[Modality, int], people: int, *, seed: int = 0
) -> dict[Modality, Corpus]:
    """At most `people` people called ``face+signature`` after the two they are made of, paired at random.

    Raises TrialsError if fewer than two of a corpus have more than `references` samples.
    """
    generator = np.random.default_rng(seed)
    able = [enough_samples(corpora[modality], modality, references[modality]) for modality in Modality]
    pairs = list(zip(*([side[i] for i in generator.permutation(len(side))[:people]] for side in able), strict=False))
    return {
        modality: _renamed(corpora[modality], {pair[index]: "+".join(pair) for pair in pairs})
        for index, modality in enumerate(Modality)
    }


def _renamed(corpus: Corpus, names: Mapping[str, str]) -> Corpus:
    kept: list[Row] = [replace(row, person=names[row.person]) for row in corpus.rows if row.person in names]
    return Corpus(corpus.name, kept, reference_rule=corpus.reference_rule)


def _drawn(modality: Modality, generators: Path, out: Path, people: int) -> Corpus:
    from eval.progress import track
    from eval.synthetic.faces import FaceGenerator, read_people, write_people
    from eval.synthetic.signers_corpus import read_signers, write_signers

    if modality is Modality.FACE:
        drawing = write_people(FaceGenerator.load(generators), out / FACES, people, SAMPLES)
        for _ in track(drawing, people, "draw synthetic faces"):
            pass
        return read_people(out / FACES)
    for _ in track(write_signers(out / SIGNATURES, people, SAMPLES, FORGERIES), people, "draw synthetic signatures"):
        pass
    return read_signers(out / SIGNATURES)
