# nouns.pxd: the native nouns as Cython sees them, and the Python types that own them.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.memory cimport shared_ptr
from libcpp.string cimport string
from libcpp.vector cimport vector


cdef extern from "<string_view>" namespace "std" nogil:
    cdef cppclass Bytes "std::string_view":
        Bytes()                                 noexcept
        Bytes(const char*, size_t)              noexcept
        const char* data()                      noexcept
        size_t size()                           noexcept


cdef extern from "<array>" namespace "std" nogil:
    cdef cppclass Octets "std::array<std::uint8_t, 16>":
        const uint8_t* data()                   noexcept


cdef extern from "poolsift/isa.hpp" namespace "poolsift" nogil:
    cbool choose_isa_by_name(Bytes)             noexcept


cdef extern from "poolsift/address.hpp" namespace "poolsift" nogil:
    cdef cppclass CAddress "poolsift::Address":
        CAddress()                              noexcept
        uint8_t family
        cbool mapped
        Octets bytes
        size_t size()                           noexcept
    cbool c_parse_address "poolsift::parse_address" (Bytes, CAddress&)                  noexcept
    cbool c_address_from_packed "poolsift::address_from_packed" (Bytes, CAddress&)      noexcept


cdef extern from "poolsift/prefix_table.hpp" namespace "poolsift" nogil:
    const int64_t no_time
    cdef cppclass CPrefixEntry "poolsift::PrefixEntry":
        CPrefixEntry()                          noexcept
        CAddress prefix
        uint8_t length
        int64_t since_us
        int64_t until_us
        uint32_t value
    cdef cppclass CPrefixTable "poolsift::PrefixTable":
        CPrefixTable()                          noexcept
        CPrefixTable(vector[CPrefixEntry])      except +
        uint32_t lookup(const CAddress&, int64_t)       noexcept
        size_t size()                           noexcept


cdef extern from "poolsift/mailbox.hpp" namespace "poolsift" nogil:
    cdef enum class MailboxKind "poolsift::MailboxKind" (uint8_t):
        unusable
        null_path
        literal
        domain
        domain_needs_idna
    cdef cppclass CMailbox "poolsift::Mailbox":
        CMailbox()                              noexcept
        MailboxKind kind
        Bytes local
        cbool quoted
        Bytes domain
    CMailbox c_parse_mailbox "poolsift::parse_mailbox" (Bytes)                          noexcept
    void fold_ascii(Bytes, char*)               noexcept
    MailboxKind c_check_domain "poolsift::check_domain" (Bytes, Bytes&)                 noexcept


cdef extern from "poolsift/keyed_hash.hpp" namespace "poolsift" nogil:
    void set_hash_key(uint64_t, uint64_t)       noexcept


cdef extern from "poolsift/domain_set.hpp" namespace "poolsift" nogil:
    cdef cppclass CDomainSet "poolsift::DomainSet":
        CDomainSet()                            except +
        void add(Bytes, cbool)                  except +
        cbool contains(Bytes)                   noexcept
        cbool covers(Bytes)                     noexcept
        size_t size()                           noexcept


cdef extern from "poolsift/domain_table.hpp" namespace "poolsift" nogil:
    cdef enum class DnsStatus "poolsift::DnsStatus" (uint8_t):
        unlisted
        absent
        present
        unknown
        invalid
    cdef cppclass DnsFacts "poolsift::DnsFacts":
        DnsFacts()                              noexcept
        DnsStatus a
        DnsStatus mx
        DnsStatus aaaa
        cbool null_mx
    cdef cppclass CDnsTable "poolsift::DnsTable":
        CDnsTable(cbool)                        except +
        void reserve(size_t, size_t)            except +
        void add(Bytes, char, DnsStatus, cbool) except +
        cbool grows()                           noexcept
        size_t absorb(const CDnsTable&)         except +
        DnsFacts look(Bytes)                    except +
        vector[size_t] missing(const vector[Bytes]&)    except +
        size_t count()                          except +


cdef extern from "poolsift/spf_table.hpp" namespace "poolsift" nogil:
    cdef cppclass CSpfCounts "poolsift::SpfTable::Counts":
        CSpfCounts()                            noexcept
        size_t programs
        size_t segments
        size_t outcomes
        size_t bytes
        uint32_t epoch
    cdef cppclass CSpfTable "poolsift::SpfTable":
        CSpfTable(size_t)                       except +
        void add(Bytes, unsigned, Bytes, Bytes) except +
        void add_uncompiled(Bytes, unsigned, cbool)     except +
        void add_outcome(Bytes, const CAddress&, Bytes, Bytes, uint8_t)         except +
        void clear()                            except +
        uint8_t look(Bytes, const CAddress&, Bytes, Bytes)                      except +
        void look_many(const vector[Bytes]&, const vector[CAddress]&, uint8_t*) except +
        CSpfCounts count()                      except +


cdef extern from "poolsift/host_name.hpp" namespace "poolsift" nogil:
    cdef cppclass HostAnswer "poolsift::HostAnswer":
        HostAnswer()                            noexcept
        uint8_t pool
        cbool embedded
        CAddress address
    cdef cppclass CHostNames "poolsift::HostNames":
        CHostNames()                            except +
        void add_suffix(Bytes)                  except +
        void add_code(Bytes, uint8_t)           except +
        HostAnswer lookup(Bytes)                noexcept


cdef extern from "poolsift/pool_name.hpp" namespace "poolsift" nogil:
    cdef cppclass CPoolNames "poolsift::PoolNames":
        CPoolNames()                            except +
        void add_name(Bytes, uint8_t)           except +
        void add_pattern(cbool, vector[string], uint8_t)        except +
        uint8_t lookup(Bytes)                   noexcept


cdef extern from "poolsift/reply_text.hpp" namespace "poolsift" nogil:
    cbool next_reply_address(Bytes, size_t&, CAddress&)                 noexcept
    cbool c_contains_ignoring_case "poolsift::contains_ignoring_case" (Bytes, Bytes)    noexcept


cdef extern from "poolsift/srs.hpp" namespace "poolsift" nogil:
    cbool c_srs_original "poolsift::srs_original" (Bytes, string&)      except +
    cbool c_is_srs "poolsift::is_srs" (Bytes)                           noexcept


ctypedef const CPrefixTable FrozenPrefixTable
ctypedef const CDomainSet FrozenDomainSet
ctypedef const CDnsTable FrozenDnsTable
ctypedef const CHostNames FrozenHostNames
ctypedef const CPoolNames FrozenPoolNames


# Each type owns its native table by a shared pointer, which the kernel may share; only a DnsTable that grows and an SpfTable ever change.

cdef class PrefixTable:
    cdef shared_ptr[const CPrefixTable] _table


cdef class DomainSet:
    cdef shared_ptr[const CDomainSet] _table


cdef class DnsTable:
    cdef shared_ptr[const CDnsTable] _table
    cdef shared_ptr[CDnsTable] _growing   # the same table where it grows, else empty
    cdef readonly Py_ssize_t left_out


cdef class SpfTable:
    cdef shared_ptr[CSpfTable] _table     # grows while kernels read it
    cdef CSpfCounts _count(self) except *


cdef class HostNames:
    cdef shared_ptr[const CHostNames] _table


cdef class PoolNames:
    cdef shared_ptr[const CPoolNames] _table
