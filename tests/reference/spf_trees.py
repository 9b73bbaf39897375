"""Random trees of SPF records, every second one damaged: `draw_tree(Random(seed))`. The same seed gives the same tree."""

from random import Random

from poolsift.dns.answers import NOT_LISTED, Answer, AnswerStatus, Reason, unknown
from tests.reference.spf_shapes import SHAPES, Draw
from tests.reference.spf_terms import ODD_TERMS
from tests.reference.spf_zone import NOTHING, Tree

NOT_KNOWN = (
    unknown(Reason.TIMEOUT),
    unknown(Reason.SERVFAIL),
    NOT_LISTED,
    Answer(AnswerStatus.PRESENT),
    Answer(AnswerStatus.INVALID, reason=Reason.SYNTAX),
)


def draw_tree(random: Random) -> Tree:
    """A tree of any shape; about every second one is damaged once or twice."""
    shape, _, names = random.choices(SHAPES, [weight for _, weight, _ in SHAPES])[0]
    draw = Draw(random, shape.__name__, names)
    shape(draw)
    for _ in range(random.choice((0, 0, 0, 1, 1, 2))):
        random.choice(DAMAGES)(draw)
    return draw.tree


def not_known(draw: Draw) -> None:
    """One question, asked for or not, gets an answer that tells nothing."""
    asked = sorted({*draw.tree.zone, ("gone.example", "A"), ("gone.example", "TXT"), ("mx0.example", "A")})
    answer = draw.random.choice(NOT_KNOWN)
    draw.tree.zone[draw.random.choice(asked)] = answer


def not_there(draw: Draw) -> None:
    """One answer goes, or the name stays without records of the type."""
    key = draw.random.choice(sorted(draw.tree.zone))
    draw.tree.zone[key] = draw.random.choice((NOTHING, Answer(AnswerStatus.ABSENT, reason=Reason.NODATA)))


def rest_unlisted(draw: Draw) -> None:
    """What the zone does not hold is not known, as in a snapshot."""
    draw.tree.default = NOT_LISTED


def odd_term(draw: Draw) -> None:
    """A syntax error, or what looks like one, somewhere in a record."""
    name, words = some_record(draw)
    words.insert(draw.random.randint(1, len(words)), draw.random.choice(ODD_TERMS))
    draw.tree.put(name, "TXT", " ".join(words))


def other_texts(draw: Draw) -> None:
    """More texts beside a record: a second one, one of another version, other text, bytes that are no ASCII."""
    name, words = some_record(draw)
    beside = draw.random.choice(("v=spf1 +all", "V=SPF1", "v=spf10 -all", "v=spf1-all", "some text", "caf\u00e9", ""))
    draw.tree.put(name, "TXT", " ".join(words), beside)


def respelled(draw: Draw) -> None:
    """The same record in other letters, with more spaces, or as another version."""
    name, words = some_record(draw)
    text = " ".join(words)
    forms = (
        text.upper(),
        text.replace(" ", "   ") + "  ",
        text.replace("v=spf1", "v=spf10"),
        text.title(),
        f" {text}",
        text + "\u00e9",
    )
    draw.tree.put(name, "TXT", draw.random.choice(forms))


def too_much(draw: Draw) -> None:
    """A record, a term or an answer at the greatest size that is worked with, or one beyond it."""
    name, words = some_record(draw)
    beyond = draw.random.randint(0, 1)
    kind = draw.random.choice(("record", "term", "addresses"))
    if kind == "addresses":
        draw.tree.put("a.example", "A", *(f"203.0.113.{n}" for n in range(63 + beyond)))
    elif kind == "term":
        draw.tree.put(name, "TXT", " ".join([words[0], f"x={'y' * (510 + beyond)}", *words[1:]]))
    else:
        text = " ".join(words)
        draw.tree.put(name, "TXT", words[0] + " " * (16_384 + beyond - len(text)) + text[6:])


DAMAGES = (not_known, not_known, not_there, rest_unlisted, odd_term, odd_term, other_texts, respelled, too_much)


def some_record(draw: Draw) -> tuple[str, list[str]]:
    """A name and the words of its record; the top's is taken most often."""
    records = draw.tree.records() or {draw.tree.top: ["v=spf1 -all"]}
    name = draw.tree.top if draw.tree.top in records and draw.chance(0.4) else draw.random.choice(sorted(records))
    return name, records[name][-1].split(" ")
