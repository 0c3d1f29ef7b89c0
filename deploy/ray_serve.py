"""The server as a deployment of Ray Serve, for those who run a Ray cluster already.

    pip install 'elocute[serve]' 'ray[serve]'     on every machine
    ELOCUTE_WORKERS=2 serve run --app-dir deploy ray_serve:app

`ray[serve]` is no dependency of elocute: it brings a program under the GPL (HAProxy). Each replica is the whole
application, page and WebSockets included, with as many worker processes as ELOCUTE_WORKERS says; the other settings are
variables, too (docs/operations.md), but for host and port, which are Serve's. Replicas are added where more requests
are under way or waiting than their workers bear.
"""

from __future__ import annotations

import os

from fastapi import FastAPI
from ray import serve

from elocute.server.app import create_app
from elocute.server.settings import ServerConfig
from elocute.server.sources import settled

WORKERS = int(os.environ.get("ELOCUTE_WORKERS", "2"))


def settings() -> ServerConfig:
    """What the variables say; all that a replica may get at once may wait in it, as Serve has a queue of its own."""
    own = {"ELOCUTE_WORKERS": str(WORKERS), "ELOCUTE_QUEUE": str(4 * WORKERS)}
    return settled({}, own | os.environ, None).config


def application() -> FastAPI:
    """The application of one replica."""
    return create_app(settings())


@serve.deployment(
    name="elocute",
    # Ray would give the numerical libraries of every worker as many threads as the replica has processors.
    ray_actor_options={"num_cpus": WORKERS, "runtime_env": {"env_vars": {"OMP_NUM_THREADS": "1"}}},
    max_ongoing_requests=4 * WORKERS,
    max_queued_requests=200,
    autoscaling_config={
        "min_replicas": 1,
        "max_replicas": 50,
        "target_ongoing_requests": 1.5 * WORKERS,
        "upscale_delay_s": 5,
        "downscale_delay_s": 300,
    },
    health_check_period_s=10,
    graceful_shutdown_timeout_s=30,
)
@serve.ingress(application)
class Elocute:
    """One replica."""


app = Elocute.bind()
