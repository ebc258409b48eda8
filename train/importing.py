"""An encoder of another maker → sealed bundle: background, identity model, calibration and thresholds behind it.

Nobody has to be trained on, so everybody in the corpora takes part in one of two roles, by the fixed hash of
`train.people_split`: 11 of 20 fit the background, the identity model and the calibration, 9 set the thresholds. Whom
the encoder itself was trained on is not known here, and the card says so: thresholds on people it has seen promise too
much.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from encode.bundle import Bundle
from train.card import Origin, seen
from train.foreign import ForeignEncoder, read_foreign
from train.foreign_spec import read_foreign_spec
from train.identity_choice import default_candidates
from train.people_split import Role, SplitShares
from train.pool import Pool, open_pool
from train.sealing import Draft, Progress, seal_draft

SHARES = SplitShares(background=10, policy=9)
"""Of twenty; the one left over would train, and joins the background."""


def import_bundle(
    encoder: Path,
    preprocessing: Path,
    specs: Sequence[str],
    folder: Path,
    *,
    name: str | None = None,
    cohort: Sequence[str] = (),
    seed: int = 0,
    progress: Progress = lambda *_: None,
) -> Bundle:
    """Seal the ONNX file `encoder`, unchanged, as a bundle at `folder`.

    Parameters
    ----------
    preprocessing : the file of `train.foreign_spec`.
    specs, cohort : corpora, as `train.pool.open_pool` takes them.
    name : of the model; by default the file's.

    Raises TrainingError, CorpusError, TrialsError.
    """
    spec = read_foreign_spec(preprocessing)
    foreign = read_foreign(encoder, spec)
    pool = without_training(open_pool(specs, cohort, modality=spec.modality, shares=SHARES))
    manifest = foreign.manifest(name or encoder.stem, pool.uses())
    draft = Draft(manifest, foreign.data, imported_origin(foreign), default_candidates(), seed)
    return seal_draft(draft, pool, folder, progress=progress).bundle


def without_training(pool: Pool) -> Pool:
    """The same people, with those who would train a network in the background."""
    aside = {*pool.people[Role.TRAINING], *pool.people[Role.BACKGROUND]}
    background = tuple(person for person in pool.merged.people if person in aside)
    return replace(pool, people=pool.people | {Role.TRAINING: (), Role.BACKGROUND: background})


def imported_origin(foreign: ForeignEncoder) -> Origin:
    """What the card says of an encoder that came from elsewhere."""
    kind, size = foreign.modality.value, foreign.size
    wrapped = foreign.network
    steps = " → ".join(str(step["step"]) for step in foreign.preprocessing.describe())
    notes = [f"output `{wrapped.output}`", f"layout {wrapped.layout}"]
    notes += ["rows divided by their Euclidean norm"] if wrapped.normalise else []
    notes += ["one sample at a time"] if wrapped.one_by_one else []
    return Origin(
        summary=(
            f"A {kind} encoder of another maker, served as it was exported: `{foreign.file}`, {len(foreign.data):,} "
            f"bytes, input {seen(foreign.preprocessing.shape)}, embedding of {size} values.\n\n"
            "Intended use: as its own terms allow, which are not known here; read them before use."
        ),
        people=(
            "People are divided by a fixed hash of their name: some fit the background, the identity model and the "
            "calibration, others set the thresholds. **Whom the encoder was trained on is not known here.** If people "
            "of these corpora were among them, the thresholds below promise too much."
        ),
        making=(
            "## Encoder\n\n"
            f"Imported, not trained: the bytes of the file are unchanged. Preprocessing: {steps}; {', '.join(notes)}. "
            f"On noise, rows differ between batches of 1, 2 and 5 by at most {foreign.difference:.1e} of the largest "
            "value."
        ),
    )
