"""The ways the portal says no, as its API layer translates them."""

# Source: Community Server, ApiHttpHandlerBase: exception -> status and fixed reason phrase.
REASONS = {
    400: "Invalid arguments",
    403: "Access denied",
    404: "The record could not be found",
    500: "Server error",
}


class ApiError(Exception):
    """An answer with an error envelope."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def bad_request(message: str = "Value does not fall within the expected range.") -> ApiError:
    return ApiError(400, message)


def not_found(message: str = "Not found") -> ApiError:
    return ApiError(404, message)


def denied(message: str = "Access Denied") -> ApiError:
    return ApiError(403, message)


def server_error(message: str) -> ApiError:
    return ApiError(500, message)
