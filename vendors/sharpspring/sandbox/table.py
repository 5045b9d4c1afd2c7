"""The rows of one table, found by id or by index without walking over the others."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from vendors.sharpspring.sandbox.schema import Column, TableSpec

Row = dict[str, Any]

_MAX_VIEWS = 256


@dataclass(slots=True)
class Table:
    """One table.

    Args:
        spec: What it is made of.
        columns: Its columns on the wire, the custom ones last.
        rows: Its rows by id, never changed in place. A row may hold more than the columns (createTimestamp, updateTimestamp).
        api_written: Columns whose text came through the API instead of the product, by row id.
    """

    spec: TableSpec
    columns: dict[str, Column]
    rows: dict[int, Row] = field(default_factory=dict[int, Row])
    api_written: dict[int, set[str]] = field(default_factory=dict[int, set[str]])
    _indexes: dict[str, dict[Any, set[int]]] = field(default_factory=dict[str, dict[Any, set[int]]])
    _views: dict[object, list[Row]] = field(default_factory=dict[object, list[Row]])

    def put(self, row: Row) -> None:
        """Add a row, or take the new values of one."""
        self.remove(row["id"])
        self.rows[row["id"]] = row
        for name in self.spec.indexed:
            self._indexes.setdefault(name, {}).setdefault(row[name], set()).add(row["id"])

    def remove(self, row_id: int) -> Row | None:
        self._views.clear()
        row = self.rows.pop(row_id, None)
        if row is not None:
            for name in self.spec.indexed:
                self._indexes[name][row[name]].discard(row_id)
        return row

    def find(self, where: Mapping[str, frozenset[Any]], *, inactive: bool) -> list[Row]:
        """Return the rows that have one of the values in each of the columns, by ascending id; the list must not be changed.

        Args:
            where: Values by column.
            inactive: Whether rows that the table's flag hides are listed too.
        """
        key = (frozenset(where.items()), inactive)
        if key not in self._views:
            if len(self._views) >= _MAX_VIEWS:
                self._views.clear()
            self._views[key] = self._find(where, inactive=inactive)
        return self._views[key]

    def _find(self, where: Mapping[str, frozenset[Any]], *, inactive: bool) -> list[Row]:
        indexed = next((name for name in where if name in self.spec.indexed), None)
        ids: Collection[int]
        if "id" in where:
            ids = {row_id for row_id in where["id"] if row_id in self.rows}
        elif indexed is not None:
            index = self._indexes.get(indexed, {})
            ids = {row_id for value in where[indexed] for row_id in index.get(value, ())}
        else:
            ids = self.rows.keys()
        flag = None if inactive else self.spec.active
        rows = (self.rows[row_id] for row_id in sorted(ids))
        return [row for row in rows if (not flag or row[flag]) and all(row[name] in values for name, values in where.items())]
