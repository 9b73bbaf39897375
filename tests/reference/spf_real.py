"""SPF trees of the shapes that mail domains publish, over shared includes; addresses of 198.18.0.0/15 and 2001:db8::/32.

The shapes: own networks only; the include of a mailbox provider with eleven networks; that of one with three nested
lists of networks; hosts and exchangers of the domain with three mass mailers.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from random import Random

from tests.reference.spf_zone import Tree

SPACE4, SPACE6 = ip_network("198.18.0.0/15"), ip_network("2001:db8::/32")
MAILERS = 40


@dataclass
class World:
    """One zone of many domains; `networks` are those that the record of a domain, includes among them, lists."""

    tree: Tree = field(default_factory=lambda: Tree("real"))
    networks: dict[str, list[IPv4Network | IPv6Network]] = field(default_factory=dict)
    domains: list[str] = field(default_factory=list)

    def publish(self, name: str, terms: list[str]) -> None:
        """A record, with the networks it lists itself and by the names it speaks of."""
        self.tree.record(name, terms)
        found = []
        for term in terms:
            kind, _, value = term.lstrip("?~-+").partition(":")
            found += [ip_network(value)] if kind in {"ip4", "ip6"} else self.networks.get(value, [])
        self.networks[name] = found


def network(random: Random, family: int = 4) -> str:
    """A term with a network of a usual size."""
    space, lengths = (SPACE4, (24, 24, 25, 26, 27, 28, 29, 30, 32, 32)) if family == 4 else (SPACE6, (48, 64, 64, 128))
    length = random.choice(lengths)
    start = int(space[0]) + (random.getrandbits(length - space.prefixlen) << (space.max_prefixlen - length))
    address = IPv4Address(start) if family == 4 else IPv6Address(start)
    return f"ip{family}:{address}" if length == space.max_prefixlen else f"ip{family}:{address}/{length}"


def networks(random: Random, four: int, six: int = 0) -> list[str]:
    return [network(random) for _ in range(four)] + [network(random, 6) for _ in range(six)]


def share_includes(world: World, random: Random) -> None:
    """What many domains include: two mailbox providers and the mass mailers."""
    world.publish("spf.protection.example", [*networks(random, 7, 4), "-all"])
    for part, (four, six) in enumerate(((11, 0), (0, 6), (9, 0)), 1):
        world.publish(f"_netblocks{part}.boxes.example", [*networks(random, four, six), "~all"])
    world.publish("_spf.boxes.example", [*(f"include:_netblocks{part}.boxes.example" for part in (1, 2, 3)), "~all"])
    for number in range(MAILERS):
        terms = networks(random, random.randint(2, 20), random.choice((0, 0, 1, 2)))
        if random.random() < 0.2:
            world.publish(f"more.mailer{number}.example", [*networks(random, 8), "~all"])
            terms.insert(0, f"include:more.mailer{number}.example")
        world.publish(f"spf.mailer{number}.example", [*terms, random.choice(("~all", "-all", "?all"))])


def real_shaped_tree(world: World, random: Random, name: str) -> None:
    """Publishes the record of one domain in one of the shapes, and its hosts where the record needs them."""
    end = random.choice(("-all", "-all", "~all", "~all", "?all"))
    own = networks(random, random.randint(0, 4))
    shape = random.random()
    if shape < 0.3:
        world.publish(name, [network(random), *own, end])
    elif shape < 0.6:
        world.publish(name, [*own, "include:spf.protection.example", end])
    elif shape < 0.75:
        world.publish(name, [*own, "include:_spf.boxes.example", end])
    else:
        mailers = [f"include:spf.mailer{number}.example" for number in random.sample(range(MAILERS), 3)]
        world.publish(name, ["a", "mx", *own, *mailers, end])
        world.tree.put(name, "A", address_in(random, SPACE4))
        world.tree.put(name, "MX", f"10 mx1.{name}", f"20 mx2.{name}")
        both_families = random.random() < 0.5
        for host in (f"mx1.{name}", f"mx2.{name}"):
            world.tree.put(host, "A", address_in(random, SPACE4))
            if both_families:
                world.tree.put(host, "AAAA", address_in(random, SPACE6))
    world.domains.append(name)


def address_in(random: Random, block: IPv4Network | IPv6Network) -> str:
    kind = IPv4Address if block.version == 4 else IPv6Address
    return str(kind(int(block[0]) + random.randrange(block.num_addresses)))


def real_world(seed: int, domains: int) -> World:
    """So many domains over the shared includes; the same seed gives the same world."""
    random, world = Random(seed), World()
    share_includes(world, random)
    for number in range(domains):
        real_shaped_tree(world, random, f"d{number}.customer.example")
    return world


def real_tuples(world: World, seed: int, addresses: int) -> list[tuple[str, str]]:
    """Distinct (domain, address), so many of each domain, in random order: two thirds out of its own networks."""
    random = Random(seed)
    tuples: set[tuple[str, str]] = set()
    for domain in world.domains:
        blocks = world.networks[domain]
        mine: set[str] = set()
        while len(mine) < addresses:
            block = random.choice(blocks) if random.random() < 0.67 else random.choice((SPACE4, SPACE4, SPACE4, SPACE6))
            mine.add(address_in(random, block))
        tuples |= {(domain, address) for address in mine}
    shuffled = sorted(tuples)
    random.shuffle(shuffled)
    return shuffled
