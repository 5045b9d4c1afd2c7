"""The schema, composed of the resolvers, the registered vendors and what runs around every operation."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import strawberry
from strawberry.extensions import SchemaExtension
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from resolvers.answers import Answers
from resolvers.mutations import Mutation
from resolvers.queries import Query
from resolvers.scalars import SCALARS
from resolvers.subscriptions import Subscription
from resolvers.types.account import Account
from resolvers.types.contact import Contact
from resolvers.types.crm import Crm
from resolvers.types.opportunity import Opportunity
from resolvers.types.pipeline import Pipeline
from resolvers.types.stage import Stage
from resolvers.types.user import User
from server.execution import HooksRunner, document_cache, executor_class

SCHEMA_FILE: Final = Path(__file__).parent.parent / "schema.graphql"


class Schema(strawberry.Schema):
    """Logs no errors by itself: `Answers` logs those that are defects of ours."""

    def process_errors(self, errors: list[Any], execution_context: Any = None) -> None:
        """Leave errors to `Answers`."""

    def create_extensions_runner(self, execution_context: ExecutionContext, extensions: list[SchemaExtension]) -> SchemaExtensionsRunner:
        return HooksRunner(execution_context, extensions)


def build_schema(extensions: Iterable[type[SchemaExtension] | Callable[[], SchemaExtension]] = ()) -> strawberry.Schema:
    """Build the schema.

    Args:
        extensions: Further things that run around every operation, such as limits; they run before `Answers`.
    """
    return Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Account, Contact, Crm, Opportunity, Pipeline, Stage, User],
        extensions=[Answers, document_cache(), *extensions],
        execution_context_class=executor_class(),
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
    )


def printed_schema() -> str:
    """The schema in the GraphQL schema language, as `schema.graphql` holds it."""
    return str(build_schema()) + "\n"
