"""The queries of docs/queries.md, taken from the page, and the account that they are asked of."""

import re
from pathlib import Path

import docs
from emulator import Harvest

PAGE = (Path(docs.__path__[0]) / "queries.md").read_text(encoding="utf-8")
QUERIES = dict(re.findall(r"^## (.+?)\n.*?^```sql\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE))
VIEW = QUERIES["Rows that are still there"].partition(";")[0]
"""What makes the view of deleted rows, which the other queries leave out."""
[EMPTY_VIEW] = re.findall(r"^    (CREATE OR REPLACE VIEW .*?);$", PAGE, flags=re.DOTALL | re.MULTILINE)
"""The same without `deleted_records`."""


def agency() -> Harvest:
    """A small agency, two weeks of work after its rows were made."""
    harvest = Harvest(size="xs", seed=0)
    harvest.work(days=14)
    fixed = {project["id"] for project in harvest.listed("projects") if project["is_fixed_fee"]}
    for entry in harvest.listed("time_entries"):
        if entry["project"]["id"] in fixed:
            harvest.update("time_entries", entry["id"], billable_rate=90.0)  # which the fee replaces
    return harvest
