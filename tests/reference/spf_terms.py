"""Words that SPF records are drawn from: addresses that crowd together, networks, terms, and what looks like terms."""

from random import Random

BYTES4 = (0, 1, 2, 3, 4, 7, 8, 15, 16, 63, 64, 77, 127, 128, 192, 254, 255)
ENDS4 = ("0.0.0.0", "255.255.255.255", "192.0.1.255", "192.0.3.0", "128.0.0.0", "127.255.255.255")
ENDS6 = (
    "::",
    "::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "::ffff:192.0.2.1",
    "::fffe:ffff:ffff",
    "::1:0:0:0",
    "2001:DB8::A",
    "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
    "8000::",
)
LENGTHS4 = (32, 32, 32, 31, 30, 29, 28, 27, 26, 25, 24, 24, 23)
LENGTHS6 = (128, 128, 127, 126, 125, 124, 120, 113, 112, 96, 64, 64, 48)
#: Networks that hold most or all of the addresses above end every other question, so they are rare.
WIDE4, WIDE6 = (22, 16, 8, 1, 0), (33, 32, 16, 1, 0)
QUALIFIERS = ("", "", "", "+", "-", "~", "?")
#: Each makes the record that holds it a permanent error, wherever it stands, except the last two.
ODD_TERMS = (
    "foo",
    "foo:bar",
    "ip4:192.0.2.256",
    "ip4:192.0.2",
    "ip4:192.0.2.1/33",
    "ip4:192.0.2.1/08",
    "ip4:192.0.2.1//24",
    "ip4",
    "ip6:2001:db8:::1",
    "ip6:2001:db8::1/129",
    "ip6:192.0.2.1",
    "a/33",
    "a//129",
    "a:",
    "a:192.0.2.1",
    "a:noname",
    "mx:%{x}.example",
    "include",
    "include:",
    "include:a.example/24",
    "exists",
    "all:a.example",
    "all.",
    "=all",
    "+",
    "-",
    "redirect=",
    "redirect=a.example redirect=b.example",
    "exp=a.example exp=a.example",
    "exp=",
    "x=%{",
    "x=%",
    "x=%{d",
    "exists:%{c}.a.example",
    "a,",
    "all,",
    "v=spf1",
    "\tall",
)
MODIFIERS = ("x=y", "x=", "x.y-z_1=a=b", "exp=why.example", "exp=%{i}.why.example", "default=pass", "op=a.b", "y=%{d}")
STATIC_MACROS = (
    "%{d}",
    "%{D}",
    "%{o}",
    "%{d1r}.example",
    "%{d2}",
    "%{d2r}.example",
    "%{dr}.example",
    "%{o1}",
    "%{d99}",
    "%{d0}",
    "a%{d-}.top.example",
    "x%%.example",
    "x%_y.example",
    "%-.example",
    "%{d1}",
    "%{v}.example",
)
MESSAGE_MACROS = ("%{i}", "%{ir}.%{v}", "%{s}", "%{l}.x", "%{l1r-}", "%{h}", "%{p}", "%{L}", "%{S}", "%{h1}")


class Terms:
    """Draws over the names of one tree."""

    def __init__(self, random: Random, names: list[str]) -> None:
        self.random = random
        self.names = names

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def address(self, family: int) -> str:
        """Few enough that they meet, with the ends of the address space among them."""
        pick = self.random.choice
        if family == 4:
            net = pick(("192.0.2", "192.0.2", "198.51.100", "203.0.113"))
            return pick(ENDS4) if self.chance(0.05) else f"{net}.{pick(BYTES4)}"
        if self.chance(0.08):
            return pick(ENDS6)
        return f"2001:db8:{pick((0, 0, 0, 1, 0xFFFF)):x}::{pick((0, 1, 2, 3, 7, 8, 0x10, 0xFF, 0xFFFF)):x}"

    def length(self, family: int) -> int:
        usual, wide = (LENGTHS4, WIDE4) if family == 4 else (LENGTHS6, WIDE6)
        return self.random.choice(wide if self.chance(0.05) else usual)

    def qualifier(self) -> str:
        return self.random.choice(QUALIFIERS)

    def name(self) -> str:
        return self.random.choice(self.names)

    def spelled(self) -> str:
        """A name as some write it; inside `%{d}` and beside the record's own name, the spelling is kept."""
        name = self.name()
        if self.chance(0.9):
            return name
        return self.random.choice((name.upper(), name.title(), f"{name}."))

    def network(self, family: int | None = None, least: int = 0) -> str:
        """`ip4:` or `ip6:`, usually with host bits below its mask, or without a mask."""
        family = family or (4 if self.chance(0.6) else 6)
        length = max(self.length(family), least)
        mask = "" if length == (32 if family == 4 else 128) and self.chance(0.7) else f"/{length}"
        return f"{self.qualifier()}ip{family}:{self.address(family)}{mask}"

    def lengths(self) -> str:
        """The dual mask of `a` and `mx`, most often none."""
        kind = self.random.choice(("", "", "", "4", "6", "46"))
        return ("4" in kind) * f"/{self.length(4)}" + ("6" in kind) * f"//{self.length(6)}"

    def hosts(self, kind: str = "") -> str:
        """`a` or `mx`, of a name or of the record's own."""
        kind = kind or self.random.choice(("a", "mx"))
        of = "" if self.chance(0.2) else f":{self.spelled()}"
        return f"{self.qualifier()}{kind}{of}{self.lengths()}"

    def include(self) -> str:
        return f"{self.qualifier()}include:{self.spelled()}"

    def every(self) -> str:
        """`all`; seldom as a pass, which inside an include ends the whole tree."""
        return f"{self.random.choice(('-', '-', '~', '?', '-', '~', '?', '', '+'))}all"

    def exists(self) -> str:
        return f"{self.qualifier()}exists:{self.spelled()}"

    def static_macro(self) -> str:
        """A term whose name a macro makes from the domain alone."""
        macro = self.random.choice(STATIC_MACROS)
        return f"{self.qualifier()}{self.random.choice(('a', 'mx', 'include', 'exists', 'include'))}:{macro}"

    def message_macro(self) -> str:
        """A term that depends on more than the address."""
        macro = self.random.choice(MESSAGE_MACROS)
        kind = self.random.choice(("exists", "exists", "exists", "a", "include", "mx"))
        if self.chance(0.15):
            return self.random.choice((f"x={macro}", f"exp={macro}.x.example"))
        return f"{self.qualifier()}{kind}:{macro}.{self.name()}"

    def names_of_client(self) -> str:
        return f"{self.qualifier()}ptr" + self.random.choice(("", f":{self.name()}"))

    def any(self) -> str:
        """Any term that a compiler can be asked for."""
        kinds = (self.network, self.network, self.network, self.hosts, self.include, self.include)
        rare = self.random.choice((self.every, self.exists))
        return rare() if self.chance(0.04) else self.random.choice(kinds)()

    def record(self, least: int = 0, most: int = 6) -> list[str]:
        """Terms, an end, and sometimes a modifier somewhere among them."""
        terms = [self.any() for _ in range(self.random.randint(least, most))]
        end = self.random.random()
        if end < 0.55:
            terms.append(self.every())
        elif end < 0.75:
            terms.append(f"redirect={self.spelled()}")
        elif end < 0.8:
            terms += [f"redirect={self.spelled()}", self.every()]
        if self.chance(0.15):
            terms.insert(self.random.randint(0, len(terms)), self.random.choice(MODIFIERS))
        return terms
