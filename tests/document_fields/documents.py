"""The field names of the vendors' documents, kept as data beside this file.

A field is either shown by the graph at a `path`, which begins with a type's name, or an `input` of writes only. `reason` says why a field
has no place of its own, `always_null` why the vendor never fills it.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
DOCUMENTED = sorted(path.stem for path in FOLDER.glob("*.toml"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentField:
    name: str
    path: str | None = None
    input: bool = False
    reason: str | None = None
    always_null: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One list of fields in a document; `count` is how many the document has, counted there."""

    vendor: str
    name: str
    source: str
    count: int
    fields: tuple[DocumentField, ...]

    def shown(self) -> Iterator[tuple[DocumentField, list[str]]]:
        """The fields that the graph shows, with the steps of their paths."""
        for field in self.fields:
            if field.path is not None:
                yield field, field.path.split(".")


def entities_of(vendor: str) -> list[Entity]:
    return [_entity(vendor, table) for table in _read(vendor)["entity"]]


def settings_of(vendor: str) -> Mapping[str, object]:
    """Settings of a Crm that sees all of the vendor's fields, as far as they differ from the demo's."""
    settings: dict[str, object] = _read(vendor).get("settings", {})
    return settings


def _read(vendor: str) -> dict[str, Any]:
    data = tomllib.loads((FOLDER / f"{vendor}.toml").read_text("utf-8"))
    assert data.keys() <= {"settings", "entity"}
    return data


def _entity(vendor: str, table: dict[str, Any]) -> Entity:
    fields = tuple(_field(name, told) for name, told in table.pop("fields").items())
    return Entity(vendor=vendor, fields=fields, **table)


def _field(name: str, told: str | dict[str, Any]) -> DocumentField:
    return DocumentField(name=name, path=told) if isinstance(told, str) else DocumentField(name=name, **told)
