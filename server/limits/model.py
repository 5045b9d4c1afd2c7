"""What one operation may ask for, and how a refusal reads."""

from dataclasses import dataclass

from graphql import GraphQLError

from vendors.errors import ErrorCode

_LARGEST_NUMBER = 2**53 - 1  # the largest whole number every JSON reader holds exactly; a fragment bomb expands far beyond it


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one operation; each is checked before any resolver runs.

    Args:
        max_depth: Levels of fields, the leaves included. Introspection has a fixed limit of its own, so that GraphiQL always works.
        max_nesting: Levels of selection sets, counting the fragments on the way as well.
        max_aliases: Aliases, each counted as often as its fragment is used.
        max_root_fields: Fields at the top of an operation.
        max_directives: Directives in the whole document.
        max_repeats: How often one selection set may ask for the same field under the same name.
        max_fragments: Named fragments in the document.
        max_tokens: Tokens of the document, comments included; checked while it is parsed.
        max_cost: Objects the answer may hold, as `server.limits.cost` estimates them.
        deadline_seconds: How long an operation may take; vendor calls end by then.
        grace_seconds: How long after the deadline the answer may still be put together before execution is cancelled.
    """

    max_depth: int = 15
    max_nesting: int = 100
    max_aliases: int = 60
    max_root_fields: int = 20
    max_directives: int = 40
    max_repeats: int = 20
    max_fragments: int = 100
    max_tokens: int = 5000
    max_cost: int = 100_000
    deadline_seconds: float = 10.0
    grace_seconds: float = 0.5


def limit_error(message: str, *, limit: str, maximum: int, actual: int) -> GraphQLError:
    """Build the refusal of an operation.

    Args:
        message: What is too much and what to do instead, with `{actual}` and `{maximum}` where the numbers go.
        limit: Name of the limit, as `Limits` spells it.
        maximum: What is allowed.
        actual: What was asked for, however large.
    """
    shown = min(actual, _LARGEST_NUMBER)
    written = f"{shown}" if shown == actual else "far more"
    extensions = {"code": ErrorCode.LIMIT_EXCEEDED, "limit": limit, "maximum": maximum, "actual": shown}
    return GraphQLError(message.format(actual=written, maximum=maximum), extensions=extensions)
