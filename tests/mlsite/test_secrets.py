"""Secrets of a development machine."""

import multiprocessing
from pathlib import Path

from mlsite.secrets import dev_secret


def test_secret_is_made_once_and_kept(tmp_path: Path):
    first = dev_secret(tmp_path, "key")
    assert dev_secret(tmp_path, "key") == first
    assert len(first) >= 48


def test_two_names_hold_two_secrets(tmp_path: Path):
    assert dev_secret(tmp_path, "one") != dev_secret(tmp_path, "two")


def test_nobody_else_may_read_it(tmp_path: Path):
    dev_secret(tmp_path, "key")
    folder = tmp_path / "secrets"
    assert (folder.stat().st_mode & 0o777, (folder / "key").stat().st_mode & 0o777) == (0o700, 0o600)
    assert [file.name for file in folder.iterdir()] == ["key"]


def test_processes_that_start_at_once_agree(tmp_path: Path):
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        secrets = pool.starmap(dev_secret, [(tmp_path, "key")] * 16)
    assert set(secrets) == {(tmp_path / "secrets" / "key").read_text()}
