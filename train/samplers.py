"""Which samples make up batch `step`: pure functions of (seed, step), so that a resumed run sees the same batches.

`PeopleSampler`  P people × K samples each; every pair of the batch is then mined by masks (`train.losses.pairs`).
`PairSampler`    ordered pairs, half genuine and half impostor, as in Chopra 2005.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from encode.errors import TrainingError


class _ByPerson:
    def __init__(self, labels: Tensor, seed: int) -> None:
        self.labels = labels.numpy()
        self.seed = seed
        self.members = {int(label): np.flatnonzero(self.labels == label) for label in np.unique(self.labels)}
        self.repeated = np.array([label for label, rows in self.members.items() if len(rows) > 1])
        self.single = np.array([label for label, rows in self.members.items() if len(rows) == 1])
        if len(self.repeated) < 2:
            raise TrainingError("at least two people with two samples each are needed", field="corpus")

    def generator(self, step: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, step))


class PeopleSampler(_ByPerson):
    """Batches of P people × K samples, and optionally of people with one sample, seen in two augmented views.

    Parameters
    ----------
    labels : (N,) person index of each sample.
    people, samples : P and K; someone with fewer than K samples gives some of them twice.
    singles : how many people with a single sample join, with two views each.
    groups, shares : group of each person, and the share of P that some groups get; other groups share the rest evenly
        over their people.
    """

    def __init__(
        self,
        labels: Tensor,
        *,
        people: int,
        samples: int,
        seed: int,
        singles: int = 0,
        groups: tuple[str, ...] = (),
        shares: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(labels, seed)
        self.people, self.samples = min(people, len(self.repeated)), samples
        self.singles = min(singles, len(self.single))
        self.weights = self._person_weights(groups, shares or {})

    def batch(self, step: int) -> Tensor:
        """Row indices (P·K + 2·singles,) of batch `step`."""
        generator = self.generator(step)
        chosen = generator.choice(self.repeated, self.people, replace=False, p=self.weights)
        rows = [self._draw(generator, int(person)) for person in chosen]
        if self.singles:
            alone = generator.choice(self.single, self.singles, replace=False)
            rows.append(np.repeat([self.members[int(person)][0] for person in alone], 2))
        return torch.from_numpy(np.concatenate(rows))

    def _draw(self, generator: np.random.Generator, person: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        members = self.members[person]
        drawn: np.ndarray[tuple[int, ...], np.dtype[np.int64]] = generator.permutation(members)[: self.samples]
        missing = self.samples - len(drawn)
        return drawn if missing == 0 else np.concatenate([drawn, generator.choice(members, missing)])

    def _person_weights(
        self, groups: tuple[str, ...], shares: Mapping[str, float]
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        of_person = np.array([groups[int(label)] if groups else "" for label in self.repeated])
        weights = np.zeros(len(self.repeated))
        listed = {group: share for group, share in shares.items() if (of_person == group).any()}
        rest = ~np.isin(of_person, list(listed))
        for group, share in listed.items():
            mine = of_person == group
            weights[mine] = share / mine.sum()
        if rest.any():
            weights[rest] = max(1.0 - sum(listed.values()), 1e-3) / rest.sum()
        normalised: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = weights / weights.sum()
        return normalised


class PairSampler(_ByPerson):
    """`pairs` ordered pairs a batch, every second one genuine."""

    def __init__(self, labels: Tensor, *, pairs: int, seed: int) -> None:
        super().__init__(labels, seed)
        self.pairs = pairs
        self.everyone = np.array(sorted(self.members))

    def batch(self, step: int) -> Tensor:
        """Row indices (2·B,): the left members of all pairs, then the right ones; pair n is impostor iff n is odd."""
        generator = self.generator(step)
        left, right = [], []
        for number in range(self.pairs):
            if number % 2 == 0:
                first, second = generator.choice(self.members[int(generator.choice(self.repeated))], 2, replace=False)
            else:
                one, other = generator.choice(self.everyone, 2, replace=False)
                first = generator.choice(self.members[int(one)])
                second = generator.choice(self.members[int(other)])
            left.append(first)
            right.append(second)
        return torch.tensor(left + right)
