"""The HTTP side of the server: what is read, what is refused, what is answered. Knows GraphQL as a schema to execute, and no CRM."""

from server.http.operations import ContextFactory, Resumable
from server.http.request_id import request_id
from server.http.run import GraphServer, StopHook, listen, uvicorn_config
from server.http.settings import HttpSettings
from server.http.view import GraphQLView

__all__ = [
    "ContextFactory",
    "GraphQLView",
    "GraphServer",
    "HttpSettings",
    "Resumable",
    "StopHook",
    "listen",
    "request_id",
    "uvicorn_config",
]
