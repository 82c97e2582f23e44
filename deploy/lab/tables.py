"""Reads Paimon tables of a warehouse with pypaimon."""

from pathlib import Path
from typing import Any

from pypaimon import CatalogFactory


def read(warehouse: Path, name: str) -> list[dict[str, Any]]:
    """The rows of the newest snapshot, as dictionaries by column. A table without a snapshot has none."""
    table = CatalogFactory.create({"warehouse": str(warehouse)}).get_table(name)
    builder = table.new_read_builder()
    splits = builder.new_scan().plan().splits()
    if not splits:
        return []
    return builder.new_read().to_arrow(splits).to_pylist()


def snapshot_id(warehouse: Path, name: str) -> int:
    """Of the newest snapshot; 0 when there is none. `name` is "database.table"."""
    database, table = name.split(".")
    folder = warehouse / f"{database}.db" / table / "snapshot"
    if not folder.is_dir():
        return 0
    ids = [path.name.removeprefix("snapshot-") for path in folder.iterdir()]
    return max((int(number) for number in ids if number.isdigit()), default=0)
