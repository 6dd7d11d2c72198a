import pytest

from features.ground.files import write_atomic
from features.ground.paths import var_path


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "folder" / "file"
    write_atomic(path, b"one")
    write_atomic(path, b"two", mode=0o600)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["file"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomic(path, b"one")

    def full(_handle):
        raise OSError("disk full")

    monkeypatch.setattr("features.ground.files.os.fsync", full)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, b"two")
    assert path.read_bytes() == b"one"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_paths_stay_below_the_run_time_folder(var_dir):
    assert var_path("a", "b") == var_dir.resolve() / "a" / "b"
    assert (var_dir / "a").is_dir()
    for parts in (("..", "x"), ("a", "../../x"), ("/etc/passwd",)):
        with pytest.raises(ValueError, match="path leaves"):
            var_path(*parts)
