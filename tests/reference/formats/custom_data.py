"""custom_data, character by character: items `TYPE:key=value` joined by `;`, some of them in quotes."""


def pairs(text: str) -> list[tuple[str, str]]:
    """(key, value) in order; what is no item is left out."""
    found = []
    for item in split(text):
        head, equals, value = item.partition("=")
        kind, colon, key = head.partition(":")
        if equals:
            found.append((key if colon and kind.isalnum() else head, value))
    return found


def split(text: str) -> list[str]:
    """The items; one in `'...'` ends at the first quote that `;` or the end follows."""
    items = []
    at = 0
    while at < len(text):
        if text[at] == "'":
            end = at + 1
            while end < len(text) and not (text[end] == "'" and text[end + 1 : end + 2] in {"", ";"}):
                end += 1
            if end < len(text):
                items.append(text[at + 1 : end])
                at = end + 2
                continue
        end = text.find(";", at)
        end = len(text) if end < 0 else end
        items.append(text[at:end])
        at = end + 1
    return items


def values(text: str, key: str) -> list[str]:
    return [value for name, value in pairs(text) if name.lower() == key.lower()]


def filter_report(text: str) -> dict[str, str]:
    """The fields of the spam filter's summary, `S:SFA=SUM|SFV=..|..`; the first of each name counts."""
    found: dict[str, str] = {}
    for value in values(text, "SFA"):
        for field in value.split("|"):
            name, equals, content = field.partition("=")
            if equals:
                found.setdefault(name.upper(), content)
    return found
