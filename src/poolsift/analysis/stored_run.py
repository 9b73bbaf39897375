"""A finished run as what-if takes it: its rows, and the rules, assumptions, tenant and DNS answers behind them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from poolsift.analysis.pool_tables import PoolTables
from poolsift.classifier import Classifier
from poolsift.dns.snapshot import Snapshot
from poolsift.engines.finished import pieces, read_manifest, stored_columns
from poolsift.engines.manifest import file_hash
from poolsift.errors import UsageError
from poolsift.overlay import ChangeKind
from poolsift.rules import BUILT_IN, BY_DATE, parse_assume
from poolsift.tenant import Tenant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poolsift.engines.finished import Piece
    from poolsift.evidence import Fact, Known
    from poolsift.overlay import Overlay
    from poolsift.tenant import Gateway

#: Bytes of the memory ceiling that one kept entry of a table by domain or address stands for.
_ENTRY_BYTES: Final = 1 << 10
_LEAST_ENTRIES: Final = 1 << 14


class StoredRun:
    """Opens ``out``, the -o of classify. ``tenant`` and ``snapshot`` (path or object) stand in for those of the run.

    ``remarks`` says in which way the run can no longer be made again. Raises UsageError for what is no output or one
    without the rows' keys.
    """

    def __init__(
        self,
        out: str,
        *,
        tenant: Tenant | str | None = None,
        snapshot: Snapshot | str | None = None,
        memory: int = 1 << 30,
    ) -> None:
        self.out = out
        self.directory, self.manifest = read_manifest(out)
        if self.manifest["options"]["columns"] == "verdict":
            raise UsageError(
                "holds no addresses, domains and client addresses to read again",
                path=out,
                found="--columns verdict",
                expected="the output of poolsift classify --columns key or all",
            )
        self.said: dict[str, Any] = self.manifest["verdicts"]
        self.remarks: list[str] = []
        self.columns = stored_columns(self.manifest)
        self.most_entries = max(memory // _ENTRY_BYTES, _LEAST_ENTRIES)
        overlay = self.said.get("overlay")
        if overlay is not None:
            changes = "; ".join(overlay["lines"])
            self.remarks.append(f"the run took an overlay for made ({changes}): counted is what comes on top of it")
        self.tenant = self._tenant(tenant)
        self._given_snapshot = snapshot

    @property
    def records(self) -> int:
        """Rows of the output."""
        return int(self.manifest["accounting"]["records"])

    @property
    def gateways(self) -> list[Gateway]:
        """The gateways of every tenant of the file."""
        return [] if self.tenant is None else [one for entry in self.tenant.tenants for one in entry.gateways]

    @cached_property
    def pieces(self) -> list[Piece]:
        """What can be read apart."""
        return pieces(self.directory, self.manifest)

    @cached_property
    def assume(self) -> Mapping[Fact, Known]:
        """What the run assumed of unknown facts."""
        return parse_assume(",".join(f"{fact}={value}" for fact, value in self.said["assumed"].items()) or "none")

    @cached_property
    def rules(self) -> str:
        """The profile, ``by-date``, or the file of the user's own profile. Raises UsageError when that is gone."""
        name: str = self.said["rules"]
        if name in {*BUILT_IN, BY_DATE}:
            return name
        path = self.said.get("rules_file")
        if path is None or file_hash(path) is None:
            raise UsageError(
                "the rule profile of the run is gone", path=self.out, found=path or name, expected="its file in place"
            )
        return str(path)

    @cached_property
    def tables(self) -> PoolTables:
        """The run's own verdict tables."""
        return PoolTables(self.rules, self.assume)

    @cached_property
    def dns(self) -> Snapshot | None:
        """DNS answers for SPF; None with a remark where there are none any more. Loaded at first use."""
        given = self._given_snapshot
        if given is not None:
            return Snapshot.open(given) if isinstance(given, str) else given
        path, known = self.said["dns"], self.said["dns_sha256"]
        if known is None:
            return None
        if file_hash(path) is None:
            self.remarks.append(f"DNS snapshot {path} is gone; --snapshot FILE names another")
            return None
        snapshot = Snapshot.open(path)
        if snapshot.sha256 != known:
            self.remarks.append(f"DNS snapshot {path} has changed since the run")
        return snapshot

    def classifier(self, overlay: Overlay | None = None) -> Classifier:
        """What reads evidence again as the run understood it, with an overlay."""
        evaluates = overlay is not None and any(overlay.of(ChangeKind.ENHANCED_FILTERING))
        return Classifier(
            self.tenant, dns=self.dns if evaluates else None, rules=self.rules, assume=self.assume, overlay=overlay
        )

    def _tenant(self, given: Tenant | str | None) -> Tenant | None:
        if given is not None:
            return Tenant.load(given) if isinstance(given, str) else given
        path = self.said["tenant_file"]
        if path is None:
            return None
        found = file_hash(path)
        if found is None:
            self.remarks.append(f"tenant file {path} is gone; --tenant FILE names another")
            return None
        if found != self.said["tenant_file_sha256"]:
            self.remarks.append(f"tenant file {path} has changed since the run; counted is what the run said")
        return Tenant.load(path)
