"""The table of users, and those who are not in it."""

from collections.abc import Sequence

from vendors.model import User


class Users:
    """The table of users, None where they cannot be listed; with those that were read singly, and the ids that nobody has."""

    def __init__(self, listed: Sequence[User] | None) -> None:
        self.listed = listed
        self.found = {user.local_id: user for user in listed or ()}
        self.missing: set[str] = set()
