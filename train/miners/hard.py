"""Hard negatives: at most as far from the anchor as the positive,  d_an ≤ d_ap."""

from train.miners.band import Band


class HardNegatives(Band):
    """The band up to 0."""

    def __init__(self) -> None:
        super().__init__(upper=0.0)
