"""A process that reads online values until told to stop, and says what it saw."""

import json
import sys
from pathlib import Path


def main(view: str, stop: str, keys: list[str]) -> None:
    """Read all at once and one by one; every value of an answer must bear the same mark, and none go back."""
    import django

    django.setup()
    from features.adapters.online import read_online

    reads, marks, faults = 0, set(), []
    last = 0.0
    while not Path(stop).exists() and len(faults) < 5:
        rows = read_online(view, keys)
        seen = {row.values.get("mark") for row in rows} | {row.values.get("same") for row in rows}
        one = read_online(view, [keys[reads % len(keys)]])[0]
        mark = one.values.get("mark")
        if len(seen) > 1 or None in seen or mark is None or not last <= min(seen) <= mark:
            faults.append([last, sorted(map(str, seen)), str(mark)])
        last = mark or last
        reads, marks = reads + 1, marks | seen
        if reads == 1:
            print("reading", flush=True)
    print(json.dumps({"reads": reads, "marks": len(marks), "faults": faults}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
