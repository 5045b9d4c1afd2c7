"""The entity information endpoints: what an entity allows, its fields, and the values of its picklists.

Source: Autotask REST "Entity information" calls (vendor help); a picklist's values are text there while records carry numbers.
"""

import re
from typing import Any

from vendors.autotask.sandbox.fields import Entity, Field
from vendors.autotask.sandbox.store import Store

_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def entity_information(entity: Entity) -> dict[str, Any]:
    can_create, can_update = entity.can_create or bool(entity.parent_field), entity.can_update or bool(entity.parent_field)
    can_delete = bool(entity.parent_field)
    return {
        "name": entity.singular,
        "canCreate": can_create,
        "canDelete": can_delete,
        "canQuery": True,
        "canUpdate": can_update,
        "userAccessForCreate": _access(allowed=can_create),
        "userAccessForDelete": _access(allowed=can_delete),
        "userAccessForQuery": _access(allowed=True),
        "userAccessForUpdate": _access(allowed=can_update),
        "hasUserDefinedFields": entity.has_udfs,
        "supportsWebhookCallouts": entity.webhooks,
    }


def field_information(store: Store, entity: Entity, field: Field) -> dict[str, Any]:
    """Metadata of a field, of the user-defined ones as well."""
    return {
        "name": field.name,
        "label": _WORD_BREAK.sub(" ", field.name[0].upper() + field.name[1:]),
        "dataType": "datetime" if field.type == "date" else field.type,
        "length": field.length,
        "isRequired": field.required,
        "isReadOnly": field.readonly,
        "isQueryable": True,
        "isReference": bool(field.reference),
        "referenceEntityType": field.reference,
        "isPickList": field.picklist,
        "picklistValues": _picklist(store, entity, field),
        "picklistParentValueField": "",
        "isSupportedWebhookField": False,
    }


def _picklist(store: Store, entity: Entity, field: Field) -> list[dict[str, Any]] | None:
    if not field.picklist:
        return None
    as_number = store.options["picklist_values"] == "int"
    return [
        {
            "value": int(listed["value"]) if as_number and listed["value"].isdecimal() else listed["value"],
            "label": listed["label"],
            "isDefaultValue": listed.get("isDefaultValue", False),
            "sortOrder": listed.get("sortOrder", order),
            "parentValue": listed.get("parentValue", ""),
            "isActive": listed["isActive"],
            "isSystem": listed.get("isSystem", False),
        }
        for order, listed in enumerate(store.picklists[entity.name][field.name], start=1)
    ]


def _access(*, allowed: bool) -> str:
    return "All" if allowed else "None"
