"""Writes the code that shows the objects of a plan, once it has proved to be used again; it shows what `run.completed` shows.

Nothing of a request becomes source but the names of the answer's fields, as literals, and attribute names that are identifiers. All else
is handed to the code by name.
"""

from collections.abc import Callable
from keyword import iskeyword
from math import inf
from typing import TYPE_CHECKING, Any, Final

from graphql import GraphQLScalarType, Undefined

from server.execution.leaves import NEVER_AWAITED, FlawError, enum_names, quick_check, value_completion
from server.execution.plan import ObjectPlan, Plan, Step
from server.execution.steps import CallStep, ReadStep, TypenameStep

if TYPE_CHECKING:
    from server.execution.run import Run

USES: Final = 2  # compiling takes about as long as planning and running ten times

_NAMES: Final[dict[str, Any]] = {
    "bool": bool,
    "flaw": FlawError,
    "float": float,
    "id": id,
    "inf": inf,
    "int": int,
    "safe": NEVER_AWAITED,
    "str": str,
    "type": type,
    "undefined": Undefined,
    "zip": zip,
}


def note_use(plan: Plan) -> None:
    """Count a use of a plan, and compile it when it is used again."""
    plan.uses += 1
    if plan.uses == USES:
        for objects in plan.objects:
            objects.complete = compiled(objects)


def compiled(plan: ObjectPlan) -> "Callable[[Run, list[Any]], list[dict[str, Any]]]":
    """The function that shows objects of a plan."""
    names: dict[str, Any] = {"__builtins__": {}, **_NAMES}
    heads = ["o"]
    columns = ["objects"]
    body: list[str] = []
    entries: list[str] = []
    for number, step in enumerate(plan.steps):
        value = f"v{number}"
        entries.append(f"{step.name!r}: {value}")
        if isinstance(step, TypenameStep):
            entries[-1] = f"{step.name!r}: {plan.object_type.name!r}"
        elif step.complete_all is not None and isinstance(step, ReadStep):
            names[f"r{number}"] = step.read
            read = f"o.{step.attribute}" if _is_plain(step.attribute) else f"r{number}(o)"
            names[f"f{number}"] = step.completion()
            body += [f"{value} = {read}", *_shown(step, value, number, names, f"f{number}(run, o, {value})")]
        elif step.complete_all is not None and isinstance(step, CallStep):
            heads.append(value)
            columns.append(f"columns[{number}]")
            names[f"f{number}"] = value_completion(step.definition.type)
            body += _shown(step, value, number, names, f"f{number}({value})")
        else:
            names[f"s{number}"] = step
            heads.append(value)
            columns.append(f"s{number}.complete(run, objects)")
    lines = [
        "def complete(run, objects):",
        *([f" columns = run.levels[{plan.number}].columns"] if plan.active else []),
        " rows = []",
        " add = rows.append",
        " for o in objects:" if len(heads) == 1 else f" for {', '.join(heads)} in zip({', '.join(columns)}):",
        *("  " + line for line in body),
        f"  add({{{', '.join(entries)}}})",
        " return rows",
    ]
    exec(compile("\n".join(lines), f"<plan of {plan.object_type.name}>", "exec"), names)  # noqa: S102  # see above for what is in it
    complete: Callable[[Run, list[Any]], list[dict[str, Any]]] = names["complete"]
    return complete


def _is_plain(attribute: str | None) -> bool:
    return attribute is not None and all(name.isidentifier() and not iskeyword(name) for name in attribute.split("."))


def _shown(step: Step, value: str, number: int, names: dict[str, Any], completion: str) -> list[str]:
    """Lines that put what is shown of a leaf in the place of its value; the completion is for values that are not as usual."""
    is_required = step.required[0]
    leaf: Any = step.definition.type.of_type if is_required else step.definition.type
    otherwise = f"{value} = {completion}"
    if_missing = [f"else: {otherwise}"] if is_required else []
    check = quick_check(leaf)
    if check is not None:
        or_missing = "" if is_required else f" or {value} is None"
        return [f"if not ({check.format(x=value)}{or_missing}): {otherwise}"]
    members = enum_names(leaf)
    if members is not None:
        names[f"n{number}"], names[f"t{number}"] = members, leaf.wrapped_cls
        return [f"if type({value}) is t{number}: {value} = n{number}[id({value})]", f"elif {value} is not None: {otherwise}", *if_missing]
    if not isinstance(leaf, GraphQLScalarType):
        return [otherwise]
    names[f"k{number}"] = leaf.coerce_output_value
    return [
        f"if type({value}) in safe:",
        f" {value} = k{number}({value})",
        f" if {value} is None or {value} is undefined: raise flaw",
        f"elif {value} is not None: {otherwise}",
        *if_missing,
    ]
