# cython: language_level=3, freethreading_compatible=True, embedsignature=False
"""The native nouns for Python: addresses, names, and the tables they are looked up in."""

import ipaddress
import os

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from cython.operator cimport dereference as deref
from libc.stdint cimport INT64_MAX, INT64_MIN, UINT32_MAX, int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy
from libcpp cimport bool as cbool
from libcpp.memory cimport const_pointer_cast, make_shared, shared_ptr
from libcpp.string cimport string
from libcpp.vector cimport vector

KINDS = ("unusable", "null_path", "literal", "domain", "domain_needs_idna")
STATUSES = ("unlisted", "absent", "present", "unknown", "invalid")

cdef size_t SPF_BYTES = 512 << 20   # usual_bytes of spf_table.hpp

cdef dict _STATUS_CODES = {word: code for code, word in enumerate(STATUSES) if code}
cdef dict _RDTYPES = {"A": b"A"[0], "MX": b"M"[0], "AAAA": b"4"[0]}


def choose_isa(str name not None):
    """Set the instructions of this module: `base`, `sse42` (where the processor has it) or empty for the best."""
    cdef bytes word = name.encode("utf-8", "surrogatepass")
    if not choose_isa_by_name(_view(word)):
        raise ValueError(f"POOLSIFT_ISA: found {name!r}, expected 'base' or 'sse42'")


cdef void _seed() except *:
    """A key of 128 random bits from the kernel (getrandom), new in each process."""
    cdef bytes random = os.urandom(16)
    set_hash_key(int.from_bytes(random[:8], "little"), int.from_bytes(random[8:], "little"))


cdef bytes _raw(object text):
    """The bytes of a text; a lone surrogate becomes bytes that are not UTF-8."""
    if isinstance(text, str):
        return (<str> text).encode("utf-8", "surrogatepass")
    if isinstance(text, bytes):
        return text
    raise TypeError(f"expected str or bytes, found {type(text).__name__}")


cdef Bytes _view(bytes text) noexcept:
    """A view of bytes that the caller keeps alive."""
    return Bytes(<const char*> text, <size_t> len(text))


cdef bytes _copy(const Bytes& view):
    """Bytes of our own from a view."""
    return PyBytes_FromStringAndSize(view.data(), <Py_ssize_t> view.size())


cdef bytes _packed(const CAddress& address):
    """An address in network order."""
    return PyBytes_FromStringAndSize(<const char*> address.bytes.data(), <Py_ssize_t> address.size())


def parse_address(object text not None):
    """4 or 16 bytes in network order (4 for an IPv4-mapped address), or None where `ipaddress` would refuse or a scope id stands."""
    cdef bytes raw = _raw(text)
    cdef CAddress address
    return _packed(address) if c_parse_address(_view(raw), address) else None


def split_mailbox(object text not None):
    """(kind, local part as written, domain as written) of one mail address; kind is one of KINDS."""
    cdef bytes raw = _raw(text)
    cdef CMailbox mailbox = c_parse_mailbox(_view(raw))
    return KINDS[<int> mailbox.kind], _copy(mailbox.local), _copy(mailbox.domain)


def check_domain(object text not None):
    """(kind, name without its trailing dot) of a bare domain; kind is unusable, domain or domain_needs_idna."""
    cdef bytes raw = _raw(text)
    cdef Bytes domain
    cdef MailboxKind kind = c_check_domain(_view(raw), domain)
    return KINDS[<int> kind], _copy(domain)


def reply_addresses(object text not None):
    """Every address inside the remote's reply of a status text, in order, in `ipaddress` form."""
    cdef bytes raw = _raw(text)
    cdef Bytes view = _view(raw)
    cdef CAddress address
    cdef size_t cursor = 0
    cdef list found = []
    while next_reply_address(view, cursor, address):
        found.append(str(ipaddress.ip_address(_packed(address))))
    return found


def contains_ignoring_case(object text not None, object lower_case_phrase not None):
    """Whether the text holds the phrase, which is given in lower case, ASCII case ignored."""
    cdef bytes raw = _raw(text)
    cdef bytes phrase = _raw(lower_case_phrase)
    return bool(c_contains_ignoring_case(_view(raw), _view(phrase)))


def is_srs(object address not None):
    """Whether the address has a form of the Sender Rewriting Scheme."""
    cdef bytes raw = _raw(address)
    return bool(c_is_srs(_view(raw)))


def srs_original(object address not None):
    """The original sender inside an SRS address, as written, or None."""
    cdef bytes raw = _raw(address)
    cdef string original
    return original.decode("utf-8") if c_srs_original(_view(raw), original) else None


cdef class PrefixTable:
    """Dated longest-prefix match: (packed prefix, length, since µs or None, until µs or None, value) each."""

    def __cinit__(self, object entries=()):
        cdef vector[CPrefixEntry] native
        for place, entry in enumerate(entries):
            native.push_back(_prefix_entry(place, entry))
        self._table = const_pointer_cast[FrozenPrefixTable, CPrefixTable](make_shared[CPrefixTable](native))

    def lookup(self, object address not None, object time_us=None):
        """Value of the longest prefix that holds at the time (no time: now, without end), or None. bytes are packed, str is text."""
        cdef bytes raw = _raw(address)
        cdef int64_t time = no_time if time_us is None else time_us
        cdef CAddress native
        cdef cbool known
        if isinstance(address, bytes):
            known = c_address_from_packed(_view(raw), native)
        else:
            known = c_parse_address(_view(raw), native)
        if not known:
            return None
        cdef uint32_t value = self._table.get().lookup(native, time)
        return None if value == UINT32_MAX else value

    def __len__(self):
        return self._table.get().size()


cdef CPrefixEntry _prefix_entry(object place, object entry) except *:
    """One entry, its types checked; the rest is the native builder's."""
    packed, length, since, until, value = entry
    cdef CPrefixEntry native
    if not c_address_from_packed(_view(_raw(packed)), native.prefix):
        raise ValueError(f"prefix entry {place}: found {len(packed)} bytes, expected 4 or 16")
    if not 0 <= length <= 128:
        raise ValueError(f"prefix entry {place}: found length {length}, expected 0 to 128")
    native.length = length
    native.since_us = INT64_MIN if since is None else since
    native.until_us = INT64_MAX if until is None else until
    native.value = value
    return native


cdef class DomainSet:
    """Canonical names, each alone or with everything below it: (name, subdomains) each."""

    def __cinit__(self, object entries=()):
        cdef shared_ptr[CDomainSet] building = make_shared[CDomainSet]()
        cdef bytes raw
        for name, subdomains in entries:
            raw = _raw(name)
            building.get().add(_view(raw), bool(subdomains))
        self._table = const_pointer_cast[FrozenDomainSet, CDomainSet](building)

    def contains(self, object name not None):
        """Whether it is an entry, or below an entry with subdomains."""
        cdef bytes raw = _raw(name)
        return bool(self._table.get().contains(_view(raw)))

    def covers(self, object name not None):
        """Whether it or any parent is an entry."""
        cdef bytes raw = _raw(name)
        return bool(self._table.get().covers(_view(raw)))

    def __contains__(self, object name):
        return self.contains(name)

    def __len__(self):
        return self._table.get().size()


cdef cbool _add_fact(CDnsTable* table, Bytes name, char rdtype, int status, cbool null_mx) except * nogil:
    """Add one statement under the canonical form of the name; False for a name that no mail address can have."""
    cdef char[256] lower
    cdef Bytes domain
    cdef MailboxKind kind = c_check_domain(name, domain)
    cdef size_t i
    if kind == MailboxKind.unusable:
        return False
    if kind == MailboxKind.domain_needs_idna:
        for i in range(domain.size()):
            if <unsigned char> domain.data()[i] >= 0x80:   # not an A-label
                return False
    fold_ascii(domain, lower)
    table.add(Bytes(lower, domain.size()), rdtype, <DnsStatus> status, null_mx)
    return True


cdef class DnsTable:
    """What DNS says of names: (A, MX, AAAA, null MX). Made by build, build_buffers or growing; `DnsTable()` knows nothing.

    Names that no mail address can have (or that are not A-labels) are left out and counted in `left_out`.
    """

    def __cinit__(self):
        self._table = const_pointer_cast[FrozenDnsTable, CDnsTable](make_shared[CDnsTable](False))

    @classmethod
    def growing(cls):
        """An empty table that absorb() adds to, also while kernels use it."""
        cdef DnsTable result = DnsTable.__new__(DnsTable)
        result._growing = make_shared[CDnsTable](True)
        result._table = const_pointer_cast[FrozenDnsTable, CDnsTable](result._growing)
        return result

    @property
    def grows(self):
        """Whether absorb() may be called."""
        return bool(self._table.get().grows())

    def absorb(self, DnsTable other not None):
        """Add what another table says of names that this one lacks; what was once said of a name stands. Returns how many are new.

        Waits, without the GIL, for kernels that are at work on a batch. Raises ValueError unless this table grows and the other does not.
        """
        cdef size_t added = 0
        if self._growing.get() == NULL or other._growing.get() != NULL:
            raise ValueError("only a table made by growing() absorbs, and only one that is not")
        with nogil:
            added = self._growing.get().absorb(deref(other._table.get()))
        self.left_out += other.left_out
        return added

    def missing(self, list names not None):
        """Those of the canonical names of which the table says nothing, in their order."""
        cdef vector[Bytes] views
        cdef vector[size_t] places
        cdef const char* text
        cdef Py_ssize_t size = 0
        cdef list kept = list(names)   # nobody else can take a name away while it is looked at
        for name in kept:
            text = PyUnicode_AsUTF8AndSize(name, &size)
            views.push_back(Bytes(text, <size_t> size))
        with nogil:
            places = self._table.get().missing(views)
        return [kept[place] for place in places]

    @classmethod
    def build(cls, names, rdtypes, statuses, null_mx):
        """A table of one statement a row; types other than A, MX and AAAA are passed over. Rows that repeat: the last stands."""
        cdef shared_ptr[CDnsTable] building = make_shared[CDnsTable](False)
        cdef DnsTable result = DnsTable.__new__(DnsTable)
        cdef const char* text
        cdef Py_ssize_t size
        cdef Py_ssize_t row = 0
        for name, rdtype, status, null in zip(names, rdtypes, statuses, null_mx, strict=True):
            code = _RDTYPES.get(rdtype)
            word = _STATUS_CODES.get(status)
            if word is None:
                raise ValueError(f"DNS row {row}: found status {status!r}, expected one of {', '.join(_STATUS_CODES)}")
            if code is not None:
                text = PyUnicode_AsUTF8AndSize(name, &size)
                result.left_out += not _add_fact(building.get(), Bytes(text, <size_t> size), code, word, bool(null))
            row += 1
        result._table = const_pointer_cast[FrozenDnsTable, CDnsTable](building)
        return result

    @classmethod
    def build_buffers(
        cls,
        const unsigned char[::1] names_data,
        const unsigned char[::1] offsets,
        const unsigned char[::1] kinds,
        const unsigned char[::1] statuses,
        const unsigned char[::1] flags,
    ):
        """The same from buffers, without the GIL.

        `offsets` holds rows + 1 numbers of 32 or 64 bits into `names_data` (its length tells which). A byte a row: `kinds` is
        'A', 'M' (MX), '4' (AAAA) or anything else to pass over; `statuses` an index of STATUSES but 0; `flags` not 0 for null MX.
        """
        cdef Py_ssize_t rows = kinds.shape[0]
        cdef cbool wide = offsets.shape[0] == 8 * (rows + 1)
        if statuses.shape[0] != rows or flags.shape[0] != rows:
            raise ValueError(f"found {statuses.shape[0]} statuses and {flags.shape[0]} flags, expected {rows}")
        if not wide and offsets.shape[0] != 4 * (rows + 1):
            raise ValueError(f"found {offsets.shape[0]} bytes of offsets, expected {4 * (rows + 1)} or {8 * (rows + 1)}")
        cdef shared_ptr[CDnsTable] building = make_shared[CDnsTable](False)
        cdef DnsTable result = DnsTable.__new__(DnsTable)
        cdef Py_ssize_t row
        cdef int64_t start = 0
        cdef int64_t end = 0
        with nogil:
            building.get().reserve(<size_t> rows, <size_t> names_data.shape[0])
            for row in range(rows):
                start = _offset(offsets, row, wide)
                end = _offset(offsets, row + 1, wide)
                if not 0 <= start <= end <= names_data.shape[0]:
                    with gil:
                        raise ValueError(f"DNS row {row}: bad offsets {start} and {end} into {names_data.shape[0]} bytes")
                if kinds[row] != c'A' and kinds[row] != c'M' and kinds[row] != c'4':
                    continue
                if not 1 <= statuses[row] <= 4:
                    with gil:
                        raise ValueError(f"DNS row {row}: found status {statuses[row]}, expected 1 to 4")
                if start == end or not _add_fact(
                    building.get(), Bytes(<const char*> &names_data[start], <size_t> (end - start)),
                    <char> kinds[row], statuses[row], flags[row] != 0,
                ):
                    result.left_out += 1
        result._table = const_pointer_cast[FrozenDnsTable, CDnsTable](building)
        return result

    def lookup(self, object name not None):
        """(A, MX, AAAA, null MX) with words of STATUSES for a canonical name, or None where the table lacks it."""
        cdef bytes raw = _raw(name)
        cdef Bytes view = _view(raw)
        cdef DnsFacts facts
        with nogil:
            facts = self._table.get().look(view)
        if facts.a == DnsStatus.unlisted and facts.mx == DnsStatus.unlisted and facts.aaaa == DnsStatus.unlisted:
            return None
        return STATUSES[<int> facts.a], STATUSES[<int> facts.mx], STATUSES[<int> facts.aaaa], bool(facts.null_mx)

    def __len__(self):
        cdef size_t names = 0
        with nogil:
            names = self._table.get().count()
        return names


cdef int64_t _offset(const unsigned char[::1] offsets, Py_ssize_t place, cbool wide) noexcept nogil:
    """The number at a place, whose existence the caller has checked; buffers need not be aligned."""
    cdef int32_t narrow = 0
    cdef int64_t number = 0
    if wide:
        memcpy(&number, &offsets[8 * place], 8)
        return number
    memcpy(&narrow, &offsets[4 * place], 4)
    return narrow


cdef class SpfTable:
    """Results of SPF by canonical domain and client address; it grows while kernels read it, and any thread may add.

    A word is its number in the order of records.SPF_WORDS plus one; 0 says that SPF could not be evaluated. What was once said of a
    domain stands. A kernel that finds more than `most_bytes` taken when it begins a batch clears the table, and asks anew.
    """

    def __cinit__(self, size_t most_bytes=SPF_BYTES):
        self._table = make_shared[CSpfTable](most_bytes)

    def add(self, object name not None, unsigned family, bytes starts not None, bytes words not None):
        """Say the result for every client address of a family, 4 or 6: segment i begins at the packed address i of `starts`.

        The first address is all zeros, the others ascend. Raises ValueError for anything else. Waits, without the GIL, for readers.
        """
        cdef bytes raw = _raw(name)
        cdef Bytes name_view = _view(raw)
        cdef Bytes starts_view = _view(starts)
        cdef Bytes words_view = _view(words)
        with nogil:
            self._table.get().add(name_view, family, starts_view, words_view)

    def add_uncompiled(self, object name not None, unsigned family, bint needs_local):
        """Say that each message of this domain needs an outcome of its own, which may depend on its local part."""
        cdef bytes raw = _raw(name)
        cdef Bytes name_view = _view(raw)
        with nogil:
            self._table.get().add_uncompiled(name_view, family, needs_local)

    def add_outcome(self, object name not None, object client_ip not None, object helo not None, object local not None, uint8_t word):
        """Say the result for one message; `local` is empty unless it was asked with one, `helo` where none is recorded."""
        cdef bytes name_raw = _raw(name)
        cdef bytes helo_raw = _raw(helo)
        cdef bytes local_raw = _raw(local)
        cdef bytes address_raw = _raw(client_ip)
        cdef CAddress client
        if not c_parse_address(_view(address_raw), client):
            raise ValueError(f"SPF outcome of {name!r}: found {client_ip!r}, expected an IP address")
        cdef Bytes name_view = _view(name_raw)
        cdef Bytes helo_view = _view(helo_raw)
        cdef Bytes local_view = _view(local_raw)
        with nogil:
            self._table.get().add_outcome(name_view, client, helo_view, local_view, word)

    def lookup(self, object name not None, object client_ip not None, object helo="", object local=""):
        """The word of one message, or None where nothing is known."""
        cdef bytes name_raw = _raw(name)
        cdef bytes helo_raw = _raw(helo)
        cdef bytes local_raw = _raw(local)
        cdef bytes address_raw = _raw(client_ip)
        cdef CAddress client
        cdef uint8_t word
        if not c_parse_address(_view(address_raw), client):
            return None
        cdef Bytes name_view = _view(name_raw)
        cdef Bytes helo_view = _view(helo_raw)
        cdef Bytes local_view = _view(local_raw)
        with nogil:
            word = self._table.get().look(name_view, client, helo_view, local_view)
        return None if word == 255 else word

    def lookup_many(self, list names not None, bytes addresses not None):
        """A word for each name and packed address of 16 bytes (IPv4 as mapped); 0 where nothing is known. Programs alone are looked at."""
        cdef list kept = list(names)   # nobody else can take a name away while it is looked at
        cdef Py_ssize_t rows = len(kept)
        cdef vector[Bytes] views
        cdef vector[CAddress] clients
        cdef const char* packed = <const char*> addresses
        cdef const char* text
        cdef Py_ssize_t size = 0
        cdef Py_ssize_t row
        if len(addresses) != 16 * rows:
            raise ValueError(f"found {len(addresses)} bytes of addresses, expected 16 for each of {rows} names")
        for name in kept:
            text = PyUnicode_AsUTF8AndSize(name, &size)
            views.push_back(Bytes(text, <size_t> size))
        cdef bytes words = PyBytes_FromStringAndSize(NULL, rows)
        cdef uint8_t* out = <uint8_t*> <char*> words
        with nogil:
            clients.resize(<size_t> rows)
            for row in range(rows):
                c_address_from_packed(Bytes(packed + 16 * row, 16), clients[row])
            self._table.get().look_many(views, clients, out)
        return words

    def clear(self):
        """Forget everything; kernels ask anew."""
        with nogil:
            self._table.get().clear()

    cdef CSpfCounts _count(self) except *:
        cdef CSpfCounts counts
        with nogil:
            counts = self._table.get().count()
        return counts

    @property
    def programs(self):
        """Distinct programs."""
        return self._count().programs

    @property
    def segments(self):
        """Address segments of all programs."""
        return self._count().segments

    @property
    def outcomes(self):
        """Messages with an outcome of their own."""
        return self._count().outcomes

    @property
    def bytes(self):
        """Memory taken."""
        return self._count().bytes

    @property
    def epoch(self):
        """How often it was cleared."""
        return self._count().epoch


cdef class HostNames:
    """Outbound host grammar: suffixes that begin with a dot, and the pool index of each code (255: read the digits)."""

    def __cinit__(self, object suffixes=(), object codes=None):
        cdef shared_ptr[CHostNames] building = make_shared[CHostNames]()
        cdef bytes raw
        for suffix in suffixes:
            raw = _raw(suffix.lower())
            building.get().add_suffix(_view(raw))
        for code, pool in (codes or {}).items():
            raw = _raw(code.lower())
            building.get().add_code(_view(raw), pool)
        self._table = const_pointer_cast[FrozenHostNames, CHostNames](building)

    def lookup(self, object host not None):
        """(pool index or None, packed address in the digits or None); both None when the name does not speak."""
        cdef bytes raw = _raw(host)
        cdef HostAnswer answer = self._table.get().lookup(_view(raw))
        return None if answer.pool == 255 else answer.pool, _packed(answer.address) if answer.embedded else None


cdef class PoolNames:
    """Pool names: whole names with their pool index, then patterns (kind, words, pool index), kind `contains` or `prefix`."""

    def __cinit__(self, object names=None, object patterns=()):
        cdef shared_ptr[CPoolNames] building = make_shared[CPoolNames]()
        cdef bytes raw
        cdef vector[string] native
        for name, pool in (names or {}).items():
            raw = _raw(name.lower())
            building.get().add_name(_view(raw), pool)
        for kind, words, pool in patterns:
            if kind not in ("contains", "prefix"):
                raise ValueError(f"pool name pattern: found kind {kind!r}, expected 'contains' or 'prefix'")
            native.clear()
            for word in words:
                native.push_back(_raw(word.lower()))
            building.get().add_pattern(kind == "prefix", native, pool)
        self._table = const_pointer_cast[FrozenPoolNames, CPoolNames](building)

    def lookup(self, object name not None):
        """Index of the observed pool, or None when the name does not speak."""
        cdef bytes raw = _raw(name)
        cdef uint8_t pool = self._table.get().lookup(_view(raw))
        return None if pool == 255 else pool


_seed()
choose_isa(os.environ.get("POOLSIFT_ISA", ""))
