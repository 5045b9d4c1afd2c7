"""What a path and a verb ask for. Paths are taken in any case.

Not documented: whether case matters; the vendor writes the path in lower case and its own links in upper case.
"""

from dataclasses import dataclass
from typing import Literal

from vendors.autotask.sandbox.fields import ENTITIES, Entity

Action = Literal[
    "zone", "versions", "threshold", "query", "count", "next", "children", "get", "create", "patch", "put", "delete",
    "info", "fields", "udfs", "no_verb", "no_path",
]  # fmt: skip

_ROOT = "atservicesrest"
_VERSION = "v1.0"
_BY_SEGMENT = {name.lower(): entity for name, entity in ENTITIES.items()}
_CHILD = "contacts"

# E: an entity, #: a number, C: the contacts of a company, the one entity that is written as a child.
_SHAPES: dict[str, dict[str, Action]] = {
    "zoneinformation": {"GET": "zone"},
    "versioninformation": {"GET": "versions"},
    "thresholdinformation": {"GET": "threshold"},
    "E": {"POST": "create", "PATCH": "patch", "PUT": "put"},
    "E/#": {"GET": "get"},
    "E/query": {"GET": "query", "POST": "query"},
    "E/query/count": {"GET": "count", "POST": "count"},
    "E/query/next": {"GET": "next", "POST": "next"},
    "E/entityinformation": {"GET": "info"},
    "E/entityinformation/fields": {"GET": "fields"},
    "E/entityinformation/userdefinedfields": {"GET": "udfs"},
    "C": {"GET": "children", "POST": "create", "PATCH": "patch", "PUT": "put"},
    "C/#": {"GET": "get", "DELETE": "delete"},
}
_UNVERSIONED = {"versioninformation", "zoneinformation"}
_OPERATIONS: dict[Action, str] = {
    "zone": "zoneInformation",
    "versions": "versionInformation",
    "threshold": "ThresholdInformation",
    "info": "entityInformation",
    "udfs": "userDefinedFields",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a request asks for.

    Args:
        action: What is done.
        operation: Its name in the log, such as `Opportunities.query` or `Companies.Contacts.create`.
        entity: The entity it is done with.
        parent_id: The company, when contacts are asked for as its children.
        id: The record.
        bucket: Whose threads it takes; None for none.
    """

    action: Action
    operation: str
    entity: Entity = ENTITIES["Opportunities"]
    parent_id: int | None = None
    id: int = 0
    bucket: str | None = None


def target_of(method: str, path: str) -> Target:
    """Understand a path; unknown ones have the action `no_path`, and known ones with a wrong verb `no_verb`."""
    segments = [segment for segment in path.lower().split("/") if segment]
    unknown = Target(action="no_path", operation=f"{method} {path}")
    if not segments or segments[0] != _ROOT:
        return unknown
    if segments[1:2] == [_VERSION]:
        segments = segments[2:]
    elif segments[1:2] and segments[1] in _UNVERSIONED:
        segments = segments[1:]
    else:
        return unknown
    name, parent_id, entity = "", None, _BY_SEGMENT.get(segments[0]) if segments else None
    bucket, shape = entity.name if entity else None, segments
    if entity and entity.name == "Companies" and len(segments) > 2 and segments[1].isdecimal() and segments[2] == _CHILD:  # noqa: PLR2004
        name, parent_id, entity, shape = "Companies.", int(segments[1]), ENTITIES["Contacts"], ["C", *segments[3:]]
    elif entity:
        shape = ["E", *segments[1:]]
    verbs = _SHAPES.get("/".join("#" if segment.isdecimal() else segment for segment in shape))
    if verbs is None:
        return unknown
    action = _allowed(verbs.get(method, "no_verb"), entity, parent_id)
    if entity is None:
        # Source: "Thread limiting": zone information takes no thread, threshold information its own.
        return Target(
            action=action, operation=_OPERATIONS.get(action, f"{method} {path}"), bucket=segments[0] if action == "threshold" else None
        )
    return Target(
        action=action,
        operation=f"{name}{entity.name}.{_OPERATIONS.get(action, action if action != 'no_verb' else method)}",
        entity=entity,
        parent_id=parent_id,
        id=int(shape[1]) if len(shape) > 1 and shape[1].isdecimal() else 0,
        bucket=bucket,
    )


def _allowed(action: Action, entity: Entity | None, parent_id: int | None) -> Action:
    if entity is None or parent_id is not None:
        return action
    refused = (action == "create" and not entity.can_create) or (action in {"patch", "put"} and not entity.can_update)
    return "no_verb" if refused else action
