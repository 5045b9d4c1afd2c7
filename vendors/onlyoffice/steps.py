"""The requests that writes are made of. Pure.

`{id}` in a path stands for a record that an earlier request creates.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from vendors.http import Request
from vendors.model import Opportunity, Stage
from vendors.onlyoffice.drafting import Body, encoded, is_cleared
from vendors.onlyoffice.links import own_fields
from vendors.onlyoffice.members import Members, members_of_record, path_of_member
from vendors.onlyoffice.rules import Path
from vendors.onlyoffice.sending import Step
from vendors.writes import OpportunityValues

DEAL: Final = "crm/opportunity"
# Source: Community Server, ContactInfoType.
_INFO_TYPES: Final = {"phone": 0, "email": 1, "website": 2}


def request(method: str, template: str, local_id: str = "", body: Body | None = None, /, **parts: str) -> Request:
    """Make a request; parts of the template other than `{id}` are given by name."""
    return Request(
        operation=f"{method} {template}",
        method=method,
        path=template.format(id=local_id or "{id}", **parts),
        body=None if body is None else encoded(body),
        content_type=None if body is None else "application/json",
        read=False,
        by_id="{" in template,
    )


def step(
    method: str,
    template: str,
    body: Body,
    local_id: str = "",
    path: Path = (),
    *,
    wanted_access: frozenset[str] | None = None,
    **parts: str,
) -> Step:
    return Step(request=request(method, template, local_id, body, **parts), path=path, wanted_access=wanted_access)


def move_step(local_id: str, stage: Stage) -> Step:
    # Source: Community Server, CRMApi.Deals UpdateToDealMilestone: the argument `stageid` is not the one in the path.
    body = {"stageid": int(stage.local_id)}
    return step("PUT", f"{DEAL}/{{id}}/stage/{{stageid}}", body, local_id, ("stage_id",), stageid=stage.local_id)


def member_steps(current: Opportunity, members: Members, values: OpportunityValues) -> list[Step]:
    own = own_fields(current)
    was = members_of_record(own)
    come = [("POST", local_id) for local_id in members.ids if local_id not in was.ids]
    go = [("DELETE", local_id) for local_id in was.ids if local_id not in members.ids]
    template = f"{DEAL}/{{id}}/contact/{{contactid}}"
    return [
        Step(
            request=request(method, template, current.local_id, contactid=local_id),
            path=path_of_member(local_id, values, own),
        )
        for method, local_id in (*come, *go)
    ]


def tag_steps(tags: Sequence[str], now: Sequence[str], local_id: str) -> list[Step]:
    """Source: Community Server, CRMApi.Tag AddTagTo and DeleteTagFrom."""
    template = f"{DEAL}/{{id}}/tag"
    kept, there = {folded(tag) for tag in tags}, {folded(tag) for tag in now}
    come = [step("POST", template, {"tagName": tag}, local_id, ("tags",)) for tag in tags if folded(tag) not in there]
    gone = [tag for tag in now if folded(tag) not in kept]
    return [*come, *(step("DELETE", template, {"tagName": tag}, local_id, ("tags",)) for tag in gone)]


def emptying_steps(current: Opportunity, named: Mapping[str, Any]) -> list[Step]:
    """Source: Community Server, CRMApi.Deals: a full update passes empty values over; CustomFieldDao.SetFieldValue takes them."""
    template = f"{DEAL}/{{id}}/customfield/{{fieldid}}"
    filled = {item.key for item in current.custom_fields or () if item.display_value}
    cleared = [key for key, value in named.items() if is_cleared(value) and key in filled]
    return [step("POST", template, {"fieldValue": ""}, current.local_id, ("custom_fields", key), fieldid=key) for key in cleared]


def data_steps(data: Mapping[str, str]) -> list[Step]:
    """Source: Community Server, CRMApi.ContactInfo CreateContactInfo."""
    return [
        step(
            "POST",
            "crm/contact/{id}/data",
            {"infoType": _INFO_TYPES[name], "data": value, "isPrimary": True, "category": "Work"},
            path=(name,),
        )
        for name, value in data.items()
    ]


def folded(tag: str) -> str:
    """A tag as the portal compares it."""
    return tag.strip().casefold()
