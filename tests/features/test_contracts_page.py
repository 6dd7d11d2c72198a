"""The examples of docs/contracts.md run as they stand there."""

import re
import shlex

import pytest
import yaml

from features.core.contract import contract_from
from features.core.dataset_rules import KEYS
from features.models import ContractVersion, Dataset, QuarantineFix
from mlsite.config.schema import ROOT
from tests.features.test_commands import run

PAGE = (ROOT / "docs/contracts.md").read_text()
HEADER = "at,carrier,tail,booking,distance,email,late\n"
ROWS = [
    f"2013-01-0{day}T10:00:00Z,UA,N{day}01UA,B{day},{day}00,p{day}@x.org,{'true' if day % 2 else 'false'}"
    for day in range(1, 6)
]
FAULTY = "2013-02-0{}T10:00:00Z,UA,N9{}UA,C{},-5,q@x.org,true"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.M | re.S)


def examples() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert all(line.startswith(".venv/bin/python manage.py ") for line in lines)
    return [shlex.split(line.removeprefix(".venv/bin/python manage.py ")) for line in lines]


def test_the_contract_of_the_page_is_one():
    (text,) = blocks("yaml")
    contract = contract_from(yaml.safe_load(text))
    assert contract.rules.keys() == KEYS.keys()
    assert contract.hidden() == ("email",)
    said = {key for column in contract.as_json() for key, value in column.items() if value is not None}
    assert said == {name for name in said if f"`{name}`" in PAGE or name == "name"}


@pytest.mark.django_db(transaction=True)
def test_the_commands_of_the_page_do_what_it_says(var_dir, tmp_path, write, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("january.csv", HEADER + "\n".join(ROWS) + "\n")
    told = []
    for arguments in examples():
        if arguments[:2] == ["quarantine", "trips"] and "--limit" in arguments:
            # The page speaks of a dataset that has gone on: two more months, each with faulty rows.
            run("schema", "trips", "--set", "on_fault=quarantine", "--set", "rules.freshness=")
            for month in (2, 3):
                good = ROWS[0].replace("2013-01", f"2013-0{month}").replace("B1", f"D{month}")
                write(f"{month}.csv", HEADER + good + "\n" + FAULTY.format(month, month, month) + "\n")
                run("ingest", "trips", f"{month}.csv", "--max-rejected", "0.5")
        if "--import" in arguments:
            path = tmp_path / "trips.yaml"
            path.write_text(path.read_text().replace("columns:", "max_rejected: 0.02\ncolumns:", 1))
        if "--fix" in arguments:
            path = tmp_path / "faulty.csv"
            path.write_text(path.read_text().replace(",-5,", ",5,"))
        told.append((arguments, run(*arguments)))
    by_option = {option: answer for arguments, answer in told for option in arguments if option.startswith("--")}
    assert by_option["--limit"]["total"] == 2
    assert [row["row"] for row in by_option["--reason"].get("rows", [])] or by_option["--fix"]
    assert by_option["--fix"]["rows_fixed"] == 2
    assert QuarantineFix.objects.count() == 2
    assert by_option["--profile"]["version"] == 3
    assert ContractVersion.objects.filter(dataset=Dataset.objects.get()).count() >= 5
