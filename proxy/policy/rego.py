"""The embedded engine: Rego evaluated in this process by regorus, one engine per thread (docs/adr/008)."""

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import regorus

from proxy.policy.asking import Part, PointRules
from proxy.policy.bundle import BASE, Bundle, shipped_base
from proxy.policy.decision import Decision, read_decision
from proxy.policy.errors import BadPolicy
from proxy.policy.lean import Lean
from proxy.policy.merging import merged, partly_read
from proxy.policy.point import Point
from proxy.policy.reading import PACKAGE, Module, Reads, modules_of, queries_of, reads_of
from proxy.policy.redactions import unknown_redactions
from proxy.policy.regorus_rules import RegorusData, RegorusRules, told
from proxy.policy.rules import Rule, rules_of
from proxy.policy.slicing import Slice, sliced
from proxy.policy.unanswered import unanswered_calls

_PROBES: Final = ("{}", '{"org":"o","team":"t","key":"k"}')
"""Inputs at load: an unsupported builtin is found when its package is first evaluated, whatever the input says."""
_write = msgspec.json.Encoder().encode


class EmbeddedRego:
    """Decides by one bundle; immutable, replaced whole. May be asked from any thread; each gets engines of its own.

    What rules said is remembered by the values that they read, unless one of them looks at a clock of its own. Rules
    that read what differs from call to call are evaluated by themselves, so that the others need not be.
    """

    def __init__(self, bundle: Bundle, *, memo_entries: int = 8192) -> None:
        """Load and try a bundle; takes milliseconds. Without `memo_entries` each decision evaluates all rules anew.

        Raises:
            BadPolicy: a module that cannot be read or calls what this engine has not, with file and line.
        """
        self.bundle: Final = bundle
        self.revision: Final = bundle.revision
        self.grant: Final = Decision(allow=True, revision=bundle.revision)
        trees = self._parsed()
        self._merged = merged(trees)
        self._data = RegorusData(json.dumps(bundle.data))
        self._whole = RegorusRules(self._merged.modules, self._data, self._merged.placed)
        modules = modules_of(trees)
        problems = partly_read(modules, [query for point in Point for query in queries_of(point)])
        if problems := problems + unanswered_calls(trees) + unknown_redactions(trees):
            raise BadPolicy(problems)
        trees = self._try()
        self._reads = {point: reads_of(modules, point) for point in Point}
        # Without the grant as it is shipped, nothing is known of who is granted what.
        self._is_ruled = bundle.modules.get(BASE) != shipped_base()
        self._shadow_reads = {point: reads_of(modules, point, shadow=True) for point in Point}
        self._shadow_leans = {point: Lean(reads.paths) for point, reads in self._shadow_reads.items()}
        is_plain = _is_plain(modules, bundle, is_granted=not self._is_ruled)
        rules = rules_of(trees) if memo_entries and is_plain else []
        self._points = {point: self._asked(point, rules, memo_entries) for point in Point}

    @property
    def kind(self) -> str:
        """`embedded`."""
        return "embedded"

    @property
    def away(self) -> str:
        """Never: it is in this process."""
        return ""

    def is_live(self, point: Point) -> bool:
        """Whether any rule beyond the grant is loaded at this point."""
        return self._is_ruled or self._reads[point].live

    def has_shadow(self, point: Point) -> bool:
        """Whether a shadow package is loaded for this point."""
        return self._shadow_reads[point].live

    def reads(self, point: Point) -> Reads:
        """What the point's rules read of the input, shadow rules not counted."""
        return self._reads[point]

    def shadow_reads(self, point: Point) -> Reads:
        """What the point's shadow rules read of the input."""
        return self._shadow_reads[point]

    async def decide(self, point: Point, facts: Mapping[str, Any]) -> Decision:
        """The decision on one input, fully populated.

        Raises:
            PolicyUnavailable: the engine failed, or the package has a wrong shape.
        """
        return self._points[point].decide(facts)

    async def shadow(self, point: Point, facts: Mapping[str, Any]) -> Decision:
        """What the shadow package would have decided; never remembered, never enforced.

        Raises:
            PolicyUnavailable: as `decide`.
        """
        asked = self._shadow_leans[point].written(facts)
        return read_decision(point, self._whole.evaluate(f"data.flyball.shadow.{point}", asked), self.revision)

    def evaluate(self, query: str, facts: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The value of one query, None where it is undefined.

        Raises:
            PolicyUnavailable: the engine failed, or the value is no object.
        """
        return self._whole.evaluate(query, _write(facts))

    async def knock(self) -> None:
        """Nothing to look at."""

    async def close(self) -> None:
        """Nothing to let go of."""

    def _asked(self, point: Point, rules: list[Rule], memo_entries: int) -> PointRules:
        """The rules of a point, in slices where that is worth it and leaves none of them out."""
        query = f"data.flyball.{point}"
        slices = sliced(self._merged.modules, rules, queries_of(point)[0]) or ()
        loaded = [self._loaded(each) for each in slices]
        if not slices or any(each is None for each in loaded):
            parts = [Part(self._whole, self._reads[point], query, memo_entries)]
        else:
            found = zip(loaded, slices, strict=True)
            parts = [Part(each, piece.reads, query, memo_entries) for each, piece in found if each is not None]
        return PointRules(point, parts, self.revision)

    def _loaded(self, piece: Slice) -> RegorusRules | None:
        """A slice as the engine has it; None where it reads other rules in it than were put there."""
        rules = RegorusRules(piece.modules, self._data, self._merged.placed)
        try:
            found = rules_of(str(rules.loaded().get_ast_as_json()))
        except RuntimeError:
            return None
        return rules if len(found) == piece.rules else None

    def _parsed(self) -> str:
        """The syntax trees of all modules; all that is wrong at once."""
        problems = []
        engine = regorus.Engine()
        for path, text in self.bundle.modules.items():
            try:
                engine.add_policy(path, text)
            except RuntimeError as error:
                problems.append(told(error))
        trees = str(engine.get_ast_as_json())
        del engine  # an error holds this frame, and may end on another thread
        if problems:
            raise BadPolicy(problems)
        return trees

    def _try(self) -> str:
        """Evaluate every package once, so that what the engine lacks is found now; the syntax trees of what it has."""
        engine = None
        try:
            engine = self._whole.loaded()
            for package in sorted(set(engine.get_packages())):
                for probe in _PROBES:
                    engine.set_input_json(probe)
                    engine.eval_query_as_json(package)
            return str(engine.get_ast_as_json())
        except RuntimeError as error:
            raise BadPolicy([self._merged.placed(told(error))]) from error
        finally:
            del engine  # the error holds this frame, and may end on another thread


def _is_plain(modules: list[Module], bundle: Bundle, *, is_granted: bool) -> bool:
    """Whether what stands at `data.flyball.<point>` is told by rules of that package and the shipped grant alone."""
    around = [each.path for each in modules if each.package == (PACKAGE,)]
    return PACKAGE not in bundle.data and (not around or (around == [BASE] and is_granted))
