"""Who sent a message, as far as its headers still tell: MAIL FROM and the author."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from poolsift.readers.header_addresses import domain_of, mailboxes, reverse_path
from poolsift.readers.header_route import arc_stamp

if TYPE_CHECKING:
    from poolsift.readers.authentication_results import AuthenticationResults
    from poolsift.readers.header_fields import HeaderFields
    from poolsift.readers.header_route import Route


class Sender(NamedTuple):
    """The two senders, None where not recorded; ``mail_from`` is ``<>`` for the null reverse-path.

    ``rewritten``: From names another domain than Microsoft 365 stamped, so someone, a mailing list
    for one, has changed it after the message left, and ``header_from`` is not recorded.
    """

    mail_from: str | None
    header_from: str | None
    rewritten: bool


def find_sender(fields: HeaderFields, route: Route, stamp: AuthenticationResults | None) -> Sender:
    """The senders of a message whose counting stamp is ``stamp``.

    What the stamp does not name, the ARC results of Microsoft 365 may, those of a submission too.
    """
    arc = arc_stamp(fields, route) if stamp is None or not (stamp.header_from and stamp.mail_from) else None
    stamps = [found for found in (stamp, arc) if found is not None]
    stamped_path = next((found.mail_from for found in stamps if found.mail_from), None)
    stamped_author = next((found.header_from for found in stamps if found.header_from), None)
    author = _author(fields, route.position)
    rewritten = author is not None and stamped_author is not None and _differ(author, stamped_author)
    return Sender(_mail_from(fields, route, stamped_path), None if rewritten else author, rewritten)


def _mail_from(fields: HeaderFields, route: Route, stamped: str | None) -> str | None:
    """The MAIL FROM of the outbound hop, where an address is known; else None.

    First what the hop itself names (Exim's ``envelope-from``). Then Return-Path, which the last
    server writes: it is that of the outbound hop if no hop lies above, or if its domain is the
    ``smtp.mailfrom`` that Microsoft 365 stamped; the one of a mailing list's copy is neither.
    Then ``smtp.mailfrom`` itself where it is a whole address; Microsoft writes the domain alone.
    """
    if route.outbound is not None and route.outbound.hop.mail_from is not None:
        return route.outbound.hop.mail_from
    written = fields.all("return-path")
    # Below the hop a Return-Path is left over from an earlier delivery.
    if written and (route.outbound is None or written[0].position < route.position):
        path = reverse_path(written[0].value)
        if path is not None and (route.above == 0 or _same_domain(path, stamped)):
            return path
    return stamped if stamped is not None and "@" in stamped else None


def _same_domain(path: str, stamped: str | None) -> bool:
    return stamped is not None and domain_of(path) == domain_of(stamped)


def _author(fields: HeaderFields, after: int) -> str | None:
    """The author's address: of From; of Sender where From is missing or names several (RFC 5322 §3.6.2)."""
    authors = {address for field in fields.all("from", after) for address in mailboxes(field.value)}
    if len(authors) != 1:
        authors = {address for field in fields.all("sender", after) for address in mailboxes(field.value)}
    return authors.pop() if len(authors) == 1 else None


def _differ(author: str, stamped: str) -> bool:
    """True if the domains differ; an internationalized name may be written in either of its forms."""
    return (author + stamped).isascii() and domain_of(author) != domain_of(stamped)
