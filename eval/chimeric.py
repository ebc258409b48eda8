"""Trials of face and signature together, made of the scored trials of each alone.

    fused score = LLR of the face + LLR of the signature          (independent traits: likelihood ratios multiply)

A chimeric person has the face of one corpus and the signature of another. That is sound where the two traits of a real
person tell nothing about each other, and it says nothing of people whose traits go together (Poh & Bengio 2006, *Using
chimeric users to construct fusion classifiers in biometric authentication tasks*). Per chimeric person and draw of
references,

    genuine   one of the person's faces with one of the person's signatures
    random    a face and a signature of one other person, who makes no effort
    skilled   a forgery of the person's signature with a face of somebody else: a forger brings his own

Within each of these groups both modalities' samples are shuffled and paired off one by one; the shorter list goes round
again. A sample that could not be acquired rejects whatever it is part of, as in the rates of one modality.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encode.errors import TrialsError
from eval.trials import KINDS, ScoreTable, TrialKind, Trials

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Pairing:
    """Who lends what to whom: person p has the face of `faces[p]` and the signature of `signatures[p]`.

    Attributes
    ----------
    faces, signatures : int64 (P,), indices into the people of the two tables, without repetition.
    """

    faces: Indices
    signatures: Indices

    def __len__(self) -> int:
        return len(self.faces)


@dataclass(frozen=True)
class FusedTrials:
    """The same trials as each system scores them; row m of all three is one attempt.

    `claim` counts the people of the pairing. `probe` of a modality alone is that modality's sample. Of the fused trials
    it is the sample of the modality that gives more distinct comparisons: to pair a face with every signature makes no
    new face, so the evidence grows with samples and not with their products.
    """

    face: Trials
    signature: Trials
    fused: Trials

    def __len__(self) -> int:
        return len(self.fused)


def chimeric_pairing(faces: ScoreTable, signatures: ScoreTable, seed: int) -> Pairing:
    """Claimed people of both tables, paired at random; as many as the smaller table has.

    Raises TrialsError for fewer than two.
    """
    generator = np.random.default_rng([seed, 0])
    shuffled = [generator.permutation(_claimed(table)) for table in (faces, signatures)]
    people = min(len(side) for side in shuffled)
    return _at_least_two(Pairing(shuffled[0][:people], shuffled[1][:people]))


def own_pairing(faces: ScoreTable, signatures: ScoreTable) -> Pairing:
    """People claimed in both tables under the same name: nobody is chimeric. Raises TrialsError for fewer than two."""
    by_name = {signatures.people[index]: index for index in _claimed(signatures)}
    both = [(index, by_name[faces.people[index]]) for index in _claimed(faces) if faces.people[index] in by_name]
    pairs = np.array(both, dtype=np.int64).reshape(-1, 2)
    return _at_least_two(Pairing(pairs[:, 0], pairs[:, 1]))


def pair_trials(
    faces: ScoreTable, signatures: ScoreTable, pairing: Pairing, seed: int = 0
) -> Mapping[TrialKind, FusedTrials]:
    """Trials of both modalities together, by kind; `skilled` only where `signatures` holds forgeries.

    A sample's owner is known from the genuine trials: one that was a reference in every draw is nobody's impostor.
    """
    generator = np.random.default_rng([seed, 1])
    face, signature = _Side(faces, pairing.faces), _Side(signatures, pairing.signatures)
    fused = {
        TrialKind.GENUINE: _pair(
            face, face.rows(TrialKind.GENUINE), signature, signature.rows(TrialKind.GENUINE), False, generator
        ),
        TrialKind.RANDOM: _pair(
            face, face.rows(TrialKind.RANDOM), signature, signature.rows(TrialKind.RANDOM), True, generator
        ),
        TrialKind.SKILLED: _pair(
            face, face.rows(TrialKind.RANDOM), signature, signature.rows(TrialKind.SKILLED), False, generator
        ),
    }
    return {kind: trials for kind, trials in fused.items() if len(trials)}


class _Side:
    """One modality's table, seen from the pairing.

    Attributes
    ----------
    claim, owner : int64 (M,), the pairing's person claimed and the one whom the probe belongs to; −1 for nobody.
    """

    def __init__(self, table: ScoreTable, people: Indices) -> None:
        self.table = table
        place = np.full(len(table.people) + 1, -1, dtype=np.int64)  # the last one answers for nobody, index −1
        place[people] = np.arange(len(people))
        owner = np.full(len(table.samples), -1, dtype=np.int64)
        genuine = table.of(TrialKind.GENUINE)
        owner[genuine.probe] = genuine.claim
        self.claim = place[table.claim]
        self.owner = place[owner[table.probe]]

    def rows(self, kind: TrialKind) -> Indices:
        """The table's rows of `kind` that concern people of the pairing alone."""
        known = (self.table.kind == KINDS.index(kind)) & (self.claim >= 0)
        if kind is not TrialKind.SKILLED:  # nobody owns a forgery
            known &= self.owner >= 0
        return np.flatnonzero(known)

    def keys(self, rows: Indices, *, by_owner: bool) -> Indices:
        """A number for each row's group: claim and draw, and owner where the impostor must be one person."""
        key = self.claim[rows] << 40 | self.table.draw[rows].astype(np.int64) << 24
        if by_owner:
            key = key | self.owner[rows]
        return key

    def trials(self, rows: Indices) -> Trials:
        scores, draw, probe = self.table.scores[rows], self.table.draw[rows], self.table.probe[rows]
        return Trials(scores, self.claim[rows].astype(np.int32), draw, probe, self.owner[rows].astype(np.int32))


def _pair(
    face: _Side,
    face_rows: Indices,
    signature: _Side,
    signature_rows: Indices,
    by_owner: bool,
    generator: np.random.Generator,
) -> FusedTrials:
    left, left_keys = _shuffled(face_rows, face.keys(face_rows, by_owner=by_owner), generator)
    right, right_keys = _shuffled(signature_rows, signature.keys(signature_rows, by_owner=by_owner), generator)
    a, b = _zip_groups(left_keys, right_keys)
    of_face, of_signature = face.trials(left[a]), signature.trials(right[b])
    wider = max((of_face, of_signature), key=lambda trials: trials.comparisons)
    # A forger's face is somebody's, but who forged is not known: the signature tells the source.
    source = of_signature.source
    both = Trials(of_face.scores + of_signature.scores, of_face.claim, of_face.draw, wider.probe, source)
    return FusedTrials(of_face, of_signature, both)


def _shuffled(rows: Indices, keys: Indices, generator: np.random.Generator) -> tuple[Indices, Indices]:
    """Rows ordered by key, and at random within one key."""
    order = np.lexsort((generator.random(len(rows)), keys))
    return rows[order], keys[order]


def _zip_groups(left: Indices, right: Indices) -> tuple[Indices, Indices]:
    """Positions (M,) in both sorted key arrays, paired off within every key that both have."""
    left_keys, left_first, left_count = np.unique(left, return_index=True, return_counts=True)
    right_keys, right_first, right_count = np.unique(right, return_index=True, return_counts=True)
    _, i, j = np.intersect1d(left_keys, right_keys, assume_unique=True, return_indices=True)
    size = np.maximum(left_count[i], right_count[j])
    group = np.repeat(np.arange(len(size)), size)
    turn = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
    return (
        left_first[i][group] + turn % left_count[i][group],
        right_first[j][group] + turn % right_count[j][group],
    )


def _claimed(table: ScoreTable) -> Indices:
    return table.of(TrialKind.GENUINE).claimed.astype(np.int64)


def _at_least_two(pairing: Pairing) -> Pairing:
    if len(pairing) < 2:
        raise TrialsError(
            f"{len(pairing)} people have trials of both modalities, two are needed",
            fix="pair people at random, or measure corpora that share people",
        )
    return pairing
