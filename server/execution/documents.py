"""Documents that were valid once are neither parsed nor validated again, over whatever transport they come.

Only what depends on the text alone is kept. What depends on the variables, such as the cost of an operation, is for those who check it.
"""

from collections.abc import Callable, Iterator
from typing import Final

from graphql import DocumentNode
from strawberry.extensions import SchemaExtension

from server.bounded import BoundedCache

# A parsed document takes up to 340 bytes for each character of its text, so that all of them together stay below 90 MB.
MAX_CHARACTERS: Final = 250_000
MAX_DOCUMENTS: Final = 1_000

Documents = BoundedCache[str, DocumentNode]


def document_cache(*, max_documents: int = MAX_DOCUMENTS, max_characters: int = MAX_CHARACTERS) -> Callable[[], SchemaExtension]:
    """Return a factory for `strawberry.Schema(extensions=...)`, with a cache that belongs to that schema alone.

    Put it before what validates: it tells a known document by an empty list of errors.

    Args:
        max_documents: Number of documents that are kept.
        max_characters: Length of their texts together. A text longer than an eighth of it is not kept.
    """
    documents: Documents = BoundedCache(max_items=max_documents, max_weight=max_characters, weigh=lambda text, _: len(text))
    return lambda: DocumentCaching(documents)


class DocumentCaching(SchemaExtension):
    """Gives the operation its document when it is known, and keeps it when it has proved valid."""

    def __init__(self, documents: Documents) -> None:
        super().__init__()
        self._documents = documents

    def on_operation(self) -> Iterator[None]:
        context = self.execution_context
        document = self._documents.get(context.query) if context.query else None
        if document is not None and context.graphql_document is None:
            context.graphql_document = document
            context.pre_execution_errors = []  # none of the document's own; whoever checks more adds to them
        yield

    def on_validate(self) -> Iterator[None]:
        known = self.execution_context.pre_execution_errors is not None
        yield
        context = self.execution_context
        # An empty list, and not None, says that it was validated.
        if not known and context.pre_execution_errors == [] and context.query and context.graphql_document is not None:
            self._documents.put(context.query, context.graphql_document)
