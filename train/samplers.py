"""Which samples make up batch `step`: pure functions of (seed, step), so that a resumed run sees the same batches.

`PeopleSampler`      P people × K samples each, with skilled forgeries; pairs and triplets are then mined by masks.
`PairSampler`        ordered pairs, half genuine and half impostor, as in Chopra 2005.
`ForgeryPairSampler` pairs with a share of skilled forgeries, as in Bromley 1993.

A forgery is never a sample of the person it imitates: it takes part in forged pairs, or in a batch of people under a
label that nobody shares (`PeopleSampler.labels_of`), and in nothing else."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encode.errors import TrainingError

Rows = NDArray[np.int64]


class _ByPerson:
    """Rows by person; `members` holds genuine samples, `forgeries` those that imitate the person."""

    def __init__(self, labels: Tensor, seed: int, forged: Tensor | None = None) -> None:
        self.labels, self.seed = labels, seed
        self.forged = torch.zeros(len(labels), dtype=torch.bool) if forged is None else forged.bool()
        own, false = labels.numpy(), self.forged.numpy()
        self.members = _rows_by_label(own, np.flatnonzero(~false))
        self.forgeries = _rows_by_label(own, np.flatnonzero(false))
        self.repeated = np.array([label for label, rows in self.members.items() if len(rows) > 1])
        self.single = np.array([label for label, rows in self.members.items() if len(rows) == 1])
        if len(self.repeated) < 2:
            raise TrainingError("at least two people with two samples each are needed", field="corpus")

    def generator(self, step: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, step))


def _rows_by_label(labels: Rows, rows: Rows) -> dict[int, Rows]:
    return {int(label): rows[labels[rows] == label] for label in np.unique(labels[rows])}


def _drawn(generator: np.random.Generator, rows: Rows, count: int) -> Rows:
    """`count` of the rows in random order, each once before any comes again."""
    drawn: Rows = generator.permutation(rows)[:count]
    missing = count - len(drawn)
    return drawn if missing == 0 else np.concatenate([drawn, generator.choice(rows, missing)])


class PeopleSampler(_ByPerson):
    """Batches of P people × K samples, optionally with F skilled forgeries of each, and people with one sample, seen in
    two augmented views.

    Parameters
    ----------
    labels : (N,) person index of each sample.
    people, samples : P and K; someone with fewer than K samples gives some of them twice.
    singles : how many people with a single sample join, with two views each.
    groups, shares : group of each person, and the share of P that some groups get; other groups share the rest evenly
        over their people.
    forged : bool (N,), the samples that are forgeries.
    forgeries : F; someone of whom there are fewer gives some of them twice, and someone who was never forged gives as
        many more genuine samples. With 0, forgeries are left out.
    known : how many people there are; more than `labels` show where some have no sample.
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
        forged: Tensor | None = None,
        forgeries: int = 0,
        known: int = 0,
    ) -> None:
        super().__init__(labels, seed, forged)
        self.per_person = forgeries
        self.nobody = max(known, int(labels.max()) + 1)
        self.people, self.samples = min(people, len(self.repeated)), samples
        self.singles = min(singles, len(self.single))
        self.weights = self._person_weights(groups, shares or {})

    def batch(self, step: int) -> Tensor:
        """Row indices (P·K + 2·singles + P·F,) of batch `step`."""
        generator = self.generator(step)
        chosen = generator.choice(self.repeated, self.people, replace=False, p=self.weights)
        rows = [self._draw(generator, int(person)) for person in chosen]
        if self.singles:
            alone = generator.choice(self.single, self.singles, replace=False)
            rows.append(np.repeat([self.members[int(person)][0] for person in alone], 2))
        if self.per_person:
            rows += [self._draw_forgeries(generator, int(person)) for person in chosen]
        return torch.from_numpy(np.concatenate(rows))

    def labels_of(self, rows: Tensor) -> Tensor:
        """What the rows (B,) of a batch are to a loss, int64 (B,): the person; of a forgery, a label nobody shares."""
        own = self.nobody + torch.arange(len(rows))
        return torch.where(self.forged[rows], own, self.labels[rows])

    def _draw(self, generator: np.random.Generator, person: int) -> Rows:
        return _drawn(generator, self.members[person], self.samples)

    def _draw_forgeries(self, generator: np.random.Generator, person: int) -> Rows:
        return _drawn(generator, self.forgeries.get(person, self.members[person]), self.per_person)

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
    """`pairs` ordered pairs a batch, every second one genuine: `impostor` is bool (pairs,), Y of the papers."""

    def __init__(self, labels: Tensor, *, pairs: int, seed: int, forged: Tensor | None = None) -> None:
        super().__init__(labels, seed, forged)
        self.pairs = pairs
        self.impostor = torch.arange(pairs) % 2 == 1
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


class ForgeryPairSampler(_ByPerson):
    """Pairs of two genuine signatures, of a genuine one and its forgery, and of two writers: 50, 40, 10 % in the paper.

    A batch holds the kinds in this order; `impostor`, bool (pairs,), is false for the genuine pairs alone. Writers of
    whom there is no forgery are drawn for the other kinds only, so that the shares hold for every batch; where nobody
    was forged at all, the forged pairs become pairs of two writers.

    Parameters
    ----------
    labels, forged : (N,) person index of each sample, and whether it is a forgery of that person.
    pairs : how many a batch holds, at least 2.
    forged_share, other_share : of the pairs; what is left is genuine. Shares are rounded to whole pairs.
    """

    def __init__(
        self, labels: Tensor, forged: Tensor, *, pairs: int, seed: int, forged_share: float, other_share: float
    ) -> None:
        super().__init__(labels, seed, forged)
        self.imitated = np.array([person for person in self.members if person in self.forgeries])
        self.everyone = np.array(list(self.members))
        self.genuine_pairs = pairs - round(pairs * forged_share) - round(pairs * other_share)
        self.forged_pairs = round(pairs * forged_share) if len(self.imitated) else 0
        self.other_pairs = pairs - self.genuine_pairs - self.forged_pairs
        if self.genuine_pairs < 0:
            raise TrainingError("the shares of forged and of other pairs leave no genuine ones", field="batch.pairs")
        self.impostor = torch.arange(pairs) >= self.genuine_pairs

    def batch(self, step: int) -> Tensor:
        """Row indices (2·B,): the left members of all pairs, genuine throughout, then the right ones."""
        generator = self.generator(step)
        drawn = [
            generator.choice(self.members[int(person)], 2, replace=False)
            for person in generator.choice(self.repeated, self.genuine_pairs)
        ]
        if self.forged_pairs:
            for person in generator.choice(self.imitated, self.forged_pairs):
                own, forgery = self.members[int(person)], self.forgeries[int(person)]
                drawn.append(np.array([generator.choice(own), generator.choice(forgery)]))
        for _ in range(self.other_pairs):
            pair = generator.choice(self.everyone, 2, replace=False)
            drawn.append(np.array([generator.choice(self.members[int(person)]) for person in pair]))
        return torch.from_numpy(np.stack(drawn).T.reshape(-1))
