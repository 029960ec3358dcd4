"""Which candidates may serve a call, in which order, and why; and which may not."""

from collections.abc import Iterable

from msgspec import Struct, structs

from proxy.routing.candidate import Candidate


class Ranked(Struct, frozen=True):
    """A candidate's place: the lower its score the better, in what `why` says."""

    candidate: Candidate
    score: int
    why: str


class LeftOut(Struct, frozen=True):
    """A candidate that may not serve the call, and why."""

    candidate: Candidate
    why: str


class Ranking(Struct, frozen=True):
    """The candidates of one call, best first, and those that were left out."""

    order: tuple[Ranked, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The candidates alone, best first."""
        return tuple(each.candidate for each in self.order)

    def without(self, candidates: Iterable[Candidate], why: str) -> "Ranking":
        """The same with these left out too."""
        out = dict.fromkeys(candidates)
        return structs.replace(
            self,
            order=tuple(each for each in self.order if each.candidate not in out),
            left_out=(*self.left_out, *(LeftOut(each, why) for each in out)),
        )


def as_listed(candidates: Iterable[Candidate], left_out: tuple[LeftOut, ...] = ()) -> Ranking:
    """The candidates in the order of the file."""
    order = tuple(Ranked(each, at, f"number {at} in the file") for at, each in enumerate(candidates, 1))
    return Ranking(order, left_out)
