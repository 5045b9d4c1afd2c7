"""One call of the API, and the table row that an endpoint is."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vendors.onlyoffice.sandbox.envelope import Answer
from vendors.onlyoffice.sandbox.faults import bad_request
from vendors.onlyoffice.sandbox.inputs import Params
from vendors.onlyoffice.sandbox.objects import View
from vendors.onlyoffice.sandbox.records import Employee
from vendors.onlyoffice.sandbox.store import Store
from vendors.sandbox import OptionValue

_INT32 = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """What an endpoint is given. `path` holds the parts of the path that its template names."""

    store: Store
    view: View
    user: Employee
    params: Params
    path: Mapping[str, str]
    options: Mapping[str, OptionValue]

    def path_id(self, name: str) -> int:
        value = int(self.path[name])
        if value >= _INT32:
            raise bad_request("Value was either too large or too small for an Int32.")
        return value


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A verb and a path template. `{x}` takes digits, `{x:text}` takes any one segment."""

    method: str
    template: str
    handler: Callable[[ApiCall], Answer]
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        """Compile the template; every path may end in `.json` and is compared without case."""
        pattern = re.sub(r"\{(\w+):text\}", r"(?P<\1>[^/]+?)", self.template)
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[0-9]+)", pattern)
        object.__setattr__(self, "pattern", re.compile(rf"{pattern}(?:\.json)?/?", re.IGNORECASE))

    @property
    def name(self) -> str:
        return f"{self.method} {self.template.replace(':text', '')}"
