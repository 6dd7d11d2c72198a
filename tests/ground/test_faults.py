"""The hook that kills: at every write, in order, and nowhere once all are done."""

from pathlib import Path

import pytest

from features.ground.files import write_atomic
from features.ground.steps import step
from tests.faults import kill_everywhere

pytestmark = pytest.mark.django_db(transaction=True)


def write_twice(folder: str) -> None:
    """Write a file carefully and another carelessly, then do what nobody sees."""
    write_atomic(Path(folder, "careful"), b"new")
    Path(folder, "careless").write_bytes(b"new")
    step("unseen")


def fail(folder: str) -> None:
    raise ZeroDivisionError(folder)


def test_an_action_is_killed_before_each_of_its_writes(var_dir: Path) -> None:
    def prepare(n: int) -> dict[str, str]:
        folder = var_dir / str(n)
        folder.mkdir()
        (folder / "careful").write_bytes(b"old")
        return {"folder": str(folder)}

    left = []
    for kill in kill_everywhere("tests.ground.test_faults.write_twice", prepare):
        folder = var_dir / str(kill.n)
        whole = (folder / "careful").read_bytes().decode()
        left.append((kill.at.split()[0], whole, (folder / "careless").exists()))
    assert left == [
        ("os.mkdir", "old", False), ("open", "old", False), ("os.rename", "old", False),
        ("open", "new", False), ("unseen", "new", True),
    ]  # fmt: skip


def test_an_action_that_fails_is_not_taken_for_one_that_lived(var_dir: Path) -> None:
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        list(kill_everywhere("tests.ground.test_faults.fail", lambda n: {"folder": str(n)}))
