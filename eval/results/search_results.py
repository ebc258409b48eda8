"""What results.json says of searching: 1:N identification by score, and retrieval with the embedding itself."""

from typing import Annotated, Literal

from pydantic import Field

from eval.results.counted_rate import CountedRate, Part, Score
from verify.policy import Fraction, Rate


class RankRate(Part):
    """One point of the cumulative match characteristic."""

    rank: Annotated[int, Field(ge=1)]
    rate: Annotated[Rate, Field(description="share of searches whose person is among the first `rank`")]


class OpenSetPoint(Part):
    """A search that may find nobody: FNIR where FPIR is at most the one asked for, threshold a posteriori."""

    fpir: Annotated[Fraction, Field(description="the false-positive identification rate asked for")]
    threshold: Score
    threshold_chosen: Literal["a posteriori"] = "a posteriori"
    achieved_fpir: CountedRate
    fnir: Annotated[CountedRate, Field(description="the person is not the first, or stays below the threshold")]
    beyond_evidence: Annotated[bool, Field(description="fewer than 30 / fpir distinct non-mated probes")]


class Identification(Part):
    """1:N search over everybody enrolled (ISO/IEC 19795-1): closed set by rank, open set by threshold."""

    gallery: Annotated[int, Field(ge=2, description="people enrolled, in the largest of the draws")]
    smallest_gallery: Annotated[
        int | None, Field(ge=2, description="people enrolled in the smallest of the draws used; absent: all the same")
    ] = None
    searches: Annotated[int, Field(ge=1, description="mated searches, every draw counted")]
    probes: Annotated[int, Field(ge=1, description="distinct samples among the mated searches")]
    cmc: tuple[RankRate, ...]
    open_set: tuple[OpenSetPoint, ...] = ()


class EmbeddingQuality(Part):
    """Retrieval with the embedding itself, no identity model: every sample against all others, by cosine."""

    queries: Annotated[int, Field(ge=1, description="samples of people with two or more")]
    people: Annotated[int, Field(ge=2)]
    precision_at_1: Rate
    map_at_r: Annotated[Rate, Field(description="mean average precision at R (Musgrave, Belongie & Lim 2020)")]
