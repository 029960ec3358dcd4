"""`python -m proxy.sim`: the simulated provider as a process; its first line of output says where it listens."""

import argparse
import os
import signal
import sys
import threading

from proxy.sim.provider import SimProvider
from proxy.sim.serving import run_sim
from proxy.sim.settings import SimSettings


def main() -> None:
    """Serve until SIGTERM, SIGINT, or the end of standard input if that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m proxy.sim", description="A simulated model provider.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4010, help="0 takes a free one")
    parser.add_argument("--speed", type=float, default=1.0, help="times faster than real; 0: no waits")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when standard input does")
    options = parser.parse_args()
    if options.until_stdin_closes:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    provider = SimProvider(settings=SimSettings(speed=options.speed, seed=options.seed))
    run_sim(provider, options.host, options.port, _announce)


def _announce(base_url: str) -> None:
    sys.stdout.write(f'{{"event": "sim_listening", "base_url": "{base_url}"}}\n')
    sys.stdout.flush()


def _end_with_stdin() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
