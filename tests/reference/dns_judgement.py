"""What replies and inquiries come to, read off the rules one after another; slow and obvious (RFC 2308, 2181, 8020)."""

import ipaddress

from poolsift.dns.answers import Answer, AnswerStatus

DAY, THREE_HOURS, FIVE_MINUTES = 86_400, 10_800, 300
MOST_ALIASES, MOST_RECORDS = 10, 64
PRESENT, ABSENT, UNKNOWN = AnswerStatus.PRESENT, AnswerStatus.ABSENT, AnswerStatus.UNKNOWN


def sane(ttl):
    return 0 if ttl > 2**31 - 1 else ttl


def within_a_day(ttl):
    return max(30, min(DAY, ttl))


def reads_nowhere(text):
    address = ipaddress.ip_address(text)
    return address.is_loopback or address.is_private or address.is_unspecified or address.is_link_local


def judged(question, reply, asked_at):
    """(Answer, name to ask next or None)."""

    def unknown(reason, next_name=None):
        return Answer(UNKNOWN, reason=reason, asked_at=asked_at), next_name

    def absent(reason):
        if reply.vouched is False:
            return unknown("lame")
        if reply.negative_ttl is not None:
            kept = min(within_a_day(sane(reply.negative_ttl)), THREE_HOURS)
        else:  # there is no SOA, or the library hides flags and authority section alike
            kept = FIVE_MINUTES if reply.vouched is None else 0
        return Answer(ABSENT, (), kept, reason, asked_at), None

    if reply.said in ("nxdomain", "nodata"):
        return absent(reply.said)
    if reply.said != "answer":
        return unknown(reply.said)

    # Walk the aliases from the name asked; every name met on the way is kept with the TTLs that led to it.
    names, ttls = [question.name], []
    while True:
        rrset = [
            record
            for record in reply.answer
            if record.in_class and record.owner == names[-1] and record.rdtype == question.rdtype
        ]
        if rrset:
            rdata = sorted({record.rdata for record in rrset})
            if question.rdtype != "TXT":
                del rdata[MOST_RECORDS:]
            ttl = min(sane(record.ttl) for record in (*ttls, *rrset))
            nowhere = question.rdtype in ("A", "AAAA") and all(reads_nowhere(one) for one in rdata)
            return Answer(PRESENT, tuple(rdata), within_a_day(ttl), "unroutable" if nowhere else None, asked_at), None
        aliases = [r for r in reply.answer if r.in_class and r.owner == names[-1] and r.rdtype == "CNAME"]
        if not aliases:
            break
        if aliases[0].rdata in names:
            return unknown("cname_loop")
        if len(names) > MOST_ALIASES:
            return unknown("cname_limit")
        names.append(aliases[0].rdata)
        ttls.append(aliases[0])

    if len(names) > 1:
        return unknown("empty_reply", names[-1]) if reply.negative_ttl is None else absent("nodata")
    return unknown("mismatch" if reply.answer else "empty_reply")


def inquired(need, known, ask):
    """The answers by type at the end. ``ask(rdtype, confirms)`` gives an Answer; called in the order of the rules."""
    answers = dict(known)

    def look(rdtype):
        if rdtype not in answers:
            answers[rdtype] = ask(rdtype, confirms=False)
        return answers[rdtype]

    if need == "addresses":
        look("A")
        look("AAAA")
        return answers
    mx = look("MX")
    no_such_name = mx.reason == "nxdomain"
    if mx.status is PRESENT:
        if need == "full":
            look("A")
        return answers
    if not no_such_name:
        look("A")
    _confirm_neither(answers, ask)
    if neither_for_sure(answers) and answers["A"].reason == "nodata":
        look("AAAA")
    return answers


def neither_for_sure(answers):
    """Whether both absences were seen twice."""
    pair = [answers.get("MX"), answers.get("A")]
    return all(one is not None and one.status is ABSENT and one.confirmed for one in pair)


def _confirm_neither(answers, ask):
    """What would decide *neither A nor MX* is seen once more: A first, then MX where that has not settled both.

    One NXDOMAIN decides alone, for it speaks of the name; NODATA decides only with the other.
    """
    for rdtype in ("A", "MX"):
        mx, a = answers["MX"], answers.get("A")
        statuses = mx.status, (mx if a is None else a).status
        gone = a is not None and a.status is ABSENT and a.reason == "nxdomain" and mx.status is UNKNOWN
        if statuses != (ABSENT, ABSENT) and not gone:
            return
        held = answers.get(rdtype)
        if (held is not None and held.confirmed) or (gone and rdtype == "MX"):
            continue
        seen = ask(rdtype, confirms=True)
        if seen.status is PRESENT:
            answers[rdtype] = seen
        elif seen.status is ABSENT:
            confirmed = Answer(ABSENT, (), seen.ttl, seen.reason, seen.asked_at, confirmed=True)
            answers[rdtype] = confirmed
            if seen.reason == "nxdomain":
                answers["A"] = answers["MX"] = confirmed
        else:
            doubt = Answer(
                UNKNOWN,
                ttl=seen.ttl,
                reason="lame" if seen.reason == "lame" else "unconfirmed",
                asked_at=seen.asked_at,
            )
            for other in ("MX", "A"):
                if other not in answers or (answers[other].status is ABSENT and not answers[other].confirmed):
                    answers[other] = doubt
