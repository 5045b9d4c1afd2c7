"""The vendor's error codes, and how the sandbox refuses."""

from dataclasses import dataclass, field

# Source: Lead Gen & CRM Open API, "Error codes" (vendor help, article 360034119232).
MESSAGES = {
    101: "Invalid request data format.",
    102: "Header missing request ID.",
    103: "Header missing account ID.",
    104: "Header missing Secret Key.",
    105: "User authentication failed.",
    106: "Exceeded daily method call limit.",
    107: "Exceeded per second method call limit.",
    201: "Request missing method.",
    202: "Request missing params array.",
    204: "Invalid method signature.",
    205: "Invalid parameters.",
    206: "Missing parameters.",
    207: "Missing objects array.",
    208: "Object malformed.",
    209: "Attempting to execute an excess amount of queries.",
    210: "Got array, expected variable.",
    212: "Object is not owned by the company.",
    222: "Attempting to process an excess amount of leads.",
    301: "Entry already exists.",
    302: "No table rows affected.",
    303: "Cannot add or update a child row: a foreign key constraint fails.",
    404: "A record with that ID does not exist.",
}


@dataclass
class RefusedError(Exception):
    """A call or one of its objects is refused with one of the vendor's codes.

    Args:
        code: The vendor's code.
        data: What the vendor puts beside the message, such as the parameter it means.
    """

    code: int
    data: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def message(self) -> str:
        return MESSAGES[self.code]
