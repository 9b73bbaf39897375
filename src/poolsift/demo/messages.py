"""Draws messages as a Microsoft 365 tenant sends, forwards and bounces them: one object a message, seeded."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from poolsift.demo.zone import GATEWAY_HOSTS, PARTNERS, STRANGERS, SUPPLIERS, authorized, policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONTOSO = "00000000-0000-0000-0000-000000000001"
TAILSPIN = "00000000-0000-0000-0000-000000000002"
START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 28

FIRST = [
    "ann",
    "bob",
    "carla",
    "dmitri",
    "eve",
    "farid",
    "gwen",
    "hugo",
    "ines",
    "jun",
    "kofi",
    "lena",
    "milo",
    "nadia",
    "oscar",
    "priya",
    "quinn",
    "rosa",
    "sven",
    "tara",
]
LAST = [
    "archer",
    "berg",
    "castro",
    "dietz",
    "endo",
    "faber",
    "gomez",
    "hale",
    "ito",
    "jansen",
    "klein",
    "lopez",
    "maier",
    "novak",
    "olsen",
    "patel",
    "rossi",
    "silva",
]
SUBJECTS = [
    "Invoice",
    "Quarterly report",
    "Meeting notes",
    "Order confirmation",
    "Re: contract",
    "Holiday plan",
    "Ticket update",
    "Photos",
]
AUTHORIZING = [name for name in SUPPLIERS if authorized(name)]
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
SRS_HASH = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REGULAR, HIGH_RISK, RELAY = "RegularOutboundPool", "HighRiskOutboundPool", "RegularRelayOutboundPool"


@dataclass
class Message:
    """What happened to one mail; `recipients` are those it left for, `inbound_for` the mailbox that forwarded it."""

    time: datetime
    tenant_id: str
    network_message_id: str
    message_id: str
    mail_from: str
    header_from: str
    recipients: list[str]
    subject: str
    direction: str = "Outbound"
    kind: str = "message"
    client_ip: str | None = None
    helo: str | None = None
    source_ip: str | None = None
    connector: str | None = None
    spf: str | None = None
    dkim: str | None = None
    dmarc: str | None = None
    spam: bool = False
    submitted: bool = False
    inbound_for: str | None = None
    pool_name: str | None = REGULAR
    sfp: int = 1101
    status: str = "delivered"
    reply: str | None = None
    size: int = field(default=24_000)

    def reverse_path(self, recipients: list[str]) -> str:
        """MAIL FROM towards these recipients: the mailbox that forwards saw it before it was rewritten."""
        return self.header_from if self.inbound_for in recipients else self.mail_from


class Drawer:
    """One method a kind of mail; each returns a whole message."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def base(self, mail_from: str, header_from: str | None = None, **known: object) -> Message:
        """A message at a working hour with fresh identifiers and one to three partners as recipients."""
        identifier = uuid.UUID(int=self.random.getrandbits(128), version=4)
        when = START + timedelta(
            days=self.random.randrange(DAYS), seconds=int(self.random.triangular(0, 86_399, 38_000))
        )
        return Message(
            **{
                "time": when + timedelta(microseconds=self.random.randrange(1_000_000)),
                "tenant_id": CONTOSO,
                "network_message_id": str(identifier),
                "message_id": f"<{identifier.hex[:20]}@{mail_from.rpartition('@')[2].strip('<>') or 'contoso.com'}>",
                "mail_from": mail_from,
                "header_from": mail_from if header_from is None else header_from,
                "recipients": [self.outsider() for _ in range(self.random.choices((1, 2, 3), (80, 15, 5))[0])],
                "subject": self.random.choice(SUBJECTS),
                "size": int(self.random.lognormvariate(10, 1)),
                **known,
            }  # type: ignore[arg-type]
        )

    def person(self, domain: str) -> str:
        """A mailbox of the domain."""
        return f"{self.random.choice(FIRST)}.{self.random.choice(LAST)}@{domain}"

    def outsider(self) -> str:
        """A partner's mailbox; a few partners get most of the mail."""
        return self.person(PARTNERS[min(int(self.random.expovariate(1 / 60)), len(PARTNERS) - 1)])

    def hosted(self) -> Message:
        """A mailbox user writes to a partner."""
        return self.base(
            self.person(self.random.choice(("contoso.com", "contoso.com", "fabrikam.com"))), submitted=True
        )

    def hosted_of_other_tenant(self) -> Message:
        """The same in the second tenant."""
        return self.base(self.person("tailspin.example"), submitted=True, tenant_id=TAILSPIN)

    def internal(self) -> Message:
        """Mail that never leaves."""
        return self.base(
            self.person("contoso.com"),
            submitted=True,
            direction="Intra-org",
            pool_name=None,
            recipients=[self.person("contoso.com")],
        )

    def received(self) -> Message:
        """Mail for a mailbox of the tenant."""
        supplier = self.supplier("pass")
        return self.base(
            self.person(supplier), direction="Inbound", pool_name=None, recipients=[self.person("contoso.com")],
            client_ip=self.host(supplier, "pass"), spf="pass", dkim="pass", dmarc="pass",
        )  # fmt: skip

    def supplier(self, spf: str | None = None) -> str:
        """A supplier; with ``pass`` one whose record can pass."""
        return self.random.choice(AUTHORIZING if spf == "pass" else SUPPLIERS)

    def host(self, supplier: str, spf: str) -> str:
        """A host that the supplier's SPF record authorizes, or one of the world that it does not."""
        return self.random.choice(authorized(supplier) if spf == "pass" else STRANGERS)

    def scanner(self) -> Message:
        """A device that sends from a subdomain nobody accepted, through the on-premises connector."""
        return self.base(
            "scan@app.contoso.com", client_ip="203.0.113.20", helo="mfp.contoso.com", connector="Inbound from on-prem",
            spf=self.random.choice(("softfail", "none")), dkim="none", dmarc="fail", pool_name=RELAY, sfp=1022,
        )  # fmt: skip

    def application(self) -> Message:
        """An application on premises with an accepted domain: SPF fails, and it does not matter."""
        return self.base(
            "erp@contoso.com", client_ip="203.0.113.25", helo="erp.contoso.com", connector="Inbound from on-prem",
            spf="fail", dkim="none", dmarc="fail",
        )  # fmt: skip

    def forward(self, supplier: str, spf: str | None, dkim: str, client_ip: str, **known: Any) -> Message:
        """A supplier's mail that a mailbox forwards outside."""
        return self.base(
            self.person(supplier), client_ip=client_ip, spf=spf, dkim=dkim,
            dmarc="pass" if "pass" in (spf, dkim) else "fail", inbound_for=self.person("contoso.com"),
            recipients=[self.outsider()], **known,
        )  # fmt: skip

    def forward_authenticated(self) -> Message:
        """SPF passed when it came in."""
        supplier = self.supplier("pass")
        return self.forward(supplier, "pass", "pass", self.host(supplier, "pass"))

    def forward_rewritten(self) -> Message:
        """The same, and Microsoft 365 rewrote the sender on the way out (SRS), as it does outside the relay pool."""
        message = self.forward_authenticated()
        user, _, domain = message.mail_from.partition("@")
        mailbox, _, own = (message.inbound_for or "").partition("@")
        digest = "".join(self.random.choices(SRS_HASH, k=5))
        high, low = divmod((message.time - EPOCH).days % 1024, 32)
        message.mail_from = f"{mailbox}+SRS={digest}={BASE32[high]}{BASE32[low]}={domain}={user}@{own}"
        return message

    def forward_dkim_only(self) -> Message:
        """Normal by the page of 2023, relay by the page of 2026."""
        supplier = self.supplier()
        return self.forward(supplier, policy(supplier).otherwise, "pass", self.host(supplier, "fail"))

    def forward_unauthenticated(self) -> Message:
        """Neither passed; of some the record was published later."""
        supplier = self.supplier()
        spf = self.random.choices((policy(supplier).otherwise, "none"), (3, 1))[0]
        return self.forward(supplier, spf, "none", self.host(supplier, "fail"), pool_name=RELAY, sfp=1022)

    def forward_unrecorded(self) -> Message:
        """No log kept the SPF result; the DNS still tells what it was."""
        spf = self.random.choices(("pass", "fail"), (3, 2))[0]
        supplier = self.supplier(spf)
        pool = {} if spf == "pass" else {"pool_name": RELAY, "sfp": 1022}
        return self.forward(supplier, None, "none", self.host(supplier, spf), **pool)

    def forward_behind_gateway(self) -> Message:
        """SPF was judged on the gateway's address; half of the hosts before it were authorized."""
        spf = self.random.choice(("pass", "fail"))
        supplier = self.supplier(spf)
        return self.forward(
            supplier, policy(supplier).otherwise, "none", self.random.choice(GATEWAY_HOSTS),
            source_ip=self.host(supplier, spf), pool_name=RELAY, sfp=1022,
        )  # fmt: skip

    def spam(self) -> Message:
        """A stolen mailbox."""
        return self.base(
            "frank.stolen@fabrikam.com", submitted=True, spam=True, pool_name=HIGH_RISK, sfp=1501, subject="You won"
        )

    def bounce(self) -> Message:
        """A non-delivery report."""
        return self.base(
            "<>", "postmaster@contoso.onmicrosoft.com", kind="ndr", pool_name=HIGH_RISK, sfp=1501,
            recipients=[self.outsider()], subject="Undeliverable: Invoice",
        )  # fmt: skip

    def device_without_domain(self) -> Message:
        """A sender domain that does not exist."""
        domain = self.random.choice(("mfp.local", "retired-brand.example"))
        return self.base(
            f"alert@{domain}", client_ip="203.0.113.20", helo="mfp.local", connector="Inbound from on-prem",
            spf="none", dkim="none", dmarc="none", pool_name=HIGH_RISK, sfp=1501,
        )  # fmt: skip

    def refused_by_remote(self) -> Message:
        """The other side quotes the relay address it saw."""
        message = self.forward_unauthenticated()
        message.status = "failed"
        message.reply = (
            "550 5.7.26 This message does not pass authentication checks. "
            f"SPF does not pass with ip: [40.95.{self.random.randrange(256)}.{self.random.randrange(256)}]."
        )
        return message

    def over_limit(self) -> Message:
        """Blocked, never sent."""
        return self.base(
            "news@contoso.com", submitted=True, status="failed", pool_name=None,
            reply="550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients.",
        )  # fmt: skip

    def unexplained(self) -> Message:
        """Left by the high-risk pool and nothing in the log says why."""
        return self.base(self.person("contoso.com"), submitted=True, pool_name=HIGH_RISK, sfp=1501)


# shares in the thousand, near what public headers and tenants' reports show for mail of a mid-sized company
MIX: tuple[tuple[Callable[[Drawer], Message], int], ...] = (
    (Drawer.hosted, 400), (Drawer.hosted_of_other_tenant, 60), (Drawer.internal, 90), (Drawer.received, 120),
    (Drawer.scanner, 45), (Drawer.application, 60), (Drawer.forward_authenticated, 40), (Drawer.forward_rewritten, 20),
    (Drawer.forward_dkim_only, 20), (Drawer.forward_unauthenticated, 25), (Drawer.forward_unrecorded, 20),
    (Drawer.forward_behind_gateway, 20), (Drawer.spam, 15), (Drawer.bounce, 25), (Drawer.device_without_domain, 15),
    (Drawer.refused_by_remote, 10), (Drawer.over_limit, 10), (Drawer.unexplained, 5),
)  # fmt: skip


def draw_messages(count: int, seed: int) -> Iterator[Message]:
    """`count` messages; the same for the same seed."""
    drawer = Drawer(seed)
    kinds, weights = [kind for kind, _ in MIX], [weight for _, weight in MIX]
    for kind in drawer.random.choices(kinds, weights, k=count):
        yield kind(drawer)
