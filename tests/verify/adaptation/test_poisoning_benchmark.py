"""`benchmarks/template_poisoning.py` on few synthetic people: it runs, and its attackers are real ones."""

import sys

import numpy as np
import pytest

import template_poisoning
from enroll.adaptation import UpdateRule
from poisoning.attacks import between
from poisoning.people import REFERENCES, People, synthetic_people, unit
from poisoning.updates import WAYS, make


@pytest.fixture(scope="module")
def people() -> People:
    return synthetic_people("models/face", 12, 12, np.random.default_rng(0))


def test_a_white_box_attacker_goes_as_far_as_a_template_takes_and_no_further(people: People) -> None:
    rule = UpdateRule(people.thresholds[0.0001], template_poisoning.timedelta(days=1), 0.6)
    own, theirs = people.samples[0], people.samples[1]
    victim, attacker = unit(own[REFERENCES:].mean(0)), unit(theirs.mean(0))
    for name in WAYS[1:]:
        way = make(name, own[:REFERENCES], people.identity, people.thresholds[0.001], rule, people.gain)
        row = between(way, people.identity, victim, attacker)
        assert row is not None, name
        assert way.takes(row)
        further = unit(row + 0.01 * (attacker - victim)).astype(np.float32)
        assert not (way.takes(further) and people.identity.llr(way.person(), further)[0] >= way.accept), name


def test_what_learns_naively_lets_the_attacker_in_and_what_is_bounded_does_not(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template_poisoning, "INJECTIONS", (5,))
    rule = UpdateRule(people.thresholds[0.0001], template_poisoning.timedelta(days=1), 0.6)
    pairs = [(victim, (victim + 1) % 12) for victim in range(12)]
    found = template_poisoning.attacked("white-box", people, pairs, rule, people.gain)
    taken = {name: sum(success for _, success in found[name, 5, 0.01]) for name in WAYS}
    assert taken["none"] <= taken["defended"] <= taken["unbounded"] <= taken["window"]
    assert taken["window"] >= 6
    assert taken["defended"] <= taken["none"] + 1


def test_the_tables_are_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_poisoning, "INJECTIONS", (0, 1))
    monkeypatch.setattr(
        sys, "argv", ["", "--people", "4", "--victims", "2", "--attackers", "1", "--visits", "6", "--ageing", "0.5"]
    )
    template_poisoning.main()
    printed = capsys.readouterr().out
    assert printed.count("defended") == 5
    assert "white-box attacker" in printed
    assert "ageing by 0.5" in printed
