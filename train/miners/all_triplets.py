"""Every triplet of a batch: each row with each of its positives and each of its negatives."""

from train.miners.band import Band


class AllTriplets(Band):
    """The band without bounds."""
