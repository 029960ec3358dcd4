"""`flyball policy test`."""

from pathlib import Path

import pytest

from proxy.cli import main


def test_the_starter_librarys_tests_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "test"]) == 0
    assert "tests pass" in capsys.readouterr().out


def test_what_fails_or_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a_test.rego").write_text("package a_test\ntest_no if 1 == 2\n")
    assert main(["policy", "test", str(tmp_path)]) == 1
    assert "FAIL a_test.test_no is undefined" in capsys.readouterr().out
    (tmp_path / "b.rego").write_text("package b\nx {")
    assert main(["policy", "test", str(tmp_path)]) == 1
    assert "b.rego:2:3" in capsys.readouterr().err


def test_a_folder_without_tests_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "test", str(tmp_path)]) == 1
    assert "0 of 0" in capsys.readouterr().out
