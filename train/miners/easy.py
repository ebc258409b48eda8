"""Easy negatives: beyond the margin,  d_an > d_ap + m; a triplet loss has nothing to learn from them."""

from train.miners.band import Band


class EasyNegatives(Band):
    """The band beyond `margin`, in the loss's distance."""

    def __init__(self, margin: float) -> None:
        super().__init__(margin)
