"""The row of a policy by which a collection learns, and what is said where there is none."""

import io
import json
from collections.abc import Mapping

import pytest

from encode.errors import (
    TargetFarUnavailable,
)
from encode.sample import Modality
from enroll.lineup import Lineup
from enroll.stores.collection import CollectionSettings
from enroll.stores.memory import MemoryStore
from verify.model import Model
from verify.policy import Policy
from verify.server_checks import tell_whether_adaptable
from verify.update_rule import require_update_rows

Models = Mapping[Modality, Model]
STAFF = "staff"
FACE = Modality.FACE


def test_settings_by_which_no_model_can_learn_are_refused_with_the_rows_there_are(adaptable: Models) -> None:
    policy = adaptable[FACE].policy
    assert policy is not None
    for settings in ({"update_target_far": 0.0001}, {"update_target_far": 0.01}, {}):
        assert require_update_rows([policy], STAFF, CollectionSettings(adapt=True, **settings)) == []
    # The largest of the table is smaller than none.
    for far in (1e-6, 0.1, 0.05):
        with pytest.raises(TargetFarUnavailable, match=f"staff .* {far:g}") as caught:
            require_update_rows([policy], STAFF, CollectionSettings(adapt=True, update_target_far=far))
        assert caught.value.field == "update_target_far"
        assert "face: 0.1, 0.01, 0.001, 0.0001" in (caught.value.fix or "")
        assert require_update_rows([policy], STAFF, CollectionSettings(update_target_far=far)) == []


def test_a_policy_without_the_row_stands_beside_one_that_has_it(adaptable: Models) -> None:
    policy = adaptable[FACE].policy
    assert policy is not None
    short = Policy.model_validate({**policy.model_dump(), "table": policy.model_dump()["table"][:3]})
    settings = CollectionSettings(adapt=True, update_target_far=0.0001)
    assert require_update_rows([policy, short], STAFF, settings) == [short]


def test_a_service_starts_and_warns_of_what_never_adapts(adaptable: Models, log: io.StringIO) -> None:
    store = MemoryStore()
    store.configure("fine", CollectionSettings(adapt=True))
    tell_whether_adaptable(Lineup.of(adaptable), store)
    assert log.getvalue() == ""
    store.configure(STAFF, CollectionSettings(adapt=True, update_target_far=1e-6))
    tell_whether_adaptable(Lineup.of(adaptable), store)
    (line,) = [json.loads(one) for one in log.getvalue().splitlines()]
    assert (line["event"], line["collection"], line["level"]) == ("never_adapts", STAFF, "warning")


def test_the_gain_is_half_the_way_to_the_next_larger_target_far(both: Models, adaptable: Models) -> None:
    policy = adaptable[FACE].policy
    assert policy is not None
    assert policy.gain == 0.5 * (2.0 - 0.0)
    loosest = Policy.model_validate({**policy.model_dump(), "default_target_far": 0.1})
    assert loosest.gain == 0.0
