"""How operations are run: known documents are parsed once, and what their fields declare is resolved level by level."""

from server.execution.documents import document_cache
from server.execution.executor import executor_class
from server.execution.hooks import HooksRunner

__all__ = ["HooksRunner", "document_cache", "executor_class"]
