"""Carries writes out, and reads what became of each object. What the objects mean is told by their `fields`."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from vendors.errors import (
    ConflictError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RejectedRequestError,
    VendorError,
)
from vendors.http import Request, VendorHttp
from vendors.sharpspring import wire
from vendors.sharpspring.rpc import KIND_OF_CODE, NO_ROWS_AFFECTED, request_of
from vendors.writes import InputRefusedError, RuleCode, Violation, Written

Path = tuple[str, ...]

# Source: Lead Gen & CRM Open API, overview article: at most 500 objects in a call.
MAX_OBJECTS: Final = 500
NEW_ID: Final = "{id}"

# Source: Lead Gen & CRM Open API, "Error codes" (vendor help, article 360034119232).
_EXISTS: Final = "301"
_FOREIGN_KEY: Final = "303"
_NO_RECORD: Final = "404"
_UNKNOWN_ERROR: Final = "999"
# Codes that tell something of the values, also where they refuse a call as a whole (the same article).
_ABOUT_VALUES: Final = frozenset({"205", "213", "214", "215", "216", "217", "218", "219", "220", "221", "223", _EXISTS, _FOREIGN_KEY})
# Codes that say that everything is already as it was to be made. An update that changes nothing affects no rows (observed).
_FULFILLED: Final[Mapping[str, frozenset[str]]] = {
    "updateOpportunities": frozenset({NO_ROWS_AFFECTED}),
    "deleteOpportunities": frozenset({NO_ROWS_AFFECTED}),
    "createOpportunityLeads": frozenset({_EXISTS}),
    "deleteOpportunityLeads": frozenset({NO_ROWS_AFFECTED, _NO_RECORD}),
}
_RESULT_KEYS: Final = {"create": "creates", "update": "updates", "delete": "deletes"}
_REFERENCE: Final = re.compile(r"[A-Za-z]+ID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call of a write.

    Args:
        request: The call; `{id}` stands for the id of the record that the first step creates.
        request_id: What the answer has to repeat.
        objects: The objects that it writes.
        fields: Attribute that each of the vendor's fields came from.
        parts: Attribute that each object came from, where an object is a part of the record and not the record itself.
    """

    request: Request
    request_id: str
    objects: Sequence[Mapping[str, object]]
    fields: Mapping[str, Path] = field(default_factory=dict[str, Path])
    parts: Sequence[Path] = ()

    @property
    def result_key(self) -> str:
        return _RESULT_KEYS[self.request.operation[:6]]

    def is_fulfilled_by(self, refusal: wire.Refusal) -> bool:
        return refusal.code in _FULFILLED.get(self.request.operation, ())

    def of(self, local_id: str | None) -> Request:
        """The call, with the id of the record that was created."""
        if local_id is None or self.request.body is None:
            return self.request
        return replace(self.request, body=self.request.body.replace(f'"{NEW_ID}"'.encode(), local_id.encode()))


def steps(
    method: str, objects: Sequence[Mapping[str, object]], *, fields: Mapping[str, Path] | None = None, parts: Sequence[Path] = ()
) -> list[Step]:
    """Make the calls that write these objects."""
    made: list[Step] = []
    for at in range(0, len(objects), MAX_OBJECTS):
        chunk = objects[at : at + MAX_OBJECTS]
        request, request_id = request_of(method, {"objects": chunk}, read=False)
        step = Step(request=request, request_id=request_id, objects=chunk, fields=fields or {}, parts=parts[at : at + MAX_OBJECTS])
        made.append(step)
    return made


class Writer:
    """Writes into one account.

    Args:
        http: The way out.
    """

    def __init__(self, http: VendorHttp) -> None:
        self._http = http

    async def carry_out(self, planned: Sequence[Step], local_id: str | None) -> Written:
        """Make the calls one after another. What fails after the first that did something is told as a problem.

        Args:
            planned: The calls.
            local_id: The record that is written; None when the first call creates it.
        """
        problems: list[Violation] = []
        is_begun = False
        for step in planned:
            try:
                outcomes = await self._send(step, local_id)
                refused = [(place, refusal) for place, outcome in enumerate(outcomes) if (refusal := _refusal(step, outcome)) is not None]
                if not is_begun and len(refused) == len(outcomes):
                    raise self._error(step, refused)
            except VendorError as error:
                if not is_begun:
                    raise
                problems += _not_done(step.parts, is_unknown=isinstance(error, OutcomeUnknownError))
                continue
            is_begun = True
            problems += _not_done([step.parts[place] for place, _ in refused], code=refused[0][1].code if refused else None)
            local_id = local_id or outcomes[0].id
        assert local_id is not None, "a record is either known or created by the first call"
        return Written(local_id=local_id, problems=tuple(problems))

    async def _send(self, step: Step, local_id: str | None) -> list[wire.Outcome]:
        request = step.of(local_id)
        try:
            reply = await self._http.send(request)
        except (RejectedRequestError, ConflictError) as error:
            if error.vendor_code not in _ABOUT_VALUES:
                raise
            refusal = wire.Refusal(error.vendor_code)
            raise self._error(step, [(place, refusal) for place in range(len(step.objects))]) from error
        try:
            receipt = wire.RECEIPT.decode(reply.body).value
            outcomes = receipt.outcomes(step.result_key)
        except (ValueError, RecursionError):
            raise self._unknown(step, reply.status) from None  # the cause quotes the body
        whole = wire.refusal_of(receipt.error)
        if outcomes is None and whole is not None and step.is_fulfilled_by(whole):
            return [wire.Outcome(success=True) for _ in step.objects]
        is_new = step.request.operation.startswith("create")
        if (
            receipt.id != step.request_id
            or outcomes is None
            or len(outcomes) != len(step.objects)
            or any(is_new and outcome.refusal() is None and not wire.is_row_id(outcome.id or "") for outcome in outcomes)
        ):
            raise self._unknown(step, reply.status)
        return outcomes

    def _error(self, step: Step, refused: Sequence[tuple[int, wire.Refusal]]) -> VendorError:
        """The error of a call none of whose objects was written."""
        operation, first = step.request.operation, refused[0][1]
        if first.code == _UNKNOWN_ERROR:
            return self._unknown(step, None)
        kind = KIND_OF_CODE.get(first.code or "")
        if kind is not None and kind is not ConflictError:
            message = _MESSAGE_OF_KIND.get(kind, "The CRM {crm!r} did not do {operation}; nothing was written.")
            message = message.format(crm=self._http.crm, operation=operation)
            return kind(message, crm=self._http.crm, operation=operation, vendor_code=first.code)
        violations = dict.fromkeys(violation for place, refusal in refused for violation in _violations(step, place, refusal))
        return InputRefusedError(list(violations), crm=self._http.crm, operation=operation)

    def _unknown(self, step: Step, status: int | None) -> OutcomeUnknownError:
        operation = step.request.operation
        message = f"It is not known whether the CRM {self._http.crm!r} did {operation}; look the record up before trying again."
        return OutcomeUnknownError(message, crm=self._http.crm, operation=operation, status=status)


def _refusal(step: Step, outcome: wire.Outcome) -> wire.Refusal | None:
    refusal = outcome.refusal()
    return None if refusal is None or step.is_fulfilled_by(refusal) else refusal


def _violations(step: Step, place: int, refusal: wire.Refusal) -> Iterable[Violation]:
    paths = [step.parts[place]] if step.parts else _blamed(step, place, refusal)
    code = RuleCode.INVALID_REFERENCE if refusal.code == _FOREIGN_KEY else RuleCode.REJECTED_BY_VENDOR
    for path in paths:
        yield Violation(path=path, code=code, message=_MESSAGES.get(refusal.code or "", _REFUSED), vendor_code=refusal.code)


def _blamed(step: Step, place: int, refusal: wire.Refusal) -> list[Path]:
    """The attributes that a refusal is about: those whose fields it names, or the only one it can be about."""
    written = [name for name in step.objects[place] if name in step.fields]
    words = set(re.findall(r"\w+", refusal.said))
    named = [name for name in written if name in words]
    if not named and refusal.code == _FOREIGN_KEY:
        named = [name for name in written if _REFERENCE.fullmatch(name) and step.objects[place][name] is not None]
    if not named and refusal.code == _EXISTS:
        # Source: article 50889: a lead is known by its e-mail address.
        named = [name for name in written if name == "emailAddress"]
    paths = list(dict.fromkeys(step.fields[name] for name in named))
    return paths if len(paths) == 1 or words.intersection(named) else [()]


def _not_done(paths: Iterable[Path], *, code: str | None = None, is_unknown: bool = False) -> list[Violation]:
    message = _NOT_KNOWN if is_unknown else _NOT_DONE
    return [Violation(path=path, code=RuleCode.PARTLY_DONE, message=message, vendor_code=code) for path in dict.fromkeys(paths)]


_NOT_DONE: Final = "The opportunity was written, but not all of its contacts were connected or taken out; read it, and update its contacts."
_NOT_KNOWN: Final = "The opportunity was written, but it is not known whether all of its contacts were; read it, and update its contacts."
_REFUSED: Final = "The vendor refused this; its list of error codes says what the code means."
_MESSAGE_OF_KIND: Final[Mapping[type[VendorError], str]] = {
    NotFoundError: "The CRM {crm!r} has no such record.",
    PermissionDeniedError: "The credentials of the CRM {crm!r} may not do {operation}; give them the permission at the vendor.",
}
_MESSAGES: Final = {
    "205": "The vendor does not take this value; give another.",
    _EXISTS: "There is such an entry already; use that one.",
    _FOREIGN_KEY: "The vendor knows no record that this points at; choose one that exists.",
}
