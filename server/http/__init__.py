"""The HTTP side of the server: what is read, what is refused, what is answered. Knows GraphQL as a schema to execute, and no CRM."""

from server.http.request_id import request_id
from server.http.run import listen, uvicorn_config
from server.http.settings import HttpSettings
from server.http.transport_ws import SocketSession
from server.http.view import ContextFactory, GraphQLView

__all__ = ["ContextFactory", "GraphQLView", "HttpSettings", "SocketSession", "listen", "request_id", "uvicorn_config"]
