"""Carrying out a planned write: its requests in order, and what their answers mean."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

from vendors.errors import MalformedReplyError, NotFoundError, OutcomeUnknownError, RejectedRequestError, VendorError
from vendors.extension import wire_names
from vendors.http import Fail, Reply, Request, VendorHttp
from vendors.onlyoffice import wire
from vendors.onlyoffice.inputs import OnlyofficeOpportunityInput
from vendors.onlyoffice.rules import Path
from vendors.writes import InputRefusedError, RuleCode, Violation, Written

# Source: API page "Create an opportunity", Body; Community Server, CRMApi.Contacts.
_PATHS: Final[dict[str, Path]] = {
    "contactid": ("primary_contact_id",),
    "members": ("contact_ids",),
    "title": ("title",),
    "description": ("description",),
    "responsibleid": ("owner_id",),
    "bidcurrencyabbr": ("amount", "currency"),
    "stageid": ("stage_id",),
    "successprobability": ("probability_percent",),
    "expectedclosedate": ("expected_close_date",),
    "customfieldlist": ("custom_fields",),
    "fieldvalue": ("custom_fields",),
    "tagname": ("tags",),
    "companyname": ("name",),
    "firstname": ("first_name",),
    "lastname": ("last_name",),
    "jobtitle": ("title",),
    "companyid": ("account_id",),
    **{name.casefold(): ("extension", attribute) for attribute, name in wire_names(OnlyofficeOpportunityInput).items()},
}
_WORD: Final = re.compile(r"[A-Za-z]+")


class RefusedError(RejectedRequestError):
    """A request with an argument that the portal does not take. `paths` are those of the arguments that it names, if any."""

    paths: Sequence[Path] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A request of a write.

    Args:
        request: The request.
        path: The attribute that it is made for; empty where there are many.
        wanted_access: Who is to see the record afterwards, nobody named for everybody; None where that was not asked for.
    """

    request: Request
    path: Path = ()
    wanted_access: frozenset[str] | None = None


def judge_refusal(reply: Reply, fail: Fail) -> VendorError | None:
    """Read the names of arguments out of a refusal. Its text is in the portal's language and shown to nobody.

    Source: Community Server, ApiHttpHandler: an ArgumentException is 400; .NET writes the name of the argument behind its text.
    """
    if reply.status != HTTPStatus.BAD_REQUEST:
        return None
    try:
        told = wire.ERROR.decode(reply.body).value.error
    except (ValueError, RecursionError):
        told = wire.Told()
    plain = fail(RejectedRequestError)
    error = RefusedError(plain.message, crm=plain.crm, operation=plain.operation, status=plain.status, vendor_code=told.hresult)
    words = (word.casefold() for word in _WORD.findall(told.message or ""))
    error.paths = list(dict.fromkeys(_PATHS[word] for word in words if word in _PATHS))
    return error


async def carry_out(http: VendorHttp, steps: Sequence[Step], local_id: str | None) -> Written:
    """Send the requests one after another. Once one has been done, those that fail are problems of the whole.

    Args:
        http: The way to the portal.
        steps: What to send.
        local_id: The record; None when the first request creates it.

    Raises:
        VendorError: The first request failed, and nothing was done.
    """
    problems: list[Violation] = []
    is_begun = False
    for step in steps:
        try:
            answer = await _send(http, step, local_id)
        except VendorError as error:
            if not is_begun:
                if isinstance(error, RefusedError):
                    raise _refusal(http, step, error) from error
                raise
            problems.append(_problem(step, error))
            continue
        is_begun = True
        if local_id is None:
            local_id = answer.id
        if step.wanted_access is not None and not _has_access(answer, step.wanted_access):
            # Source: Community Server, CRMApi.Deals UpdateDeal: it is passed over without a word.
            message = "Let its creator or an administrator change who may see it; the portal took everything else."
            problems.append(Violation(path=("extension", "access_list"), code=RuleCode.PARTLY_DONE, message=message))
    assert local_id is not None, "the first request creates the record"
    return Written(local_id=local_id, problems=tuple(problems))


async def _send(http: VendorHttp, step: Step, local_id: str | None) -> wire.Done:
    request = step.request
    if local_id is not None and "{id}" in request.path:
        request = replace(request, path=request.path.replace("{id}", local_id))
    reply = await http.send(request)
    try:
        done = _done(http, request, reply)
        if local_id is None and done.id is None:
            raise http.malformed(request, reply)
    except MalformedReplyError as error:
        raise OutcomeUnknownError(
            f"It is not known whether the CRM {http.crm!r} did {request.operation}; look the record up before trying again.",
            crm=http.crm,
            operation=request.operation,
            status=reply.status,
        ) from error
    return done


def _done(http: VendorHttp, request: Request, reply: Reply) -> wire.Done:
    answer: Any = wire.ANY.read(http, request, reply).value.response
    row = answer
    if isinstance(answer, list):
        # Deleting many answers with those that were deleted.
        rows: list[Any] = answer  # pyright: ignore[reportUnknownVariableType]  # JSON comes in untyped
        if not rows:
            # Source: Community Server, DealDao.DeleteBatchDeals: who is not there, or may not be deleted, is passed over.
            raise NotFoundError(f"The CRM {http.crm!r} has no such record to delete.", crm=http.crm, operation=request.operation)
        row = rows[0]
    if isinstance(row, dict):
        return wire.Done.model_validate(row)
    if isinstance(row, str):  # a tag
        return wire.Done()
    raise http.malformed(request, reply)


def _has_access(answer: wire.Done, wanted: frozenset[str]) -> bool:
    """Whether those may see the record, and nobody else but the configured user."""
    there = {employee.id for employee in answer.accessList or ()}
    return bool(answer.isPrivate) is bool(wanted) and wanted <= there and len(there) <= len(wanted) + 1


def _refusal(http: VendorHttp, step: Step, error: RefusedError) -> InputRefusedError:
    message = (
        "Give another value; the portal does not take this one."
        if error.paths or step.path
        else "Read the portal's stages, contacts, users and currencies again; it does not take these values."
    )
    violations = [
        Violation(path=path, code=RuleCode.REJECTED_BY_VENDOR, message=message, vendor_code=error.vendor_code)
        for path in error.paths or [step.path]
    ]
    return InputRefusedError(violations, crm=http.crm, operation=error.operation, status=error.status)


def _problem(step: Step, error: VendorError) -> Violation:
    if isinstance(error, OutcomeUnknownError):
        message = "Look whether this part was done before trying it again; no answer tells."
    else:
        message = "Change the record once more, by this part alone: the portal did the rest."
    return Violation(path=step.path, code=RuleCode.PARTLY_DONE, message=message, vendor_code=error.vendor_code)
