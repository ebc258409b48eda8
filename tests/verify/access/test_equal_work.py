"""A claim of a name that nobody has takes the work of one that is rejected, counted step by step rather than timed.

It is the work for somebody who is enrolled in what was sent; for others a template more or less is opened. How alike
the times themselves are, benchmarks/concealment_timing.py measures.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from encode.encoder import Encoder
from encode.sample import ImageSample, Modality, Sample, StrokesSample
from enroll.access.grants import Grant, Grants, Scope
from enroll.enroller import Enroller
from enroll.identity import IdentityModel
from enroll.keys.envelope import Cipher
from enroll.keys.ring import KeyRing
from enroll.stores.opening import StorePlace, open_sql_store
from enroll.stores.sql import SqlStore
from enroll.template import Template
from verify.access.caller import Caller, calling
from verify.access.claims import Claims
from verify.access.decoy import Decoys
from verify.claimed import Claimed
from verify.model import Model
from verify.policy_choice import PolicyChoice
from verify.verifier import Verifier

Face = Callable[..., ImageSample]
Signature = Callable[..., StrokesSample]
Work = Counter[str]

KIOSK = Caller("kiosk", "0" * 16, Grants.of([Grant(Scope.VERIFY, "staff")]))
STEPS: tuple[tuple[type, str], ...] = (
    (Encoder, "prepare"),
    (Encoder, "embed_prepared"),
    (Cipher, "open"),
    (Template, "from_bytes"),
    (IdentityModel, "fit_template"),
    (IdentityModel, "llr"),
    (Decoys, "llr"),
    (SqlStore, "read"),
    (KeyRing, "unwrap"),
    (Claimed, "compared"),
    (Verifier, "state"),
    (Verifier, "decide"),
    (Verifier, "target_of"),
    (PolicyChoice, "of_models"),
)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """How often each of `STEPS` was done, and each statement of SQL."""
    done: Work = Counter()

    def counted(owner: type, name: str) -> None:
        plain: Any = getattr(owner, name)

        def step(*arguments: Any, **options: Any) -> Any:
            done[f"{owner.__name__}.{name}"] += 1
            return plain(*arguments, **options)

        monkeypatch.setattr(owner, name, staticmethod(step) if hasattr(plain, "__self__") else step)

    for owner, name in STEPS:
        counted(owner, name)
    return done


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(open_sql_store(StorePlace(str(tmp_path / "people.sqlite")))) as store:
        yield store


@pytest.mark.parametrize("sent", ["face", "face face face", "strokes", "face strokes", "face broken strokes"])
def test_a_name_that_nobody_has_takes_the_same_steps_as_somebody_who_is_rejected(
    both: Mapping[Modality, Model], sealed: SqlStore, work: Work, face: Face, signature: Signature, sent: str
) -> None:
    made: dict[str, Sample] = {"face": face(7), "strokes": signature(7), "broken": ImageSample(b"no picture")}
    samples = [made[one] for one in sent.split()]
    mine: list[Sample] = [face(1, shot) for shot in range(5)] if "face" in sent else []
    mine += [signature(1, shot) for shot in range(5)] if "strokes" in sent else []
    Enroller(both, sealed).enroll("staff", "ada", mine)
    claims = Claims(Verifier(both, sealed), Decoys(both, bytes(32)), rejections=3)

    def on_statement(*_: object) -> None:
        work["SQL"] += 1

    event.listen(sealed.database.engine, "before_cursor_execute", on_statement)
    event.listen(sealed.keys.database.engine, "before_cursor_execute", on_statement)

    def work_of(person: str) -> dict[str, int]:
        work.clear()
        assert not claims.verify("staff", person, samples, 0.01).accepted
        return dict(work)

    with calling(KIOSK):
        work_of("somebody else")  # what is made at first use
        # Keys have been forgotten; and then they are remembered.
        sealed.keys._cache.clear()
        first = [work_of(person) for person in ("ada", "nobody")]
        again = [work_of(person) for person in ("ada", "nobody")]
    assert first[0] == first[1]
    assert again[0] == again[1]
    assert set(first[0]) == {*(f"{owner.__name__}.{name}" for owner, name in STEPS), "SQL"}
    assert first[0]["KeyRing.unwrap"] == 1
    assert "KeyRing.unwrap" not in again[0]
    readable = len(samples) - sent.split().count("broken")
    assert again[0]["IdentityModel.llr"] == readable
