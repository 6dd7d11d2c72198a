import json
from pathlib import Path
import pytest
from django.core.management import call_command
from predictions.models import Prediction
from tests.pipeline.served_model import flights, production

pytestmark = pytest.mark.django_db(transaction=True)

def test_consume(var_dir: Path, tmp_path: Path, capsys) -> None:
    production()
    source = tmp_path / "in.jsonl"
    rows = flights(1200).to_dict("records")
    lines = [json.dumps({"features": list(r.values())}) for r in rows[:600]] + [json.dumps(r) for r in rows[600:]]
    lines[3] = "nonsense"; lines[5] = '{"features": [1,2]}'; lines[7]='{"key":"a","record":{"delay":1e999}}'
    source.write_text("\n".join(lines))
    call_command("consume", "--source", "jsonl", "--input", str(source), "--output", str(tmp_path/"out"), "--model", "late", "--json")
    print(capsys.readouterr())
    print((tmp_path / "out").read_text()[:500])
    print((tmp_path / "out.dead").read_text()[:1500])
    print((tmp_path / "out.offset").read_text())
    assert Prediction.objects.count()==1197
