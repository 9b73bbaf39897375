"""The shapes of random SPF trees: each is nasty in one way. Only names below `.example`."""

from random import Random

from tests.reference.spf_terms import Terms
from tests.reference.spf_zone import Tree


class Draw(Terms):
    """Draws one tree."""

    def __init__(self, random: Random, shape: str, names: int) -> None:
        super().__init__(random, [f"{letter}.example" for letter in "abcdefghijkl"[:names]])
        self.tree = Tree(shape)

    def give_hosts(self, names: list[str], here: float = 0.7) -> None:
        """Addresses and exchangers for these names, by chance none."""
        for name in names:
            for rdtype, family in (("A", 4), ("AAAA", 6)):
                if self.chance(here):
                    self.tree.put(name, rdtype, *{self.address(family) for _ in range(self.random.randint(1, 3))})
            if self.chance(here):
                self.give_exchangers(name, self.random.choice((1, 1, 2, 3)))

    def give_exchangers(self, name: str, count: int) -> None:
        hosts = [self.name() if self.chance(0.6) else f"mx{n}.example" for n in range(count)]
        hosts = ["." if self.chance(0.05) else host for host in hosts]
        self.tree.put(name, "MX", *(f"{self.random.choice((0, 5, 10, 10))} {host}" for host in hosts))


def free(draw: Draw) -> None:
    """Anything: short records of a few names that refer to one another, with loops."""
    draw.tree.record(draw.tree.top, draw.record(1))
    for name in draw.names:
        draw.tree.record(name, draw.record())
    draw.give_hosts([draw.tree.top, *draw.names])


def downwards(draw: Draw) -> None:
    """Anything, but each name refers to later ones only: no loop."""
    names = draw.names
    for at, name in enumerate([draw.tree.top, *names[:-1]]):
        draw.names = names[at:]
        draw.tree.record(name, draw.record(1))
    draw.names = names[-1:]
    draw.tree.record(names[-1], [draw.network() for _ in range(3)] + [draw.every()] * draw.chance(0.6))
    draw.give_hosts([draw.tree.top, *names])


def counted(draw: Draw) -> None:
    """Terms that cost nine to twelve look-ups in all, spread over nested includes that some addresses leave early."""
    budget, level, name = draw.random.randint(9, 12), 0, draw.tree.top
    hosts = [f"h{n}.example" for n in range(4)]
    draw.give_hosts(hosts, 0.97)
    while name:
        ahead = f"n{level}.example" if budget > 1 and level < 4 else ""
        spent = min(budget, draw.random.randint(0, 5)) if ahead else budget
        budget -= spent
        terms = [costing(draw, hosts) for _ in range(spent)]
        if ahead and budget > 0:
            budget -= 1
            link = draw.random.choice(
                (f"include:{ahead}", f"include:{ahead}", f"?include:{ahead}", f"redirect={ahead}")
            )
            terms.insert(draw.random.randint(0, len(terms)), link)
        else:
            ahead = ""
        for _ in range(draw.random.randint(0, 2)):
            terms.insert(draw.random.randint(0, len(terms)), draw.network(least=20))
        draw.tree.record(name, terms + [draw.every()] * draw.chance(0.6))
        level, name = level + 1, ahead


def costing(draw: Draw, hosts: list[str]) -> str:
    """One look-up: a host, or rarely a name that has none or that matches for every address."""
    name = draw.random.choice(hosts) if draw.chance(0.97) else "gone.example"
    return f"{draw.qualifier()}{'exists' if draw.chance(0.03) else draw.random.choice(('a', 'a', 'mx'))}:{name}"


def void(draw: Draw) -> None:
    """One to four terms that end in nothing, in the record or in an include, the last term among them."""
    draw.tree.put("half.example", "A", draw.address(4))
    draw.tree.put("empty.example", "MX", "10 gone.example", "10 half.example")
    draw.tree.put("null.example", "MX", "0 .")
    kinds = (
        "a:gone.example",
        "mx:gone.example",
        "exists:gone.example",
        "mx:empty.example",
        "a:half.example",
        "mx:null.example",
    )
    terms = [draw.qualifier() + draw.random.choice(kinds) for _ in range(draw.random.randint(1, 4))]
    for _ in range(draw.random.randint(1, 4)):
        terms.insert(draw.random.randint(0, len(terms)), draw.network(least=24))
    cut = draw.random.randint(0, len(terms))
    link = draw.random.choice(("include:in.example", "-include:in.example", "redirect=in.example"))
    end = [draw.every()] * draw.chance(0.5)
    draw.tree.record(draw.tree.top, [*terms[:cut], link, *([] if draw.chance(0.3) else terms[:cut]), *end])
    draw.tree.record("in.example", [*terms[cut:], *([draw.every()] * draw.chance(0.5))])


def redirected(draw: Draw) -> None:
    """Chains of one to twelve redirects, with matches on the way and every kind of end."""
    count = draw.random.randint(1, 12)
    names = [draw.tree.top, *(f"r{n}.example" for n in range(count))]
    for name, ahead in zip(names, names[1:], strict=False):
        terms = [draw.network(least=16) for _ in range(draw.random.choice((0, 1, 2)))]
        terms.insert(draw.random.randint(0, len(terms)), f"redirect={ahead}")
        draw.tree.record(name, terms + [draw.every()] * draw.chance(0.05))
    end = draw.random.choice(("record", "record", "record", "nothing", "other", "two", "first"))
    last = names[-1]
    if end == "record":
        draw.tree.record(last, [draw.network(), draw.every()])
    elif end == "other":
        draw.tree.put(last, "TXT", "some text")
    elif end == "two":
        draw.tree.put(last, "TXT", "v=spf1 +all", "v=spf1 -all")
    elif end == "first":
        draw.tree.record(last, [draw.network(), f"redirect={draw.random.choice(names)}"])


def networks(draw: Draw) -> None:
    """Many networks of both families that overlap and adjoin, with `all` in the middle."""
    terms = [draw.network() for _ in range(draw.random.randint(5, 40))]
    base, length = draw.random.choice(("192.0.2", "198.51.100")), draw.random.choice((26, 27, 28, 30))
    step = 1 << (32 - length)
    side_by_side = [f"{draw.qualifier()}ip4:{base}.{start}/{length}" for start in range(0, 256, step)]
    terms += draw.random.sample(side_by_side, min(len(side_by_side), 12))
    draw.random.shuffle(terms)
    if draw.chance(0.3):
        terms.insert(draw.random.randint(0, len(terms)), draw.every())
    cut = draw.random.randint(0, len(terms))
    draw.tree.record("inner.example", terms[cut:] + [draw.every()] * draw.chance(0.5))
    draw.tree.record(
        draw.tree.top, [*terms[:cut], f"{draw.qualifier()}include:inner.example", *terms[:3], draw.every()]
    )


def exchangers(draw: Draw) -> None:
    """Eight to twelve exchangers, some without address in one family or in both."""
    count = draw.random.randint(8, 12)
    hosts = [f"x{n:02}.example" for n in range(count)]
    draw.tree.put("mail.example", "MX", *(f"{draw.random.choice((5, 10))} {host}" for host in hosts))
    for host in hosts:
        for rdtype, family in (("A", 4), ("AAAA", 6)):
            if draw.chance(0.85):
                draw.tree.put(host, rdtype, *{draw.address(family) for _ in range(draw.random.randint(1, 2))})
    mechanism = f"{draw.qualifier()}mx:mail.example{draw.lengths()}"
    terms = [*(draw.network(least=20) for _ in range(draw.random.randint(0, 2))), mechanism, draw.every()]
    draw.tree.record("in.example", terms)
    draw.tree.record(draw.tree.top, terms if draw.chance(0.4) else [draw.network(), "include:in.example", draw.every()])


def shared(draw: Draw) -> None:
    """One include reached several times, each time with other counters and after other addresses have left."""
    inner = [draw.hosts() for _ in range(draw.random.randint(1, 4))] + [draw.network() for _ in range(3)]
    draw.random.shuffle(inner)
    draw.tree.record("shared.example", inner + [draw.every()] * draw.chance(0.5))
    draw.tree.record(
        "b.example", ["include:shared.example", draw.network(), f"{draw.qualifier()}include:Shared.example."]
    )
    terms = [
        draw.random.choice(("include:shared.example", "include:b.example", draw.hosts(), draw.network()))
        for _ in range(5)
    ]
    draw.tree.record(
        draw.tree.top, [*terms, draw.random.choice(("redirect=shared.example", "redirect=b.example", "-all"))]
    )
    draw.give_hosts(["top.example", *draw.names[2:], "shared.example"])


def static_macros(draw: Draw) -> None:
    """Names that macros make of the domain."""
    free(draw)
    for name in draw.random.sample([draw.tree.top, *draw.names], 2):
        terms = [draw.static_macro() for _ in range(draw.random.randint(1, 3))]
        draw.tree.record(name, [draw.network(), *terms, *draw.record(0, 2)])
    for made in (
        "example.example",
        "top.example.example",
        "atop.top.example",
        "pot.example",
        "in-addr.example",
        "ip6.example",
    ):
        draw.tree.record(made, draw.record(0, 3))
        draw.give_hosts([made])


def message_macros(draw: Draw) -> None:
    """Terms that depend on the local part, the HELO name, the address's own digits or its names."""
    downwards(draw)
    for name in [draw.tree.top, *draw.names[:2]]:
        term = draw.names_of_client() if draw.chance(0.3) else draw.message_macro()
        before = [draw.network() for _ in range(draw.random.randint(0, 2))]
        draw.tree.record(name, [*before, term, *draw.record(0, 2)])
    for name in draw.names:
        for word in ("postmaster", "mail", "unknown", "192.0.2.1", "postmaster.x", "other", "mail.host.example"):
            if draw.chance(0.5):
                draw.tree.put(f"{word}.{name}", "A", "198.51.100.9")
    draw.tree.put("1.2.0.192.in-addr.arpa", "PTR", "mail.top.example", "a.example")


def loops(draw: Draw) -> None:
    """Records that lead back to themselves, at once or after a few, also in another case."""
    ring = ["top.example", *(f"l{n}.example" for n in range(draw.random.randint(0, 3)))]
    for at, name in enumerate(ring):
        ahead = ring[(at + 1) % len(ring)]
        spelled = draw.random.choice((ahead, ahead.upper(), f"{ahead}.", "%{o}" if ahead == ring[0] else ahead))
        link = draw.random.choice((f"include:{spelled}", f"redirect={spelled}", f"?include:{spelled}"))
        terms = [*(draw.network() for _ in range(draw.random.randint(0, 2))), link]
        if draw.chance(0.3):
            terms.append(draw.every())
        if link.startswith("redirect="):
            draw.random.shuffle(terms)
        draw.tree.record(name, terms)


#: Shape, its weight, and how many names it draws from.
SHAPES = (
    (free, 3, 6),
    (downwards, 6, 6),
    (counted, 6, 3),
    (void, 3, 2),
    (redirected, 2, 2),
    (networks, 4, 3),
    (exchangers, 2, 3),
    (shared, 4, 6),
    (static_macros, 2, 4),
    (message_macros, 3, 4),
    (loops, 1, 2),
)
