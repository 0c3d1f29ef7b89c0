"""What a page loads to assess by itself: a run-time that `make browser` made, and this very package.

`/runtime/manifest.json` names the files with their sizes and checksums; an address that holds the checksum is kept by
browsers for good.
"""

from __future__ import annotations

from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from elocute.browser.bundle import bundle, manifest, settings
from elocute.server.problems import Problem
from elocute.server.settings import ServerConfig

RUNTIME = Path(__file__).parent / "runtime"
_FOR_GOOD = "public, max-age=31536000, immutable"


class _Files(StaticFiles):
    """The run-time's files; a browser asks again whether one has changed, unless its address says which it is."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = _FOR_GOOD if scope.get("query_string") else "no-cache"
        return response


def device_files(config: ServerConfig) -> Router:
    """Everything below `/runtime`."""
    told = settings(config.assessor, max_duration_s=config.max_duration_s, max_text_chars=config.max_text_chars)

    async def listed(request: Request) -> Response:
        if (config.assessor.backend, config.assessor.scorer) != ("embedded", None):
            raise Problem("not-found", "this server assesses with models of its own, which it gives to no browser")
        return JSONResponse(await run_in_threadpool(manifest, RUNTIME, told), headers={"Cache-Control": "no-cache"})

    async def package(request: Request) -> Response:
        whole = await run_in_threadpool(bundle)
        if request.query_params.get("v", whole.sha256) != whole.sha256:
            raise HTTPException(404)  # of another version: the page has to be loaded again
        return Response(whole.content, media_type="application/zip", headers={"Cache-Control": _FOR_GOOD})

    return Router(
        [
            Route("/manifest.json", listed),
            Route("/elocute.zip", package),
            Mount("/", _Files(directory=RUNTIME)),
        ]
    )
