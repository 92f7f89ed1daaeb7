"""Every document that a verb prints or writes as JSON, by the name of its schema."""

from __future__ import annotations

from idia_index import AuditResult, EvaluationResult, QueryResult
from idia_index.cli.add import AddResult
from idia_index.cli.backends import Plugins
from idia_index.cli.build import BuildResult
from idia_index.cli.doctor import DoctorReport
from idia_index.cli.export import ExportResult
from idia_index.cli.remove import RemoveResult
from idia_index.cli.verify import VerifyResult
from idia_index.pipelines.canaries.audit import CanaryAudit
from idia_index.pipelines.compact import CompactResult
from idia_index.pipelines.comparing import Comparison
from idia_index.pipelines.demo import DemoResult
from idia_index.pipelines.info import IndexInfo
from idia_index.pipelines.members import MembersResult
from idia_index.pipelines.non_members import NonMembers
from idia_index.pipelines.parity_report import ParityReport
from idia_index.pipelines.personas import PersonaAudit, PersonaManifest
from idia_index.pipelines.photos import PhotosResult
from idia_index.pipelines.planning import Plan
from idia_index.pipelines.pricing import CallPlan
from idia_index.pipelines.repair import RepairResult
from idia_index.pipelines.replay import ReplayResult
from idia_index.pipelines.studies.results import StudyResults
from idia_index.support.documents import schema
from idia_index.support.text import json_text

# A new document needs a frozen dataclass and a line here; `make docs` writes its schema.
DOCUMENTS: dict[str, type] = {
    "add": AddResult,
    "audit": AuditResult,
    "backends": Plugins,
    "build": BuildResult,
    "canary-audit": CanaryAudit,
    "compact": CompactResult,
    "comparison": Comparison,
    "demo": DemoResult,
    "doctor": DoctorReport,
    "evaluation": EvaluationResult,
    "export": ExportResult,
    "info": IndexInfo,
    "members": MembersResult,
    "non-members": NonMembers,
    "parity": ParityReport,
    "photos": PhotosResult,
    "persona-audit": PersonaAudit,
    "personas": PersonaManifest,
    "plan": Plan,
    "plan-calls": CallPlan,
    "query": QueryResult,
    "remove": RemoveResult,
    "repair": RepairResult,
    "replay": ReplayResult,
    "study": StudyResults,
    "verify": VerifyResult,
}


def schemas() -> dict[str, str]:
    """The text of each schema file, by the file's name."""
    return {f"{name}.json": json_text(schema(kind), indent=1) for name, kind in DOCUMENTS.items()}
