"""Error analysis: what the mistakes have in common, and how much it could help to mend each."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

from twingrad.analysis.intervals import LEVEL, Interval, wilson
from twingrad.analysis.table import aligned, percent

MISLABELLED = "incorrectly labelled"
"""The tag of examples whose label is wrong, not the answer."""


@dataclass(frozen=True)
class Tag:
    """A tag, the mistakes that have it, their share of all with its interval, and the ceiling: the error that would be
    left if all of them were right.
    """

    name: str
    count: int
    share: Interval
    ceiling: float


@dataclass(frozen=True)
class ErrorAnalysis:
    """What was found; `str` of it is a table, the most promising tag first.

    error: the error rate that was analysed. examined: how many mistakes were looked at. tags: by falling share.
    """

    error: float
    examined: int
    tags: tuple[Tag, ...]

    @property
    def ceilings(self) -> dict[str, float]:
        """The error that would be left without the mistakes of a tag, by its name."""
        return {tag.name: tag.ceiling for tag in self.tags}

    @property
    def from_labels(self) -> float:
        """The part of the error that is due to wrong labels."""
        return sum(self.error * tag.share.rate for tag in self.tags if tag.name == MISLABELLED)

    @property
    def from_other_causes(self) -> float:
        """The part of the error that is not due to wrong labels."""
        return self.error - self.from_labels

    def __str__(self) -> str:
        rows = [["tag", "mistakes", "share", "error without them"]]
        rows += [[tag.name, str(tag.count), str(tag.share), percent(tag.ceiling)] for tag in self.tags]
        told = f"{self.examined} mistakes of an error of {percent(self.error)}; one may have several tags, or none"
        labels = f"wrong labels make {percent(self.from_labels)}, other causes {percent(self.from_other_causes)}"
        return "\n".join([*aligned(rows), told, *([labels] if self.from_labels else [])])


def error_analysis(
    mistakes: Iterable[Hashable], tags: Mapping[str, Iterable[Hashable]], *, error: float, level: float = LEVEL
) -> ErrorAnalysis:
    """For each tag the share of the mistakes that have it, and the ceiling error (1 - share) of mending all of them.

    mistakes: what names the examples that were looked at, each misclassified; a hundred of the dev set, say.
    tags: for each tag the examples that have it; one may have several. `MISLABELLED`, "incorrectly labelled", marks
    those whose label is wrong. error: the error rate of the dev set, in [0, 1]. level: of the shares' intervals.

    Raises ValueError for no mistakes, one named twice, a tag that matches none of them or names other examples;
    TypeError for a tag that is a mask of booleans.

    >>> dogs = error_analysis(range(100), {"dog": range(5)}, error=0.10)
    >>> print(f"{dogs.ceilings['dog']:.3f}")
    0.095
    """
    seen = list(mistakes)
    if not seen:
        raise ValueError("error_analysis: there are no mistakes to analyse")
    known = set(seen)
    if len(known) < len(seen):
        raise ValueError(f"error_analysis: {next(m for m in seen if seen.count(m) > 1)!r} is among the mistakes twice")
    if not 0 < error <= 1:
        raise ValueError(f"error_analysis: error is a rate above 0 and at most 1, 0.1 for 10%; got {error}")
    found = [_tag(name, set(examples), known, error, level) for name, examples in tags.items()]
    return ErrorAnalysis(error, len(seen), tuple(sorted(found, key=lambda tag: -tag.count)))


def _has_booleans(examples: set[Hashable]) -> bool:
    return any(type(example).__name__.startswith("bool") for example in examples)


def _tag(name: str, examples: set[Hashable], known: set[Hashable], error: float, level: float) -> Tag:
    if _has_booleans(examples) and not _has_booleans(known):  # True is equal to 1, which may be a mistake
        raise TypeError(
            f"error_analysis: tag {name!r} is a mask of booleans; name the mistakes that have it, such as [3, 17]"
        )
    count, others = len(examples & known), examples - known
    if not count:
        raise ValueError(f"error_analysis: tag {name!r} matches none of the {len(known)} mistakes")
    if others:
        raise ValueError(f"error_analysis: tag {name!r} names {next(iter(others))!r}, which is none of the mistakes")
    share = wilson(count, len(known), level=level)
    return Tag(name, count, share, error * (1 - share.rate))
