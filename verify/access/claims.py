"""Verification as a caller meets it: behind lock-outs, and telling no more than the caller may know.

    caller without a token              as the verifier answers
    caller with one                     counted: rejections of the person, and by the caller
    caller without the scope `enroll`   answered alike whether the person exists or not

Whether somebody exists changes neither what is counted nor when a claim is refused.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from encode.sample import Sample
from enroll.access.grants import Scope
from enroll.acquisition import no_checkpoint
from verify.access.caller import current_caller
from verify.access.concealment import Concealment, StandIns
from verify.access.lockout import Lockout
from verify.decision import Decision
from verify.verifier import Verifier

REJECTIONS_OF_A_CALLER = 20
"""Rejections in a row that a caller may have, in multiples of a person's: a caller speaks for many people."""


class Claims:
    """A verifier for the current caller (:func:`verify.access.caller.current_caller`). Safe across threads.

    Parameters
    ----------
    stand_ins : compared with where nobody is enrolled, for callers who may not know that.
    rejections : in a row, before a person is locked out; a caller after 20 times as many. 0 locks nobody out.
    """

    def __init__(self, verifier: Verifier, stand_ins: StandIns, *, rejections: int) -> None:
        self._verifier = verifier
        self._concealing = Concealment(verifier, stand_ins)
        self._people = Lockout(rejections, "of this person") if rejections else None
        self._callers = Lockout(REJECTIONS_OF_A_CALLER * rejections, "by this caller") if rejections else None

    def verify(
        self,
        collection: str,
        person: str,
        samples: Sequence[Sample],
        target_far: float | None = None,
        *,
        accept_partial: bool = False,
        checkpoint: Callable[[], None] = no_checkpoint,
    ) -> Decision:
        """As :meth:`verify.verifier.Verifier.verify`.

        Raises
        ------
        LockedOut : too many claims of the person or by the caller were rejected.
        """
        caller = current_caller()
        with ExitStack() as stack:
            attempts = []
            if caller.token_id is not None and self._people is not None and self._callers is not None:
                attempts.append(stack.enter_context(self._callers.attempt(caller.token_id)))
                attempts.append(stack.enter_context(self._people.attempt(collection, person)))
            asked = self._verifier if caller.may(Scope.ENROLL, collection) else self._concealing
            decision = asked.verify(
                collection,
                person,
                samples,
                target_far,
                accept_partial=accept_partial,
                checkpoint=checkpoint,
            )
            for attempt in attempts:
                attempt.decide(decision.accepted)
        return decision
