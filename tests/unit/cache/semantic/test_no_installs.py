"""gptcache installs packages while it runs; here it never does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.cache.semantic.backends import open_vectors
from proxy.cache.semantic.no_installs import BackendMissing


def test_a_store_whose_package_is_missing_is_said_by_name() -> None:
    with pytest.raises(BackendMissing, match=r"'milvus'.*pymilvus"):
        open_vectors("milvus", {"host": "127.0.0.1"}, 8)


def test_a_store_that_nobody_knows() -> None:
    with pytest.raises(BackendMissing, match="'nowhere'"):
        open_vectors("nowhere", {}, 8)


def test_no_pip_is_ever_run(tmp_path: Path) -> None:
    pip = tmp_path / "pip"
    pip.write_text(f"#!/bin/sh\necho ran >> {tmp_path}/ran\nexit 1\n")
    pip.chmod(0o755)
    code = (
        "from proxy.cache.semantic.backends import open_vectors\n"
        "from proxy.cache.semantic.no_installs import BackendMissing\n"
        "for name in ('milvus', 'chromadb', 'hnswlib', 'pgvector', 'weaviate', 'docarray', 'qdrant'):\n"
        "    try: open_vectors(name, {}, 8)\n"
        "    except BackendMissing as error: print(error)\n"
    )
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert len(told.stdout.splitlines()) == 7, told.stdout
    assert not (tmp_path / "ran").exists()
