"""The slow, obvious twin of SpfTable: a dict of programs looked through from the end, and a dict of outcomes."""

from ipaddress import ip_address


class SlowTable:
    """Same methods as the native table; an address that stands for IPv4 (``::ffff:0:0/96``) is of family 4."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._programs: dict[tuple[str, int], list[tuple[int, int]]] = {}
        self._needs_local: dict[tuple[str, int], bool] = {}
        self._words: dict[tuple[str, object, str, str], int] = {}

    def add(self, name: str, family: int, starts: bytes, words: bytes) -> None:
        width = 4 if family == 4 else 16
        numbers = [int.from_bytes(starts[at : at + width], "big") for at in range(0, len(starts), width)]
        self._programs[name, family] = list(zip(numbers, words, strict=True))

    def add_uncompiled(self, name: str, family: int, needs_local: bool) -> None:
        self._needs_local[name, family] = needs_local

    def add_outcome(self, name: str, client_ip: str, helo: str, local: str, word: int) -> None:
        self._words[name, plain(client_ip), helo, local] = word

    def lookup(self, name: str, client_ip: str, helo: str = "", local: str = "") -> int | None:
        address = plain(client_ip)
        key = (name, address.version)
        if key in self._programs:
            return next(word for start, word in reversed(self._programs[key]) if start <= int(address))
        if key in self._needs_local:
            return self._words.get((name, address, helo, local if self._needs_local[key] else ""))
        return None

    @property
    def programs(self) -> int:
        """Distinct ones: most domains share theirs with others."""
        return len(self._distinct())

    @property
    def segments(self) -> int:
        """Of distinct programs."""
        return sum(len(program) for _, program in self._distinct())

    def _distinct(self) -> set[tuple[int, tuple[tuple[int, int], ...]]]:
        return {(family, tuple(program)) for (_, family), program in self._programs.items()}

    @property
    def outcomes(self) -> int:
        return len(self._words)


def plain(text: str) -> object:
    address = ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address
