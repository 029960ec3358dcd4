"""The embedded engine: Rego evaluated in this process by regorus, one engine per thread (docs/adr/008)."""

import json
import threading
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import regorus

from proxy.policy.bundle import BASE, Bundle, shipped_base
from proxy.policy.decision import Decision, read_decision
from proxy.policy.errors import BadPolicy, PolicyUnavailable
from proxy.policy.memo import Memo
from proxy.policy.merging import merged, partly_read
from proxy.policy.point import Point
from proxy.policy.reading import Reads, modules_of, queries_of, reads_of

_STACK: Final = "Stack backtrace"
_PROBES: Final = ("{}", '{"org":"o","team":"t","key":"k"}')
"""Inputs at load: an unsupported builtin is found when its package is first evaluated, whatever the input says."""


class _Expression(msgspec.Struct):
    value: Any = None


class _Result(msgspec.Struct):
    expressions: list[_Expression]


class _Evaluated(msgspec.Struct):
    result: list[_Result] = []


_read = msgspec.json.Decoder(_Evaluated).decode
_write = msgspec.json.Encoder().encode


class EmbeddedRego:
    """Decides by one bundle; immutable, replaced whole. May be asked from any thread; each gets an engine of its own.

    A decision is remembered by the values that its point's rules read, unless one of them looks at a clock of its own.
    """

    def __init__(self, bundle: Bundle, *, memo_entries: int = 8192) -> None:
        """Load and try a bundle; takes milliseconds.

        Raises:
            BadPolicy: a module that cannot be read or calls what this engine has not, with file and line.
        """
        self.bundle: Final = bundle
        self.revision: Final = bundle.revision
        self.grant: Final = Decision(allow=True, revision=bundle.revision)
        self._data = json.dumps(bundle.data)
        self._engines = threading.local()
        trees = self._parsed()
        self._merged = merged(trees)
        modules = modules_of(trees)
        if problems := partly_read(modules, [query for point in Point for query in queries_of(point)]):
            raise BadPolicy(problems)
        self._try()
        self._reads = {point: reads_of(modules, point) for point in Point}
        # Without the grant as it is shipped, nothing is known of who is granted what.
        self._is_ruled = bundle.modules.get(BASE) != shipped_base()
        self._shadow_reads = {point: reads_of(modules, point, shadow=True) for point in Point}
        self._memos = {point: Memo(self._reads[point], memo_entries) for point in Point}

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
        memo = self._memos[point]
        key = memo.key_of(facts)
        known = memo.get(key)
        if known is not None:
            return known
        decision = read_decision(point, self.evaluate(f"data.flyball.{point}", facts), self.revision)
        memo.put(key, decision)
        return decision

    async def shadow(self, point: Point, facts: Mapping[str, Any]) -> Decision:
        """What the shadow package would have decided; never remembered, never enforced.

        Raises:
            PolicyUnavailable: as `decide`.
        """
        return read_decision(point, self.evaluate(f"data.flyball.shadow.{point}", facts), self.revision)

    def evaluate(self, query: str, facts: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The value of one query, None where it is undefined.

        Raises:
            PolicyUnavailable: the engine failed, or the value is no object.
        """
        try:
            engine = self._engine()
            engine.set_input_json(_write(facts).decode())
            answer = engine.eval_query_as_json(query)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a panic of the engine is a BaseException, and must not end the worker
            self._engines.engine = None
            raise PolicyUnavailable(self._merged.placed(told(error))) from None
        evaluated = _read(answer).result
        if not evaluated or not evaluated[0].expressions:
            return None
        value = evaluated[0].expressions[0].value
        if not isinstance(value, dict):
            raise PolicyUnavailable(f"{query} is no package")
        return value

    async def knock(self) -> None:
        """Nothing to look at."""

    async def close(self) -> None:
        """Nothing to let go of."""

    def _engine(self) -> Any:
        engine = getattr(self._engines, "engine", None)
        if engine is None:
            engine = self._engines.engine = self._loaded()
        return engine

    def _loaded(self) -> Any:
        engine = regorus.Engine()
        for name, text in self._merged.modules.items():
            engine.add_policy(name, text)
        engine.add_data_json(self._data)
        return engine

    def _parsed(self) -> str:
        """The syntax trees of all modules; all that is wrong at once."""
        problems = []
        engine = regorus.Engine()
        for path, text in self.bundle.modules.items():
            try:
                engine.add_policy(path, text)
            except RuntimeError as error:
                problems.append(told(error))
        if problems:
            raise BadPolicy(problems)
        return str(engine.get_ast_as_json())

    def _try(self) -> None:
        """Evaluate every package once, so that what the engine lacks is found now."""
        try:
            engine = self._loaded()
            for package in sorted(set(engine.get_packages())):
                for probe in _PROBES:
                    engine.set_input_json(probe)
                    engine.eval_query_as_json(package)
        except RuntimeError as error:
            raise BadPolicy([self._merged.placed(told(error))]) from error


def told(error: BaseException) -> str:
    """What the engine says is wrong, on one line with its place first, without its own stack."""
    lines = [line.strip() for line in str(error).partition(_STACK)[0].splitlines() if line.strip(" |")]
    place = next((line.removeprefix("--> ") for line in lines if line.startswith("--> ")), "")
    said = next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), "")
    if not said:
        said = " ".join(lines) or type(error).__name__
    return f"{place}: {said}" if place else said
