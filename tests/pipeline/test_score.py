from pathlib import Path

import pytest

from pipeline.actions.score import score
from tests.pipeline.served_model import flights, production

pytestmark = pytest.mark.django_db(transaction=True)


def test_score(var_dir: Path, tmp_path: Path) -> None:
    production()
    source = tmp_path / "in.csv"
    flights(1000).to_csv(source, index=False)
    r = score("late", source, tmp_path / "out.csv", chunk_rows=300, actor="cli:t")
    print(r)
    print((tmp_path / "out.csv").read_text()[:500])
    print(list(tmp_path.iterdir()))
