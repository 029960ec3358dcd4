"""The command `flyball` in this process: what a process of its own would first load is loaded here already."""

import contextlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from proxy.cli import main


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


def command(arguments: Sequence[str], environment: Mapping[str, str]) -> Done:
    """Run `flyball` with these arguments in just this environment."""
    out, err = io.StringIO(), io.StringIO()
    with _environment(environment), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(arguments)
        except SystemExit as end:
            # As the interpreter does it: words are told and are a failure.
            status = end.code if isinstance(end.code, int) else int(bool(end.code))
            if isinstance(end.code, str):
                err.write(end.code + "\n")
    return Done(returncode=status, stdout=out.getvalue(), stderr=err.getvalue())


@contextlib.contextmanager
def _environment(given: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(given)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
