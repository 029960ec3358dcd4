"""Small secret files that only their owner may read: the hash-key and the bootstrap admin token."""

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from proxy.core.secret import Secret
from proxy.identity.errors import IdentityError
from proxy.identity.secret_text import TOKEN_MARK, new_secret, well_shaped

HASH_KEY_FILE: Final = "hash-key"
BODY_KEY_FILE: Final = "body-key"
ADMIN_TOKEN_FILE: Final = "admin-token"
OWNER_ONLY: Final = 0o600
_KEY_BYTES: Final = 32


def load_or_make_hash_key(folder: Path, given: Secret | None = None) -> bytes:
    """The 32 bytes that are given, else of `hash-key` in the state folder; made with mode 0600 on first start.

    Raises:
        IdentityError: it is damaged, or others than the file's owner may read it.
    """
    return _load_or_make_key(folder / HASH_KEY_FILE, given, "server.hash_key")


def load_or_make_body_key(folder: Path, given: Secret | None = None) -> bytes:
    """The same of `body-key`, which encrypts what is kept of bodies.

    Raises:
        IdentityError: it is damaged, or others than the file's owner may read it.
    """
    return _load_or_make_key(folder / BODY_KEY_FILE, given, "server.body_key")


def load_or_make_admin_token(folder: Path) -> Secret:
    """The bootstrap owner's token, in `admin-token` of the state folder; made with mode 0600 on first start.

    Raises:
        IdentityError: the file holds no well-shaped token, or others than its owner may read it.
    """
    text = load_or_make(folder / ADMIN_TOKEN_FILE, lambda: new_secret(TOKEN_MARK).reveal())
    if not well_shaped(text):
        raise IdentityError("invalid", f"{folder / ADMIN_TOKEN_FILE} does not hold 20 to 256 printable characters")
    return Secret(text)


def load_or_make(path: Path, make: Callable[[], str]) -> str:
    """One line of a private file; whoever comes first makes it, all others read the same."""
    with contextlib.suppress(FileExistsError):
        write_private(path, make())
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise IdentityError("invalid", f"{path} can be read by others than its owner; run: chmod 600 {path}")
    return path.read_text("utf-8").strip()


def _load_or_make_key(path: Path, given: Secret | None, setting: str) -> bytes:
    text = load_or_make(path, lambda: secrets.token_hex(_KEY_BYTES)) if given is None else given.reveal()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise IdentityError("invalid", f"{path if given is None else setting} does not hold 64 hexadecimal digits")
    return key


def write_private(path: Path, line: str) -> None:
    """Write a new file whole or not at all, mode 0600; raises FileExistsError when there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()
