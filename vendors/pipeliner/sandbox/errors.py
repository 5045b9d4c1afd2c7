"""The error bodies of Pipeliner, each raised where the rule stands and turned into an answer in one place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PARAMETER_INVALID = (117, "ERROR_PARAMETER_INVALID")
PARAMETER_MISSING = (119, "ERROR_PARAMETER_MISSING")
RELATION_MISSING = (120, "ERROR_RELATIONS_DOESNT_EXIST")
FIELD_VALIDATION = (40002, "ERROR_FIELD_VALIDATION")


class RefusedError(Exception):
    """An answer with an error body."""

    def __init__(self, http_status: int, body: Mapping[str, Any]) -> None:
        super().__init__(body.get("message", ""))
        self.http_status = http_status
        self.body = dict(body)

    def at(self, index: int) -> "RefusedError":
        """The same refusal as an element of a batch."""
        return RefusedError(self.http_status, {**self.body, "entity_index": index, "http_status": self.http_status, "success": False})


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One reason why a field was refused."""

    field_id: str
    field_name: str
    code: tuple[int, str]
    message: str


def envelope(http_status: int, code: int, name: str, message: str) -> RefusedError:
    return RefusedError(http_status, {"code": code, "name": name, "message": message, "http_status": http_status, "success": False})


def invalid(message: str) -> RefusedError:
    """HTTP 400 with the vendor's code 117."""
    return envelope(400, *PARAMETER_INVALID, message)


def unknown_type(name: str) -> RefusedError:
    return envelope(404, 2006, "ERROR_UNKNOWN_TYPE", f"cannot determine entity type from {name}")


def space_not_found() -> RefusedError:
    return RefusedError(404, {"code": 404, "name": "ERROR_NOT_FOUND", "message": "Space not found.", "success": False})


def not_routed(http_status: int, message: str) -> RefusedError:
    """The body of the web framework below the API: it has no `success` key."""
    return RefusedError(http_status, {"status": http_status, "message": message, "errorcode": None, "traceback": None})


def url_not_found() -> RefusedError:
    return not_routed(
        404, "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again."
    )


def validation(
    entity_name: str,
    entity_id: str,
    *,
    problems: Sequence[FieldProblem] = (),
    entity_problems: Sequence[FieldProblem] = (),
    checklist: Sequence[Mapping[str, Any]] = (),
) -> RefusedError:
    """HTTP 422. `message` starts with a newline and joins every message, as recorded from the vendor."""
    by_field: dict[str, list[FieldProblem]] = {}
    for problem in problems:
        by_field.setdefault(problem.field_name, []).append(problem)
    messages = [*(one.message for one in (*problems, *entity_problems)), *(str(item["message"]) for item in checklist)]
    body = {
        "code": 40000,
        "name": "ERROR_ENTITY_VALIDATION",
        "message": "".join(f"\n{message}" for message in messages),
        "entity_id": entity_id,
        "entity_name": entity_name,
        "entity_errors": [{"code": one.code[0], "name": one.code[1], "message": one.message} for one in entity_problems],
        "field_errors": [_field_error(name, group) for name, group in by_field.items()],
        "step_checklist_errors": list(checklist),
        "entity_index": None,
        "http_status": 422,
        "success": False,
    }
    return RefusedError(422, body)


def _field_error(name: str, group: Sequence[FieldProblem]) -> dict[str, Any]:
    field_id = group[0].field_id
    return {
        "field_id": field_id,
        "field_name": name,
        "code": FIELD_VALIDATION[0],
        "name": FIELD_VALIDATION[1],
        "errors": [
            {"code": one.code[0], "name": one.code[1], "message": one.message, "field_id": field_id, "field_name": name} for one in group
        ],
    }
