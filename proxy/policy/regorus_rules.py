"""Modules and data as regorus evaluates them: one engine per thread, every fault of it told as no decision."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import regorus

from proxy.policy.errors import PolicyUnavailable
from proxy.policy.thread_engines import engine_of, forget_engine

_STACK: Final = "Stack backtrace"


class _Expression(msgspec.Struct):
    value: Any = None


class _Result(msgspec.Struct):
    expressions: list[_Expression]


class _Evaluated(msgspec.Struct):
    result: list[_Result] = []


_read = msgspec.json.Decoder(_Evaluated).decode


class RegorusData:
    """Documents that rules read; kept once per thread, however many engines read them there."""

    def __init__(self, written: str) -> None:
        self._written = written

    def engine(self) -> Any:
        """A new engine that knows the documents and no rule."""
        return engine_of(self, self._beginning).clone()

    def _beginning(self) -> Any:
        engine = regorus.Engine()
        engine.add_data_json(self._written)
        return engine


class RegorusRules:
    """Some modules over some data. May be asked from any thread; each makes an engine of its own when it first asks."""

    def __init__(self, modules: Mapping[str, str], data: RegorusData, placed: Callable[[str], str]) -> None:
        self._modules = modules
        self._data = data
        self._placed = placed

    def evaluate(self, query: str, asked: bytes) -> Mapping[str, Any] | None:
        """The value of one query on an input in JSON; None where it is undefined.

        Raises:
            PolicyUnavailable: the engine failed, or the value is no object.
        """
        try:
            engine = engine_of(self, self.loaded)
            engine.set_input_json(asked.decode())
            answer = engine.eval_query_as_json(query)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a panic of the engine is a BaseException, and must not end the worker
            if not isinstance(error, RuntimeError):
                forget_engine(self)
            raise PolicyUnavailable(self._placed(told(error))) from None
        evaluated = _read(answer).result
        if not evaluated or not evaluated[0].expressions:
            return None
        value = evaluated[0].expressions[0].value
        if not isinstance(value, dict):
            raise PolicyUnavailable(f"{query} is no package")
        return value

    def loaded(self) -> Any:
        """A new engine that has it all. Raises RuntimeError: what it cannot read."""
        engine = self._data.engine()
        try:
            for name, text in self._modules.items():
                engine.add_policy(name, text)
            return engine
        finally:
            del engine  # where it fails, the error holds this frame, and may end on another thread


def told(error: BaseException) -> str:
    """What the engine says is wrong, on one line with its place first, without its own stack."""
    lines = [line.strip() for line in str(error).partition(_STACK)[0].splitlines() if line.strip(" |")]
    place = next((line.removeprefix("--> ") for line in lines if line.startswith("--> ")), "")
    said = next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), "")
    if not said:
        said = " ".join(lines) or type(error).__name__
    return f"{place}: {said}" if place else said
