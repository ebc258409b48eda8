"""Semi-hard negatives (FaceNet, Schroff et al. 2015, eq. 4): farther than the positive, but inside the margin,

    d_ap < d_an ≤ d_ap + m

Hard negatives can collapse a network early in training; these leave the order of the distances as it is.
"""

from train.miners.band import Band


class SemiHardNegatives(Band):
    """The band from 0 to `margin`, in the loss's distance."""

    def __init__(self, margin: float) -> None:
        super().__init__(0.0, margin)
