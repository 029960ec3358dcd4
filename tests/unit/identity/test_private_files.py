"""The hash-key and the bootstrap token on disk."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proxy.identity import AdminTokens, IdentityError, load_or_make_hash_key


def test_the_hash_key_is_made_once_private_and_kept(tmp_path: Path) -> None:
    made = load_or_make_hash_key(tmp_path / "new")
    assert len(made) == 32
    assert stat.S_IMODE((tmp_path / "new" / "hash-key").stat().st_mode) == 0o600
    assert load_or_make_hash_key(tmp_path / "new") == made
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["hash-key"]


def test_all_who_start_at_once_read_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(load_or_make_hash_key, [tmp_path] * 32))) == 1


@pytest.mark.parametrize("content", ["", "zz" * 32, "ab" * 31])
def test_a_damaged_hash_key_stops_the_start_without_showing_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "hash-key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(IdentityError) as caught:
        load_or_make_hash_key(tmp_path)
    assert str(path) in str(caught.value)
    assert not content or content not in str(caught.value)


def test_a_file_others_can_read_stops_the_start(tmp_path: Path) -> None:
    AdminTokens.bootstrap_token(tmp_path)
    (tmp_path / "admin-token").chmod(0o644)
    with pytest.raises(IdentityError, match="chmod 600"):
        AdminTokens.bootstrap_token(tmp_path)


def test_the_bootstrap_token_is_made_once(tmp_path: Path) -> None:
    token = AdminTokens.bootstrap_token(tmp_path)
    assert token == AdminTokens.bootstrap_token(tmp_path)
    assert token.reveal().startswith("fba-")
    assert token.reveal() not in repr(token)
