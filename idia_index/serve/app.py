"""The pages of the server, by address."""

from __future__ import annotations

from collections.abc import Collection

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from idia_index.errors import IdiaIndexError
from idia_index.serve import group_views, other_views, person_views, replay_views
from idia_index.serve.guard import Guard, Spoken
from idia_index.serve.reply import failed, missing
from idia_index.serve.server import Server

_GET, _POST = ["GET"], ["POST"]


def make_app(server: Server, hosts: Collection[str]) -> Starlette:
    """The application of a server that answers to `hosts` ("127.0.0.1:8750", ...)."""
    person, group = "/person/{id}", "/people/{id}"
    routes = [
        Route("/enter", other_views.enter, methods=_GET),
        Route("/login", other_views.login, methods=["GET", "POST"]),
        Route("/static/style.css", other_views.style, methods=_GET),
        Route("/", other_views.start, methods=_GET),
        Route("/index", other_views.choose, methods=_POST),
        Route("/language", other_views.speak, methods=_POST),
        Route("/person", person_views.new, methods=_GET),
        Route("/person", person_views.create, methods=_POST),
        Route(f"{person}/name", person_views.rename, methods=_POST),
        Route(f"{person}/photos", person_views.photos, methods=_GET),
        Route(f"{person}/photos", person_views.add_photos, methods=_POST),
        Route(f"{person}/drawn", person_views.add_drawn, methods=_POST),
        Route(f"{person}/remove", person_views.remove_photo, methods=_POST),
        Route(f"{person}/frame", person_views.frame, methods=_POST),
        Route(f"{person}/ask", person_views.start, methods=_POST),
        Route(f"{person}/answer", person_views.answer, methods=_GET),
        Route(f"{person}/letter", person_views.write_letter, methods=_GET),
        Route("/people", group_views.new, methods=_GET),
        Route("/people", group_views.create, methods=_POST),
        Route(group, group_views.show, methods=_GET),
        Route(f"{group}/ask", group_views.start, methods=_POST),
        Route(f"{group}/again", group_views.again, methods=_POST),
        Route("/report", other_views.report_form, methods=_GET),
        Route("/report", other_views.show_report, methods=_POST),
        Route("/replay", replay_views.create, methods=_POST),
        Route("/replay/{id}", replay_views.show, methods=_GET),
        Route("/{kind:str}/{id}/cancel", other_views.cancel, methods=_POST),
        Route("/{kind:str}/{id}/report", other_views.evidence, methods=_GET),
        Route("/{kind:str}/{id}/report.json", other_views.evidence_file, methods=_GET),
        Route("/data", other_views.data, methods=_GET),
        Route("/delete", other_views.delete, methods=_POST),
        Route("/help", other_views.guide, methods=_GET),
    ]
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(Guard, keys=server.keys, hosts=hosts),
            Middleware(Spoken, language=server.language),
        ],
        exception_handlers={IdiaIndexError: failed, 404: missing, 405: missing, 403: missing},
    )
    app.state.server = server
    return app
