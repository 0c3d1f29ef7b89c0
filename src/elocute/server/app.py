"""The server's application: its routes, and what surrounds them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles

from elocute.assessor import SCALES
from elocute.errors import ElocuteError
from elocute.installed import installed_document
from elocute.server.assessing import Assessing
from elocute.server.device import device_files
from elocute.server.door import Door, Doorkeeper
from elocute.server.keys import Keys
from elocute.server.metrics import Metrics
from elocute.server.observe import REQUEST_ID, Observe
from elocute.server.openapi import ASSESS, DESCRIPTION, HEALTH, METRICS, MODELS, PRACTICE, READY, TAGS, complete
from elocute.server.pool import Pool
from elocute.server.practising import Practising
from elocute.server.problems import Problem
from elocute.server.process import DeskProcess
from elocute.server.settings import ServerConfig
from elocute.server.stream import Streams
from elocute.server.wanted import L1, LANGUAGES

PAGE = Path(__file__).parent / "page"
METHODS = {
    "/v1/assess": "POST",
    "/v1/practice": "POST",
    "/v1/models": "GET",
    "/healthz": "GET",
    "/readyz": "GET",
    "/metrics": "GET",
    "/openapi.json": "GET",
}
"""What each path of ours takes; all others are files of the page."""
WORK = ("/v1/assess", "/v1/practice", "/v1/stream")
"""Paths whose requests are waited for when the server stops."""


def make_pool(config: ServerConfig) -> Pool[DeskProcess]:
    """Load the models of all workers.

    Raises:
        ConfigError: the settings of the assessor are contradictory, or a model is missing.
    """
    limit_s = config.queue_timeout_s + config.assess_timeout_s  # nobody waits longer
    desks = [DeskProcess(config.assessor, limit_s=limit_s) for _ in range(config.worker_count)]
    try:
        for desk in desks:
            desk.wait()
    except ElocuteError:
        for desk in desks:
            desk.close()
        raise
    return Pool(
        desks,
        waiting=config.queue,
        queue_timeout_s=config.queue_timeout_s,
        run_timeout_s=config.assess_timeout_s,
    )


def create_app(
    config: ServerConfig | None = None, *, pool: Pool[DeskProcess] | None = None, door: Door | None = None
) -> FastAPI:
    """The application, for any ASGI server.

    Workers are processes that are spawned: a script that calls this does so below `if __name__ == "__main__":`.

    Args:
        config: settings; defaults if None.
        pool: workers, which the application closes when it ends; made here if None.
        door: whoever stops the server may close it first.

    Raises:
        ConfigError: the settings are contradictory, a model is missing, or the file of API keys cannot be used.
    """
    config = config or ServerConfig()
    keys = None if config.api_keys is None else Keys.from_file(config.api_keys)
    workers = pool or make_pool(config)
    metrics = Metrics()
    metrics.watch(workers)
    door = door or Door()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        door.close()
        await run_in_threadpool(workers.close)

    app = FastAPI(
        title="elocute",
        version=version("elocute"),
        description=DESCRIPTION,
        openapi_tags=TAGS,
        docs_url=None,  # both pages load their scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    _add_assess(app, Assessing(config, workers, metrics, keys, door))
    _add_practice(app, Practising(config, workers, keys, door))
    _add_stream(app, Streams(config, workers, metrics, keys))
    _add_models(app, config, keys)
    _add_operations(app, workers, metrics, door)
    _add_problems(app, metrics)
    complete(app.openapi())
    app.mount("/runtime", device_files(config), name="runtime")
    if (PAGE / "index.html").is_file():
        app.mount("/", StaticFiles(directory=PAGE, html=True), name="page")
    if config.cors:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(config.cors),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "X-API-Key", REQUEST_ID],
            expose_headers=[REQUEST_ID, "Retry-After", "Server-Timing"],
        )
    app.add_middleware(Doorkeeper, door=door, paths=WORK)
    app.add_middleware(Observe, metrics=metrics, paths=("/", "/v1/stream", *METHODS))
    return app


def _add_assess(app: FastAPI, assessing: Assessing) -> None:
    """`POST /v1/assess`."""

    @app.post("/v1/assess", response_class=Response, **ASSESS)
    async def assess(request: Request) -> Response:
        return await assessing.answer(request)


def _add_practice(app: FastAPI, practising: Practising) -> None:
    """`POST /v1/practice`."""

    @app.post("/v1/practice", response_class=Response, **PRACTICE)
    async def practice(request: Request) -> Response:
        return await practising.answer(request)


def _add_stream(app: FastAPI, streams: Streams) -> None:
    """`/v1/stream`."""

    @app.websocket("/v1/stream")
    async def stream(socket: WebSocket) -> None:
        await streams.answer(socket)


def _add_models(app: FastAPI, config: ServerConfig, keys: Keys | None) -> None:
    """`GET /v1/models`."""
    document = installed_document() | {
        "default_backend": config.assessor.backend,
        "languages": list(LANGUAGES),
        "l1": list(L1),
        "scales": list(SCALES),
        "limits": {
            "max_bytes": config.max_bytes,
            "max_duration_s": config.max_duration_s,
            "max_text_chars": config.max_text_chars,
        },
    }

    @app.get("/v1/models", **MODELS)
    async def models(request: Request) -> JSONResponse:
        if keys is not None:
            request.state.facts["key"] = keys.holder(request.headers)
        return JSONResponse(document)


def _add_operations(app: FastAPI, workers: Pool[DeskProcess], metrics: Metrics, door: Door) -> None:
    """What those ask who run the server."""

    @app.get("/healthz", **HEALTH)
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "alive", "version": version("elocute")})

    @app.get("/readyz", **READY)
    async def readyz() -> JSONResponse:
        door.check()
        alive = workers.crew.alive
        if not alive:
            raise Problem(
                "not-ready",
                f"all {workers.workers} workers died and are being started again; look into the log, and how much "
                "memory there is",
            )
        if workers.is_stuck:
            raise Problem(
                "not-ready",
                f"all {workers.workers} workers have been busy with one recording for too long; restart",
            )
        state = {"workers": workers.workers, "alive": alive, "running": workers.running, "waiting": workers.waiting}
        return JSONResponse({"status": "ready", **state})

    @app.get("/metrics", **METRICS)
    async def figures() -> Response:
        return Response(metrics.text(), headers={"Content-Type": metrics.content_type})


def _add_problems(app: FastAPI, metrics: Metrics) -> None:
    """Whatever goes wrong is answered by a problem."""

    def answered(request: Request, problem: Problem) -> Response:
        state: dict[str, Any] = request.scope.get("state", {})
        metrics.errors.labels(problem.code).inc()
        state.get("facts", {})["problem"] = problem.code
        return problem.response(state.get("request_id", ""))

    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return answered(request, error)

    async def on_refusal(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        allowed = METHODS.get(request.url.path, "GET")
        # The page's files are looked for where the method of a path of ours is wrong, and not found.
        if error.status_code == 405 or request.url.path in METHODS:
            detail = f"the method {request.method[:20]} is not allowed here; expected {allowed}"
            return answered(request, Problem("wrong-method", detail, headers={"Allow": allowed}))
        return answered(request, Problem("not-found", "there is nothing at this path; see /openapi.json"))

    async def on_mistake(request: Request, error: Exception) -> Response:
        request_id = request.scope["state"]["request_id"]
        response = answered(
            request, Problem("mistake", f"this is a bug of the server; report it with the request id {request_id}")
        )
        response.headers[REQUEST_ID] = request_id
        return response

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_refusal)
    app.add_exception_handler(Exception, on_mistake)
