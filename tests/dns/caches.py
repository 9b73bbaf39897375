"""What the tests of the DNS cache's file share: a fixed time, answers by number, a filled cache."""

from poolsift.dns.answers import Answer, AnswerStatus, Question
from poolsift.dns.cache import DnsCache

VIEW = "192.0.2.53:53"
NOW = 1_800_000_000
MX = Question("contoso.com", "MX")
PRESENT = Answer(AnswerStatus.PRESENT, ("10 mail.contoso.com",), 86_400)


def clock():
    return float(NOW)


def opened(path, **options):
    return DnsCache.open(str(path), view=VIEW, clock=clock, **options)


def answers(count, start=0):
    return [(Question(f"n{i}.example", "A"), PRESENT) for i in range(start, start + count)]


def names(count, start=0):
    return [f"n{i}.example" for i in range(start, start + count)]


def filled(path, count=100):
    with opened(path) as cache:
        cache.put(answers(count))
    return path


def works(cache):
    """Whether what is put is found again."""
    cache.put([(MX, PRESENT)])
    cache.commit()
    return cache.lookup(["contoso.com"])["contoso.com"]["MX"].rdata == PRESENT.rdata
