"""The ASGI application: GraphQL with GraphiQL at one address, health and readiness, and what holds for every request."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp
from strawberry import Schema

from server import graphiql
from server.http import pages
from server.http.csrf import PREFLIGHT_HEADERS
from server.http.guard import GuardMiddleware, JsonCorsMiddleware
from server.http.kept_answers import FootingOf
from server.http.media import MULTIPART
from server.http.middleware import HeaderSizeMiddleware, RequestIdMiddleware
from server.http.operations import ContextFactory
from server.http.settings import HttpSettings
from server.http.transport_sse import LAST_EVENT_ID
from server.http.view import GraphQLView

ENDPOINT = "/graphql"

_GZIP_LEVEL = 5  # within a few percent of the best size at a fraction of its time
_CORS_MAX_AGE_SECONDS = 3600

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def create_app(
    *,
    schema: Schema,
    context_factory: ContextFactory,
    settings: HttpSettings,
    ready: Callable[[], bool],
    default_tabs: Sequence[graphiql.Tab] = (),
    further_routes: Sequence[BaseRoute] = (),
    lifespan: Lifespan | None = None,
    footing_of: FootingOf | None = None,
) -> Starlette:
    """Put the application together.

    What has to end before the server can stop is in the application's `state.on_stop`, a list of `StopHook` for `GraphServer`.

    Args:
        schema: The schema; pass `server.limits.operation_extensions` among its extensions, or nothing limits an operation.
        context_factory: Builds the context of one operation.
        settings: Sizes, origins and switches of the HTTP side.
        ready: Whether `/readyz` says yes.
        default_tabs: Queries that GraphiQL opens with.
        further_routes: What else is served.
        lifespan: What is opened before the first request and closed after the last.
        footing_of: Tells which answers can be kept; without it none are.
    """

    def page() -> str:
        return graphiql.page(endpoint=ENDPOINT, subscription_url=ENDPOINT, default_tabs=default_tabs)

    view = GraphQLView(
        schema=schema,
        context_factory=context_factory,
        settings=settings,
        page=page if settings.graphiql else None,
        footing_of=footing_of,
    )
    routes: list[BaseRoute] = [
        Route(ENDPOINT, view),
        Route(f"{ENDPOINT}/", view),
        WebSocketRoute(ENDPOINT, view),
        Route("/healthz", pages.healthz),
        Route("/readyz", pages.readyz(ready)),
        *further_routes,
    ]
    if settings.graphiql:
        routes.append(Route("/", pages.moved(ENDPOINT)))
    if settings.graphiql and graphiql.is_built():
        routes.append(Mount(f"{ENDPOINT}/assets", _Assets(directory=graphiql.assets_dir())))
    app = Starlette(
        routes=routes,
        middleware=_middleware(settings),
        exception_handlers={HTTPException: pages.http_error(ENDPOINT), Exception: pages.server_error},
        lifespan=lifespan or _nothing_to_open,
    )
    app.state.on_stop = [view.stop]
    app.router.redirect_slashes = False  # a redirect would be an answer without JSON
    return app


class _Assets(StaticFiles):
    """The files of GraphiQL; a worker obeys the policy its own file came with, so they carry that of the page."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response: Response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["content-security-policy"] = graphiql.CONTENT_SECURITY_POLICY
        return response


def _middleware(settings: HttpSettings) -> list[Middleware]:
    """Outermost first: a refusal by one of them still has the headers of those before it."""
    return [
        Middleware(RequestIdMiddleware),
        Middleware(GuardMiddleware, settings=settings),
        Middleware(
            JsonCorsMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=("authorization", "content-type", "x-request-id", LAST_EVENT_ID, *PREFLIGHT_HEADERS),
            expose_headers=("x-request-id",),
            max_age=_CORS_MAX_AGE_SECONDS,
        ),
        Middleware(HeaderSizeMiddleware, settings=settings),
        Middleware(
            GZipMiddleware,
            minimum_size=settings.gzip_minimum_bytes,
            compresslevel=_GZIP_LEVEL,
            exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, MULTIPART),  # streams, the other kind of which is among the defaults
        ),
    ]


@asynccontextmanager
async def _nothing_to_open(_: ASGIApp) -> AsyncGenerator[None]:
    yield
