"""Identification as a caller meets it: behind a lock-out of the caller.

A search asks about everybody at once. Whoever tries pictures until somebody is named would never meet the lock-out of a
person, so searches that name nobody count against the caller, apart from claims. Whether nobody is named tells no more
than that: a search answers alike however many are enrolled.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from encode.errors import IdentifyOff
from encode.sample import Sample
from enroll.acquisition import no_checkpoint
from verify.access.caller import current_caller
from verify.access.claims import REJECTIONS_OF_A_CALLER
from verify.access.lockout import Lockout
from verify.identifier import Identification, Identifier


class Searches:
    """An identifier for the current caller (:func:`verify.access.caller.current_caller`). Safe across threads.

    Parameters
    ----------
    identifier : None where the service does not identify.
    rejections : as of :class:`verify.access.claims.Claims`; a caller is locked out after 20 times as many searches in
        a row that named nobody. 0 locks nobody out.
    """

    def __init__(self, identifier: Identifier | None, *, rejections: int) -> None:
        self._identifier = identifier
        self._callers = Lockout(REJECTIONS_OF_A_CALLER * rejections, "by this caller") if rejections else None

    def identify(
        self,
        collection: str,
        samples: Sequence[Sample],
        target_far: float | None = None,
        *,
        most: int = 1,
        checkpoint: Callable[[], None] = no_checkpoint,
    ) -> Identification:
        """As :meth:`verify.identifier.Identifier.identify`.

        Raises
        ------
        IdentifyOff : the service does not identify.
        LockedOut : too many searches by the caller named nobody.
        """
        if self._identifier is None:
            raise IdentifyOff(
                "this service answers claims and does not search for people",
                fix="ask the operator to serve with `--identify on`",
            )
        caller = current_caller()
        with ExitStack() as stack:
            attempt = None
            if caller.token_id is not None and self._callers is not None:
                attempt = stack.enter_context(self._callers.attempt(caller.token_id))
            found = self._identifier.identify(collection, samples, target_far, most=most, checkpoint=checkpoint)
            if attempt is not None:
                attempt.decide(bool(found.matches))
        return found
