# cython: language_level=3, freethreading_compatible=True, embedsignature=False
"""The kernel for Python: it takes a spec and batches of Arrow data, and gives verdict columns."""

import ipaddress
import os

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from cython.operator cimport dereference as deref
from libc.stdint cimport (
    INT64_MAX,
    INT64_MIN,
    int64_t,
    uint8_t,
    uint32_t,
)
from libc.string cimport memcpy
from libcpp.memory cimport (
    make_unique,
    unique_ptr,
)
from libcpp.pair cimport pair
from libcpp.string cimport string
from libcpp.utility cimport move
from libcpp.vector cimport vector

from poolsift._native.arrow_c cimport (
    ArrowArray,
    ArrowSchema,
    array_of,
    new_array,
    new_schema,
    schema_of,
)
from poolsift._native.nouns cimport (
    Bytes,
    CDomainSet,
    CPrefixEntry,
    CPrefixTable,
    HostNames,
    PoolNames,
    c_address_from_packed,
    choose_isa_by_name,
    set_hash_key,
)

from poolsift._native.nouns import DnsTable  # snapshots are built from here too

cdef size_t STATES = 1 << 16
cdef uint32_t NEWLY_FILTERED = 3   # gateway_newly_filtered of kernel.hpp


cdef void _prepare() except *:
    """The module's own hash key (128 bits from getrandom) and instruction set; neither changes a result."""
    cdef bytes key = os.urandom(16)
    cdef bytes word = os.environ.get("POOLSIFT_ISA", "").encode("utf-8", "surrogateescape")
    set_hash_key(int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little"))
    if not choose_isa_by_name(_view(word)):
        raise ValueError(f"POOLSIFT_ISA: found {word.decode(errors='replace')!r}, expected 'base' or 'sse42'")


def isa():
    """The instruction set in force: `base` or `sse42`."""
    return "sse42" if chosen_isa() == Isa.sse42 else "base"


cdef Bytes _view(bytes text) noexcept:
    """A view of bytes that the caller keeps alive."""
    return Bytes(<const char*> text, <size_t> len(text))


cdef vector[string] _strings(object texts) except *:
    cdef vector[string] native
    for text in texts:
        native.push_back((<str?> text).encode())
    return native


cdef CPrefixEntry _prefix(bytes packed, int length, object since_us, object until_us, uint32_t value) except *:
    """A dated prefix; None is open."""
    cdef CPrefixEntry entry
    if not c_address_from_packed(_view(packed), entry.prefix):
        raise ValueError(f"prefix: found {len(packed)} bytes, expected 4 or 16")
    # A prefix of mapped IPv6 addresses keeps its IPv6 length: the table takes it so.
    entry.length = length
    entry.since_us = INT64_MIN if since_us is None else since_us
    entry.until_us = INT64_MAX if until_us is None else until_us
    entry.value = value
    return entry


cdef CProfile _profile(str name, const unsigned char[::1] table) except *:
    """A profile whose table is 65,536 × (pool, rule, candidates, fix)."""
    cdef CProfile profile
    if <size_t> table.shape[0] != STATES * sizeof(CDecision):
        raise ValueError(f"profile {name!r}: found a table of {table.shape[0]} bytes, expected {STATES * sizeof(CDecision)}")
    profile.name = name.encode()
    profile.decisions.resize(STATES)
    memcpy(profile.decisions.data(), &table[0], <size_t> table.shape[0])
    return profile


cdef CTenant _tenant(dict entry) except *:
    cdef CTenant tenant
    cdef vector[CPrefixEntry] gateways
    cdef bytes raw
    tenant.learned = entry["learned"]
    for name, subdomains in entry["accepted"]:
        raw = (<str?> name).encode()
        tenant.accepted.add(_view(raw), subdomains)
    for name in entry["own"]:
        raw = (<str?> name).encode()
        tenant.own.add(_view(raw), False)
    for packed, length, filtering in entry["gateways"]:
        if not 0 <= filtering <= NEWLY_FILTERED:
            raise ValueError(f"gateway: found filtering {filtering}, expected 0 to {NEWLY_FILTERED}")
        gateways.push_back(_prefix(packed, length, None, None, filtering))
        tenant.newly_filtered = tenant.newly_filtered or filtering == NEWLY_FILTERED
    tenant.gateways = CPrefixTable(gateways)
    return tenant


cdef void _take_rules(CKernelSpec* native, dict spec) except *:
    cdef CEra era
    for name, table in spec["profiles"]:
        native.profiles.push_back(_profile(name, table))
    for since_us, profile in spec["timeline"]:
        era.since_us = since_us
        era.profile = profile
        native.timeline.push_back(era)
    native.timeless = spec["timeless"]
    native.compare = spec["compare"]
    native.rules = _strings(spec["rules"])
    native.fixes = bytes(spec["fixes"])
    native.investigate_rule, native.investigate_fix = spec["investigate"]


cdef void _take_networks(CKernelSpec* native, dict spec) except *:
    cdef HostNames hosts = HostNames(spec["host_suffixes"], spec["host_codes"])
    cdef PoolNames names = PoolNames(spec["pool_names"], spec["pool_name_patterns"])
    for packed, length, since_us, until_us, pool in spec["prefixes"]:
        native.prefixes.push_back(_prefix(packed, length, since_us, until_us, pool))
    native.hosts = deref(hosts._table.get())
    native.pool_names = deref(names._table.get())
    for value, pool in spec["sfp"].items():
        native.sfp.insert(pair[int64_t, uint8_t](<int64_t> value, <uint8_t> pool))


cdef void _take_names(CKernelSpec* native, dict spec) except *:
    cdef CBlockCode block
    for code, phrase, required, reason in spec["blocks"]:
        block.code = (<str?> code).encode()
        block.phrase = ("" if phrase is None else <str?> phrase).lower().encode()
        block.required = required
        block.reason = reason
        native.blocks.push_back(block)
    native.special_use = _strings(spec["special_use"])
    native.consumer_tenants = _strings(spec["consumer_tenants"])
    native.ndr_senders = _strings(spec["ndr_senders"])
    native.postmasters = _strings(spec["postmasters"])
    for entry in spec["tenants"]:
        native.tenants.push_back(_tenant(entry))
        native.tenant_ids.push_back((entry["id"] or "").lower().encode())


cdef class Kernel:
    """Everything the classifier knows before it sees a record. Immutable; threads share it, each with its own DomainMemo.

    `spec` is described in docs/internals.md, "Native kernel". Raises ValueError for a spec that contradicts itself.
    """

    def __cinit__(self, dict spec not None):
        cdef CKernelSpec native
        _take_rules(&native, spec)
        _take_networks(&native, spec)
        _take_names(&native, spec)
        self._dns = spec["dns"]
        if self._dns is not None:
            native.dns = self._dns._table.get()
        self._spf = spec.get("spf")
        if self._spf is not None:
            native.spf = self._spf._table.get()
        for packed, length in spec.get("spf_excluded", ()):
            native.spf_excluded.push_back(_prefix(packed, length, None, None, 0))
        self._kernel.reset(new CKernel(move(native)))

    def names(self, object schema not None, object array not None, DomainMemo memo not None):
        """Reads a batch; gives the names Python must answer by memo.fill() before classify(): (id, text, need).

        The memo keeps both capsules until classify(). Raises TypeError for a column of a wrong type and ValueError for broken buffers.
        """
        memo._read(self, schema, array)
        return memo._asked()

    def classify(self, object schema not None, object array not None, DomainMemo memo not None):
        """The verdict columns of a batch, as capsules of a struct array: (schema, array).

        Where names() has read the same two capsules, they are not read again. Raises ValueError while a name is not answered.
        """
        cdef ArrowSchema* out_schema
        cdef ArrowArray* out_array
        cdef unique_ptr[CVerdictColumns] columns
        if memo._schema is not schema or memo._array is not array or memo._kernel is not self:
            memo._read(self, schema, array)
        array_of(array)  # somebody may have moved it away since
        try:
            with nogil:
                columns = memo._classifier.get().classify()
        finally:
            memo._schema = memo._array = None
        schema_capsule = new_schema(&out_schema)
        array_capsule = new_array(&out_array)
        export_verdicts(move(columns), self._kernel.get().spec().rules, out_schema, out_array)
        return schema_capsule, array_capsule


cdef class DomainMemo:
    """What one run or thread has learned about names, and its working memory. Not for two threads at once."""

    def __cinit__(self, Kernel kernel not None):
        self._kernel = kernel
        self._classifier.reset(new CClassifier(deref(kernel._kernel.get())))

    cdef void _read(self, Kernel kernel, object schema, object array) except *:
        cdef const ArrowSchema* native_schema = schema_of(schema)
        cdef const ArrowArray* native_array = array_of(array)
        if kernel is not self._kernel:
            raise ValueError("the memo belongs to another kernel")
        self._schema = self._array = None
        with nogil:
            self._classifier.get().read(deref(native_schema), deref(native_array))
        self._schema = schema
        self._array = array

    def asked(self):
        """The names that wait for an answer, as names() gives them; an answer can bring up another name."""
        return self._asked()

    cdef list _asked(self):
        cdef vector[CQuestion] questions = self._classifier.get().memo().questions()
        cdef CQuestion one
        return [(one.id, one.text.decode("utf-8"), one.need) for one in questions]

    def spf_asked(self):
        """What the table of SPF lacks for the batch that names() read, once its names are answered; each question once.

        ("program", name, family): the program of a domain for IPv4 or IPv6, or that it is uncompiled. ("outcome", name, client_ip, helo,
        local): the result for one message of an uncompiled one. Answers go into the table and may bring up other questions; what is not
        answered when the batch is classified is not evaluated. Raises ValueError while a name is not answered.
        """
        cdef vector[CSpfQuestion] questions
        cdef CSpfQuestion one
        cdef list asked = []
        if self._array is None:
            return asked
        array_of(self._array)  # somebody may have moved it away since
        with nogil:
            questions = self._classifier.get().spf_questions()
        for one in questions:
            name = one.name.decode("ascii")
            if one.outcome:
                client = PyBytes_FromStringAndSize(<const char*> one.client.bytes.data(), <Py_ssize_t> one.client.size())
                asked.append(("outcome", name, str(ipaddress.ip_address(client)), one.helo.decode("ascii"), one.local.decode("utf-8")))
            else:
                asked.append(("program", name, int(one.family)))
        return asked

    def fill(self, uint32_t number, str canonical, str organizational):
        """Answers what names() asked about a name; None is "refused" for `canonical`, and "not asked" for either."""
        cdef Bytes canonical_text
        cdef Bytes organizational_text
        cdef Py_ssize_t size = 0
        cdef const char* text
        if canonical is not None:
            text = PyUnicode_AsUTF8AndSize(canonical, &size)
            canonical_text = Bytes(text, <size_t> size)
        if organizational is not None:
            text = PyUnicode_AsUTF8AndSize(organizational, &size)
            organizational_text = Bytes(text, <size_t> size)
        self._classifier.get().memo().fill(number, canonical_text, organizational_text)

    @property
    def known_names(self):
        """How many distinct names it holds."""
        return self._classifier.get().memo().size()

    @property
    def timeless_rows(self):
        """Rows without time that were classified under a dated profile so far."""
        return self._classifier.get().timeless()

    def unseen_pool_names(self):
        """Values of outbound_ip_pool_name that no table knows, with how often they were seen (the first few thousand short ones)."""
        cdef vector[CUnseen] unseen = self._classifier.get().pool_names().unseen()
        cdef CUnseen one
        return {one.name.decode("utf-8", "replace"): one.count for one in unseen}


_prepare()
