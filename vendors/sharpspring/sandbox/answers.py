"""How answers are written: rows, the rows of writes, and the envelope, in the shapes that the options choose."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from vendors.sandbox import OptionValue
from vendors.sharpspring.sandbox.errors import RefusedError
from vendors.sharpspring.sandbox.limits import CALLS_PER_DAY
from vendors.sharpspring.sandbox.methods import Read, Subscribed, Written
from vendors.sharpspring.sandbox.table import Row, Table
from vendors.sharpspring.sandbox.values import Render, escaped, renderer


class Answers:
    """Writes answers of one version of the API.

    Args:
        tables: The account's tables.
        options: A value for every option.
        zone: The time zone this version speaks.
    """

    def __init__(self, tables: Mapping[str, Table], options: Mapping[str, OptionValue], zone: ZoneInfo) -> None:
        self._tables = tables
        self._options = options
        self._renderers: dict[str, dict[str, tuple[Render, bool]]] = {
            name: {
                column.name: (renderer(column, options, zone), column.kind == "text" and not column.custom)
                for column in table.columns.values()
            }
            for name, table in tables.items()
        }

    def success(self, reply: Read | Written | Subscribed, request_id: Any, calls_today: int) -> dict[str, Any]:
        """Write the answer to a call that was carried out, although some of its objects may have been refused."""
        result: dict[str, Any] | list[Any]
        refused: list[RefusedError] = []
        match reply:
            case Read():
                result = self._read(reply)
            case Written():
                key = self._key(reply.method.key, reply.method.documented_key)
                result = {key: [self._written(outcome) for outcome in reply.outcomes]}
                refused = [outcome for outcome in reply.outcomes if isinstance(outcome, RefusedError)]
            case Subscribed():
                result = {"success": self._success_flag(succeeded=True)}
        copied = refused and self._options["object_errors"] == "list"
        envelope = {
            "result": result,
            "error": [self._error(refusal) for refusal in refused] if copied else self._no_error(),
            "id": self._echo(request_id),
        }
        if isinstance(reply, Read) and reply.has_more is not None and self._options["has_more"] == "on":
            envelope["hasMore"] = reply.has_more
        return envelope | self._usage(calls_today)

    def failure(self, refused: RefusedError, request_id: Any, calls_today: int) -> dict[str, Any]:
        """Write the answer to a call that was refused as a whole."""
        result: list[Any] | None = None if self._options["empty_map"] == "object" else []
        return {"result": result, "error": self._error(refused), "id": self._echo(request_id)} | self._usage(calls_today)

    def _read(self, read: Read) -> dict[str, Any] | list[Any]:
        if not read.rows and self._options["empty_map"] == "list":
            return []
        table = self._tables[read.method.table]
        result: dict[str, Any] = {
            self._key(read.method.key, read.method.documented_key): [self._row(table, row, read.columns) for row in read.rows]
        }
        if read.has_more is not None and self._options["has_more"] == "on":
            result["hasMore"] = read.has_more
        return result

    def _row(self, table: Table, row: Row, columns: tuple[str, ...] | None) -> dict[str, Any]:
        row_id = row.get("id", 0)
        # Source: observed: values typed in the product are escaped, custom fields and values written by the API are not.
        unescaped = table.api_written.get(row_id, ())
        escapes = self._options["html_escape"] == "on"
        written: dict[str, Any] = {}
        for name, (render, typed) in self._renderers[table.spec.name].items():
            if name not in row or (columns is not None and name not in columns):
                continue
            value = render(row[name], row_id)
            written[name] = escaped(value) if escapes and typed and value and name not in unescaped else value
        return written

    def _written(self, outcome: int | RefusedError | None) -> dict[str, Any]:
        if isinstance(outcome, RefusedError):
            return {"success": self._success_flag(succeeded=False), "error": self._error(outcome)}
        row: dict[str, Any] = {"success": self._success_flag(succeeded=True), "error": None}
        return row if outcome is None else row | {"id": outcome}

    def _success_flag(self, *, succeeded: bool) -> bool | str:
        return succeeded if self._options["success_flags"] == "boolean" else str(succeeded).lower()

    def _error(self, refused: RefusedError) -> dict[str, Any]:
        empty: dict[str, str] | list[str] = {} if self._options["empty_map"] == "object" else []
        return {"code": refused.code, "message": refused.message, "data": refused.data or empty}

    def _no_error(self) -> Any:
        shapes: dict[str, Any] = {"null": None, "list": [], "members": {"code": None, "message": None, "data": None}}
        return shapes[str(self._options["success_error"])]

    def _key(self, actual: str, documented: str) -> str:
        return actual if self._options["result_keys"] == "actual" else documented

    def _echo(self, request_id: Any) -> Any:
        is_number = self._options["scalars"] == "number" and isinstance(request_id, str) and request_id.isdecimal()
        return int(request_id) if is_number and str(int(request_id)) == request_id else request_id

    def _usage(self, calls_today: int) -> dict[str, str]:
        return {"callCount": str(calls_today), "queryLimit": str(CALLS_PER_DAY)} if self._options["call_count"] == "on" else {}
