"""A tree of SPF records as a zone: what is asked for is answered; what it does not hold does not exist, or is not known."""

import re
from dataclasses import dataclass, field

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason

NOTHING = Answer(AnswerStatus.ABSENT, reason=Reason.NXDOMAIN)
OF_THE_MESSAGE = re.compile(r"ptr|%\{[^dov]", re.IGNORECASE)
LINK = re.compile(r"(?:include:|redirect=)([^ ]+)", re.IGNORECASE)


@dataclass
class Tree:
    """A zone and the domain whose record is evaluated; `shape` is the nastiness it was drawn for."""

    shape: str
    top: str = "top.example"
    zone: dict[tuple[str, str], Answer] = field(default_factory=dict)
    default: Answer = NOTHING

    def put(self, name: str, rdtype: str, *rdata: str) -> None:
        self.zone[name.lower(), rdtype] = Answer(AnswerStatus.PRESENT, tuple(sorted(set(rdata))))

    def record(self, name: str, terms: list[str]) -> None:
        self.put(name, "TXT", " ".join(["v=spf1", *terms]))

    def ask(self, name: str, rdtype: str) -> Answer:
        return self.zone.get((name, rdtype), self.default)

    def answers(self, questions: list[Question]) -> list[Answer]:
        return [self.ask(*question) for question in questions]

    def records(self) -> dict[str, list[str]]:
        """By name, the texts that begin as an SPF record of any version does."""
        found: dict[str, list[str]] = {}
        for (name, rdtype), answer in self.zone.items():
            texts = [text for text in answer.rdata if rdtype == "TXT" and text[:6].lower() == "v=spf1"]
            if texts:
                found[name] = texts
        return found

    def domains(self) -> list[str]:
        """Names that have a TXT answer of any kind, the top first."""
        others = sorted({name for name, rdtype in self.zone if rdtype == "TXT"} - {self.top})
        return [self.top, *others]

    def is_static(self, domain: str) -> bool:
        """Below the domain, no term looks at more of a message than the client's address, and none leads back."""
        return is_static({name: " ".join(texts) for name, texts in self.records().items()}, domain)

    def __str__(self) -> str:
        lines = [f"{name:24} {rdtype:4} {shown(answer)}" for (name, rdtype), answer in sorted(self.zone.items())]
        return "\n".join([f"tree of shape {self.shape}, top {self.top}, the rest {shown(self.default)}", *lines])


def shown(answer: Answer) -> str:
    if answer.status is AnswerStatus.PRESENT and answer.rdata:
        return " | ".join(
            text if len(text) < 400 else f"{text[:60]}... {len(text)} characters" for text in answer.rdata
        )
    return f"({answer.status} {answer.reason})"


def is_static(records: dict[str, str], domain: str) -> bool:
    """By the texts alone, whether they are reached or not; rather False where a macro makes the name."""
    links = {name: {link.lower().removesuffix(".") for link in LINK.findall(text)} for name, text in records.items()}
    below = {domain, *reachable(links, domain)}
    return not any(
        OF_THE_MESSAGE.search(records.get(name, ""))
        or "%" in "".join(links.get(name, ()))
        or name in reachable(links, name)
        for name in below
    )


def reachable(links: dict[str, set[str]], start: str) -> set[str]:
    """Names that a record or one of those it leads to speaks of."""
    found: set[str] = set()
    ahead = list(links.get(start, ()))
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += links.get(name, ())
    return found
