"""Poisoned templates: how often an attacker gets in after k injections, and what adaptation is worth to the person.

    python benchmarks/template_poisoning.py                                     # synthetic people, no corpus
    python benchmarks/template_poisoning.py --corpus att:DIR
    python benchmarks/template_poisoning.py --corpus lfw:DIR --victims 60

Five ways to learn from accepted probes meet the same victims, attackers and probes: none, naive self-update
(`window`), naive self-update of a ring behind fixed anchors (`ring`), the service's rule for references alone
(`unbounded`), and what the service does (`defended`: that rule, and a bound on what it may gain). An attack is a
success within k injections if after any of them a plain sample of the attacker, never injected, is accepted. The
service accepts at a target FAR of 0.1 % and updates at 0.01 %. Intervals (95 %) resample victims; ratios are to `none`
in the same run.

Ageing: the person's mean moves by `--ageing` within-person standard deviations over `--visits` visits, one a day, in a
direction drawn for each person; rejected at a visit, they learn nothing. FRR is that of the last third of the visits.
"""

import argparse
from collections import defaultdict
from datetime import timedelta

import numpy as np

from enroll.adaptation import UpdateRule
from enroll.stores.collection import CollectionSettings
from eval.resampling.share_by_person import share_by_person
from poisoning.ageing import rejected_visits
from poisoning.attacks import between, captured
from poisoning.people import REFERENCES, People, real_people, synthetic_people, unit
from poisoning.updates import WAYS, make

ACCEPT, UPDATE = 0.001, 0.0001
MEASURED = (0.01, 0.001)
INJECTIONS = (0, 1, 2, 5, 10, 20)
_KNOWN = 2
"""Samples of the victim, and of the attacker, that a white-box attacker aims with."""

Tally = dict[tuple[str, int, float], list[tuple[int, bool]]]
"""(way, injections, target FAR) → victim and success of each attack."""


def main() -> None:
    options = arguments()
    generator = np.random.default_rng(options.seed)
    if options.corpus:
        people = real_people(options.bundle, options.corpus, REFERENCES + 2 * _KNOWN + 1, 60, generator)
    else:
        people = synthetic_people(options.bundle, options.people, 40, generator)
    rule = UpdateRule(people.thresholds[UPDATE], timedelta(days=1), options.max_drift)
    gain = people.gain if options.gain is None else options.gain
    print(
        f"{people.name}; {REFERENCES} references; accepted at {100 * ACCEPT:g} %, updated at {100 * UPDATE:g} %, "
        f"max_drift {rule.max_drift:g}, gain {gain:.2f}; seed {options.seed}"
    )
    pairs = draw_pairs(len(people.samples), options.victims, options.attackers, generator)
    for attack in ("white-box", "captures"):
        report_attack(attack, attacked(attack, people, pairs, rule, gain))
    for ageing in options.ageing:
        report_ageing(ageing, people, options.visits, rule, gain, options.victims, options.seed)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", action="append", help="att:DIR, lfw:DIR, … ; more than once for several")
    parser.add_argument("--bundle", default="models/face")
    parser.add_argument("--people", type=int, default=200, help="synthetic people")
    parser.add_argument("--victims", type=int, default=50, help="at most")
    parser.add_argument("--attackers", type=int, default=2, help="of each victim")
    parser.add_argument("--max-drift", type=float, default=CollectionSettings().max_drift)
    parser.add_argument("--gain", type=float, help="nats; default: the policy's")
    parser.add_argument("--ageing", type=float, nargs="*", default=[0.0, 0.5, 0.8])
    parser.add_argument("--visits", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def draw_pairs(people: int, victims: int, attackers: int, generator: np.random.Generator) -> list[tuple[int, int]]:
    """Victims and, for each, attackers among all others."""
    chosen = generator.permutation(people)[:victims]
    return [
        (int(victim), int(attacker))
        for victim in chosen
        for attacker in generator.choice(np.delete(np.arange(people), victim), attackers, replace=False)
    ]


def attacked(attack: str, people: People, pairs: list[tuple[int, int]], rule: UpdateRule, gain: float) -> Tally:
    """Whether a plain sample of the attacker was accepted within each number of injections."""
    identity, found = people.identity, defaultdict(list)
    for victim, attacker in pairs:
        own, theirs = people.samples[victim], people.samples[attacker]
        plain, aim = theirs[:1], unit(theirs[1 : 1 + _KNOWN].mean(0))
        known = unit(own[REFERENCES : REFERENCES + _KNOWN].mean(0))
        for name in WAYS:
            way = make(name, own[:REFERENCES], identity, people.thresholds[ACCEPT], rule, gain)
            best = -np.inf
            for injected in range(INJECTIONS[-1] + 1):
                best = max(best, identity.llr(way.person(), plain)[0])
                if injected in INJECTIONS:
                    for far in MEASURED:
                        found[name, injected, far].append((victim, bool(best >= people.thresholds[far])))
                if attack == "white-box":
                    row = between(way, identity, known, aim)
                else:
                    captures = np.concatenate([theirs[1:], *(people.samples[a][1:] for v, a in pairs if v == victim)])
                    row = captured(way, identity, captures, aim)
                if row is not None:
                    way.learn(row, accepted=True)
    return found


def report_attack(attack: str, found: Tally) -> None:
    print(f"\n{attack} attacker: plain samples accepted")
    print(f"{'way':10s} {'k':>3s}  " + "  ".join(f"{f'at {100 * far:g} %':>32s} {'ratio':>6s}" for far in MEASURED))
    for name in WAYS:
        for injected in INJECTIONS if name != "none" else INJECTIONS[-1:]:
            shown = []
            for far in MEASURED:
                own, base = found[name, injected, far], found["none", injected, far]
                share = sum(success for _, success in own)
                before = sum(success for _, success in base)
                ratio = f"{share / before:.1f}" if before else "-"
                shown.append(f"{_share(own):>32s} {ratio:>6s}")
            print(f"{name:10s} {injected:3d}  " + "  ".join(shown))


def report_ageing(
    ageing: float, people: People, visits: int, rule: UpdateRule, gain: float, most: int, seed: int
) -> None:
    print(
        f"\nageing by {ageing:g} within-person deviations over {visits} visits: FRR at {100 * ACCEPT:g} %, last third"
    )
    base = None
    for name in WAYS:
        generator = np.random.default_rng([seed, 1])
        outcomes: list[tuple[int, bool]] = []
        learned = 0
        for index, samples in enumerate(people.samples[:most]):
            way = make(name, samples[:REFERENCES], people.identity, people.thresholds[ACCEPT], rule, gain)
            rejected, taken = rejected_visits(way, people.identity, samples[REFERENCES:], ageing, visits, generator)
            outcomes += [(index, one) for one in rejected[-(visits // 3) :]]
            learned += taken
        errors = sum(one for _, one in outcomes)
        base = errors if base is None else base
        ratio, each = errors / max(1, base), learned / len(people.samples[:most])
        print(f"{name:10s} {_share(outcomes):>32s} {ratio:6.2f}   learned {each:5.1f} a person")


def _share(outcomes: list[tuple[int, bool]]) -> str:
    """Share in per cent with counts, and its 95 % interval by person."""
    people = sorted({person for person, _ in outcomes})
    sums = [sum(success for person, success in outcomes if person == one) for one in people]
    counts = [sum(1 for person, _ in outcomes if person == one) for one in people]
    rate = share_by_person(sums, counts, comparisons=len(outcomes))
    counted = f"{sum(sums)}/{sum(counts)}"
    return f"{counted:>9s} {100 * rate.value:5.1f} ({100 * rate.low:.1f}-{100 * rate.high:.1f})"


if __name__ == "__main__":
    main()
