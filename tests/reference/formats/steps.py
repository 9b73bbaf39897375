"""recipient_status: `address##Step, Step` for each recipient, joined by `;`."""

LAST_STEP = {
    "receive": "pending",
    "send": "delivered",
    "deliver": "delivered",
    "delivered": "delivered",
    "fail": "failed",
    "failed": "failed",
    "expand": "expanded",
    "expanded": "expanded",
    "defer": "pending",
    "pending": "pending",
    "quarantine": "quarantined",
    "quarantined": "quarantined",
    "drop": "dropped",
    "dropped": "dropped",
    "filteredasspam": "filtered",
}


def recipients(text: str) -> list[tuple[str, list[str]]]:
    """(address, steps) of each item that has `##`."""
    found = []
    for item in text.split(";"):
        address, mark, steps = item.strip().partition("##")
        if mark:
            found.append((address.strip(), [step.strip() for step in steps.split(",") if step.strip()]))
    return found


def status(steps: list[str]) -> str | None:
    """How it ended: the last step that says so; None where its word is not known."""
    return LAST_STEP.get(steps[-1].replace(" ", "").lower()) if steps else None
