"""Does a CLIP model know a face by name? Identity inference as an index, a query and an audit.

The names in `__all__` are the public API, which follows semantic versioning. Every other module,
and every name that is not listed here, is private and may change in any release; authors of
plugins have `idia_index.plugins` and `idia_index.types`, too.

Names are imported when they are first used, so that `import idia_index` takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from idia_index._version import __version__

# At once, since the folder `decide` would stand under this name otherwise.
from idia_index.decide.decision import decide

if TYPE_CHECKING:
    from idia_index.decide.decision import Decision
    from idia_index.decide.votes import majority_vote
    from idia_index.encode.backend import Backend
    from idia_index.errors import (
        DamagedIndexError,
        IdiaIndexError,
        InputError,
        MissingExtraError,
        ModelError,
        NoSpaceError,
        RefusedError,
    )
    from idia_index.evaluation.settings import Settings
    from idia_index.pipelines.audit import audit
    from idia_index.pipelines.build import build_index
    from idia_index.pipelines.evaluate import evaluate
    from idia_index.pipelines.load import load_backend_for
    from idia_index.pipelines.query import query
    from idia_index.plugins.backend import Session
    from idia_index.prompts.names import read_names
    from idia_index.prompts.sampling import sample_names
    from idia_index.prompts.templates import read_templates
    from idia_index.registry import load_backend
    from idia_index.report.documents import AuditResult, EvaluationResult, QueryResult
    from idia_index.report.subject_result import SubjectResult
    from idia_index.search.index import Index
    from idia_index.search.open import open_index
    from idia_index.subjects.subjects import Subject, make_subject, read_subjects

_PLACES = {
    "AuditResult": "report.documents",
    "Backend": "encode.backend",
    "DamagedIndexError": "errors",
    "Decision": "decide.decision",
    "EvaluationResult": "report.documents",
    "IdiaIndexError": "errors",
    "Index": "search.index",
    "InputError": "errors",
    "MissingExtraError": "errors",
    "ModelError": "errors",
    "NoSpaceError": "errors",
    "QueryResult": "report.documents",
    "RefusedError": "errors",
    "Session": "plugins.backend",
    "Settings": "evaluation.settings",
    "Subject": "subjects.subjects",
    "SubjectResult": "report.subject_result",
    "audit": "pipelines.audit",
    "build_index": "pipelines.build",
    "evaluate": "pipelines.evaluate",
    "load_backend": "registry",
    "load_backend_for": "pipelines.load",
    "majority_vote": "decide.votes",
    "make_subject": "subjects.subjects",
    "open_index": "search.open",
    "query": "pipelines.query",
    "read_names": "prompts.names",
    "read_subjects": "subjects.subjects",
    "read_templates": "prompts.templates",
    "sample_names": "prompts.sampling",
}

__all__ = [
    "AuditResult",
    "Backend",
    "DamagedIndexError",
    "Decision",
    "EvaluationResult",
    "IdiaIndexError",
    "Index",
    "InputError",
    "MissingExtraError",
    "ModelError",
    "NoSpaceError",
    "QueryResult",
    "RefusedError",
    "Session",
    "Settings",
    "Subject",
    "SubjectResult",
    "__version__",
    "audit",
    "build_index",
    "decide",
    "evaluate",
    "load_backend",
    "load_backend_for",
    "majority_vote",
    "make_subject",
    "open_index",
    "query",
    "read_names",
    "read_subjects",
    "read_templates",
    "sample_names",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'idia_index' has no attribute {name!r}")
    value = getattr(import_module(f"idia_index.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
