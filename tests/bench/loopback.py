"""A network of its own in which there is only loopback, so that nothing that is measured can call outside."""

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from typing import Final

_INSIDE: Final = "FLYBALL_BENCH_LOOPBACK_ONLY"
_GET_FLAGS: Final = 0x8913  # SIOCGIFFLAGS, netdevice(7)
_SET_FLAGS: Final = 0x8914
_UP: Final = 0x1
_NAMESPACE: Final = ("unshare", "--map-root-user", "--net")


def is_alone() -> bool:
    """Whether this process sees loopback only."""
    return _INSIDE in os.environ


def enter(module: str) -> None:
    """Start this command anew where only loopback is; returns where that is not allowed."""
    if is_alone():
        _raise_loopback()
        return
    if shutil.which("unshare") is None or subprocess.run([*_NAMESPACE, "true"], check=False).returncode:
        print("no network of its own can be made here: what is measured could call outside", file=sys.stderr)
        return
    command = [*_NAMESPACE, sys.executable, "-m", module, *sys.argv[1:]]
    os.execvpe("unshare", command, {**os.environ, _INSIDE: "1"})


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, _GET_FLAGS, asked))[1]
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _UP))
