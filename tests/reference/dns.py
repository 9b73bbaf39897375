"""What a snapshot says of a name, as a dict (semantics 2 fact 1 and 8, choice 17)."""

from typing import NamedTuple

Snapshot = dict[tuple[str, str], tuple[str, bool]]  # (canonical name, rdtype) -> (status, is a null MX)


class Resolution(NamedTuple):
    """Fact 1 and its two flags; `state` is unknown, no or yes."""

    state: str
    aaaa_only: bool = False
    null_mx: bool = False


def is_special(name: str, special_use: tuple[str, ...]) -> bool:
    """A single label, or a special-use name or anything below one."""
    return "." not in name or any(name == special or name.endswith("." + special) for special in special_use)


def resolve(snapshot: Snapshot | None, name: str | None, special_use: tuple[str, ...]) -> Resolution:
    """A missing row is unknown, never absent; literals are never looked up."""
    if name is None or name.startswith("["):
        return Resolution("unknown")
    rows = snapshot or {}
    a, _ = rows.get((name, "A"), ("unknown", False))
    mx, null = rows.get((name, "MX"), ("unknown", False))
    aaaa, _ = rows.get((name, "AAAA"), ("unknown", False))
    absent = a == "absent" and mx == "absent"
    null_mx = mx == "present" and null
    if "present" in {a, mx}:
        return Resolution("yes", null_mx=null_mx)
    aaaa_only = absent and aaaa == "present"
    if absent or is_special(name, special_use):
        return Resolution("no", aaaa_only)
    return Resolution("unknown")
