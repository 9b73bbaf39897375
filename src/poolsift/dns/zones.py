"""How many names below one organizational domain were asked: a flood of random labels must not become our flood."""

from __future__ import annotations

from collections import Counter
from typing import Final

from poolsift.domain_facts import organizational_domain
from poolsift.tables import shipped_table

#: Beyond so many zones those with a single name are forgotten, so that memory stays bounded.
_MOST_ZONES: Final = 200_000
#: Names remembered, so that the types of one name, which are asked within a while, count once.
_MOST_NAMES: Final = 100_000


class ZoneCounts:
    """Admits at most ``cap`` names below each organizational domain (0: any number).

    The organizational domain itself is not counted, nor what lies below the zones of the dated table
    (there every tenant of Microsoft 365 has its own name).
    """

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._counts: Counter[str] = Counter()
        self._admitted: dict[str, bool] = {}
        self._uncapped = frozenset(shipped_table("uncapped_zones")["names"])

    def admits(self, name: str) -> bool:
        """Whether one more name of this zone may be asked; of a name that was just asked about, the same again."""
        if not self._cap:
            return True
        zone = organizational_domain(name)
        if zone in {name, *self._uncapped}:
            return True
        if name not in self._admitted:
            if len(self._admitted) >= _MOST_NAMES:
                self._admitted.clear()
            self._admitted[name] = self._counted(zone) <= self._cap
        return self._admitted[name]

    def _counted(self, zone: str) -> int:
        if len(self._counts) >= _MOST_ZONES and zone not in self._counts:
            self._counts = Counter({held: count for held, count in self._counts.items() if count > 1})
        self._counts[zone] += 1
        return self._counts[zone]
