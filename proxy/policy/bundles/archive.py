"""Reading a `.tar.gz` that a stranger may have made: nothing is written to a disk, and everything is bounded."""

import io
import tarfile
import zlib
from typing import Final

from proxy.policy.errors import BadPolicy

MOST_PACKED: Final = 16 * 1024 * 1024
MOST_UNPACKED: Final = 32 * 1024 * 1024
MOST_FILES: Final = 4096
LONGEST_PATH: Final = 512
_HEADERS: Final = MOST_FILES * 4096
"""What tar itself may add: headers, long names and padding."""
_GZIP: Final = 31


def unpacked(archive: bytes) -> dict[str, bytes]:
    """The files of a gzipped tar archive by their paths, which begin with neither `/` nor `./`.

    Raises:
        BadPolicy: it is broken or too large, or has anything in it but plain files and folders at plain paths.
    """
    if len(archive) > MOST_PACKED:
        raise BadPolicy([f"is larger than {MOST_PACKED:,} bytes"])
    raw = _inflated(archive)
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:", encoding="utf-8", errors="strict") as tar:
            return _files(tar, raw)
    except BadPolicy:
        raise
    # Whatever a header made to mislead leads the reader to: it is no archive of ours.
    except (tarfile.TarError, OSError, ValueError, ArithmeticError, LookupError, RecursionError, MemoryError) as error:
        raise BadPolicy([f"is no tar archive: {error}"]) from error


def _inflated(archive: bytes) -> bytes:
    most = MOST_UNPACKED + _HEADERS
    inflater = zlib.decompressobj(_GZIP)
    try:
        raw = inflater.decompress(archive, most + 1)
    except zlib.error as error:
        raise BadPolicy([f"is not gzipped: {error}"]) from error
    if len(raw) > most:
        raise BadPolicy([f"unpacks to more than {MOST_UNPACKED:,} bytes"])
    if not inflater.eof:
        raise BadPolicy(["is cut short"])
    if inflater.unused_data:
        raise BadPolicy(["has something behind its end"])
    return raw


def _files(tar: tarfile.TarFile, raw: bytes) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    total = entries = at = 0
    while (entry := tar.next()) is not None:
        entries += 1
        if entries > MOST_FILES:
            raise BadPolicy([f"holds more than {MOST_FILES:,} files and folders"])
        if entry.offset < at or entry.size < 0:
            raise BadPolicy(["is no tar archive: an entry lies before the one that comes first"])
        at = entry.offset_data
        if entry.isdir():
            continue
        path = _plain_path(entry)
        total += entry.size
        if total > MOST_UNPACKED:
            raise BadPolicy([f"unpacks to more than {MOST_UNPACKED:,} bytes"])
        if path in files:
            raise BadPolicy([f"{path}: stands in the archive twice"])
        files[path] = _content(tar, entry, path)
    # A broken header looks like the end; what it hides must not be left out silently.
    if raw[tar.offset :].strip(b"\0"):
        raise BadPolicy(["is no tar archive: there is something behind its last file"])
    return files


def _plain_path(entry: tarfile.TarInfo) -> str:
    """The path of a plain file."""
    if not entry.isreg() or entry.issparse():
        raise BadPolicy([f"{_shown(entry.name)}: is no plain file; links and devices are not taken"])
    path = entry.name.removeprefix("./").removeprefix("/")
    parts = path.split("/")
    if len(path) > LONGEST_PATH or not path.isprintable() or "\\" in path or {"", ".", ".."} & set(parts):
        raise BadPolicy([f"{_shown(entry.name)}: is no path inside of a bundle"])
    return path


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo, path: str) -> bytes:
    reader = tar.extractfile(entry)
    content = b"" if reader is None else reader.read(entry.size)
    if len(content) != entry.size:
        raise BadPolicy([f"{path}: is cut short"])
    return content


def _shown(name: str) -> str:
    return ascii(name[:LONGEST_PATH])
