"""Time limits: slow form uploads, and jobs that do not end."""

from __future__ import annotations

import asyncio
import time

import pytest
from starlette.requests import Request
from starlette.types import Message

from idia_index.errors import InputError
from idia_index.serve.jobs import Jobs
from idia_index.serve.server import Limits
from idia_index.serve.uploads import read_form
from idia_index.types import StageProgress


def test_a_form_that_trickles_in_is_refused() -> None:
    async def trickle() -> Message:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"a", "more_body": True}

    request = Request({"type": "http", "method": "POST", "headers": []}, trickle)
    begun = time.monotonic()
    with pytest.raises(InputError, match="seconds to arrive"):
        asyncio.run(read_form(request, Limits(upload_seconds=0.1), 1000))
    assert time.monotonic() - begun < 5


def test_a_job_that_does_not_end_is_stopped() -> None:
    def work(progress: StageProgress) -> None:
        while True:
            progress("searching", 0, 1)
            time.sleep(0.005)

    jobs = Jobs(2, seconds=0.1)
    job = jobs.add("ask", work)
    stop = time.monotonic() + 10
    while not job.is_over and time.monotonic() < stop:
        time.sleep(0.01)
    jobs.close()
    assert job.state == "failed" and "was stopped" in job.error
