"""The public names of poolsift, loaded when first used; nothing else lives here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poolsift.analysis.whatif import WhatIf, what_if
    from poolsift.classifier import Classifier
    from poolsift.dns.snapshot import Snapshot
    from poolsift.domain_facts import DomainFacts
    from poolsift.engines.live_dns import LiveDns
    from poolsift.engines.local import classify_files
    from poolsift.engines.resolving import ResolveOptions, resolve_names
    from poolsift.engines.survey import survey_files
    from poolsift.errors import (
        DnsIncompleteError,
        InputError,
        LimitError,
        LockedError,
        OutputError,
        OverlayError,
        PoolsiftError,
        RejectLimitError,
        RulesError,
        SnapshotError,
        TenantFileError,
        UsageError,
    )
    from poolsift.evidence import decode_evidence
    from poolsift.explain import explain_verdict
    from poolsift.overlay import Overlay
    from poolsift.tenant import Tenant
    from poolsift.verdict_stream import VerdictStream
    from poolsift.verdicts import Pool, Verdict

__version__ = "0.1.0"

__all__ = [
    "Classifier",
    "DnsIncompleteError",
    "DomainFacts",
    "InputError",
    "LimitError",
    "LiveDns",
    "LockedError",
    "OutputError",
    "Overlay",
    "OverlayError",
    "Pool",
    "PoolsiftError",
    "RejectLimitError",
    "ResolveOptions",
    "RulesError",
    "Snapshot",
    "SnapshotError",
    "Tenant",
    "TenantFileError",
    "UsageError",
    "Verdict",
    "VerdictStream",
    "WhatIf",
    "__version__",
    "classify_files",
    "decode_evidence",
    "explain_verdict",
    "resolve_names",
    "survey_files",
    "what_if",
]

_HOMES = {
    "Classifier": "classifier",
    "DnsIncompleteError": "errors",
    "DomainFacts": "domain_facts",
    "InputError": "errors",
    "LimitError": "errors",
    "LiveDns": "engines.live_dns",
    "LockedError": "errors",
    "OutputError": "errors",
    "Overlay": "overlay",
    "OverlayError": "errors",
    "Pool": "verdicts",
    "PoolsiftError": "errors",
    "RejectLimitError": "errors",
    "ResolveOptions": "engines.resolving",
    "RulesError": "errors",
    "Snapshot": "dns.snapshot",
    "SnapshotError": "errors",
    "Tenant": "tenant",
    "TenantFileError": "errors",
    "UsageError": "errors",
    "Verdict": "verdicts",
    "VerdictStream": "verdict_stream",
    "WhatIf": "analysis.whatif",
    "classify_files": "engines.local",
    "decode_evidence": "evidence",
    "explain_verdict": "explain",
    "resolve_names": "engines.resolving",
    "survey_files": "engines.survey",
    "what_if": "analysis.whatif",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        msg = f"module 'poolsift' has no attribute {name!r}"
        raise AttributeError(msg)
    value: object = getattr(import_module(f"poolsift.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(__all__) | set(globals()))
