"""What follows from the text of a document alone is found once, and kept for as long as the document is."""

from typing import Any

from graphql import DocumentNode


def kept_with(document: DocumentNode, owner: object) -> dict[Any, Any]:
    """The dictionary that a document carries for an owner; whoever fills it says how much there can be."""
    kept: dict[object, dict[Any, Any]] = vars(document).setdefault("kept", {})  # no field of the node: nobody compares or prints it
    found = kept.get(owner)
    if found is None:
        found = kept[owner] = {}
    return found
