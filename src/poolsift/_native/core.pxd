# core.pxd: the native classifier as Cython sees it, and the Python types that own its parts.

from libc.stdint cimport (
    int64_t,
    uint8_t,
    uint16_t,
    uint32_t,
)
from libcpp cimport bool as cbool
from libcpp.memory cimport (
    shared_ptr,
    unique_ptr,
)
from libcpp.string cimport string
from libcpp.unordered_map cimport unordered_map
from libcpp.vector cimport vector

from poolsift._native.arrow_c cimport (
    ArrowArray,
    ArrowSchema,
)
from poolsift._native.nouns cimport (
    Bytes,
    CAddress,
    CDomainSet,
    CHostNames,
    CPoolNames,
    CPrefixEntry,
    CPrefixTable,
    CSpfTable,
    DnsTable as NativeDnsTable,
    FrozenDnsTable,
    SpfTable as NativeSpfTable,
)


cdef extern from "poolsift/kernel.hpp" namespace "poolsift" nogil:
    cdef cppclass CDecision "poolsift::Decision":
        uint8_t pool
        uint8_t rule
        uint8_t candidates
        uint8_t fix
    cdef cppclass CProfile "poolsift::Profile":
        CProfile()                              except +
        string name
        vector[CDecision] decisions
    cdef cppclass CEra "poolsift::Era":
        int64_t since_us
        size_t profile
    cdef cppclass CBlockCode "poolsift::BlockCode":
        CBlockCode()                            except +
        string code
        string phrase
        cbool required
        uint8_t reason
    cdef cppclass CTenant "poolsift::Tenant":
        CTenant()                               except +
        cbool newly_filtered
        cbool learned
        CDomainSet accepted
        CDomainSet own
        CPrefixTable gateways
    cdef cppclass CKernelSpec "poolsift::KernelSpec":
        CKernelSpec()                           except +
        vector[CProfile] profiles
        vector[CEra] timeline
        size_t timeless
        vector[size_t] compare
        vector[string] rules
        string fixes
        uint8_t investigate_rule
        uint8_t investigate_fix
        vector[CPrefixEntry] prefixes
        CHostNames hosts
        CPoolNames pool_names
        unordered_map[int64_t, uint8_t] sfp
        vector[CBlockCode] blocks
        vector[string] special_use
        vector[string] consumer_tenants
        vector[string] ndr_senders
        vector[string] postmasters
        vector[CTenant] tenants
        vector[string] tenant_ids
        FrozenDnsTable* dns
        CSpfTable* spf
        vector[CPrefixEntry] spf_excluded
    cdef cppclass CKernel "poolsift::Kernel":
        CKernel(CKernelSpec)                    except +
        const CKernelSpec& spec()               noexcept


cdef extern from "poolsift/isa.hpp" namespace "poolsift" nogil:
    cdef enum class Isa "poolsift::Isa" (uint8_t):
        base
        sse42
    Isa chosen_isa()                            noexcept


cdef extern from "poolsift/domain_memo.hpp" namespace "poolsift" nogil:
    cdef cppclass CQuestion "poolsift::Question":
        uint32_t id
        uint8_t need
        string text
    cdef cppclass CDomainMemo "poolsift::DomainMemo":
        vector[CQuestion] questions()           except +
        void fill(uint32_t, Bytes, Bytes)       except +
        size_t size()                           noexcept


cdef extern from "poolsift/verdict_columns.hpp" namespace "poolsift" nogil:
    cdef cppclass CVerdictColumns "poolsift::VerdictColumns":
        pass
    void export_verdicts(unique_ptr[CVerdictColumns], const vector[string]&, ArrowSchema*, ArrowArray*)     except +


cdef extern from "poolsift/observation.hpp" namespace "poolsift" nogil:
    cdef cppclass CPoolNameMemo "poolsift::PoolNameMemo":
        vector[CUnseen] unseen()                except +
    cdef cppclass CUnseen "poolsift::UnseenName":
        string name
        int64_t count


cdef extern from "poolsift/spf_stage.hpp" namespace "poolsift" nogil:
    cdef cppclass CSpfQuestion "poolsift::SpfQuestion":
        cbool outcome
        uint8_t family
        string name
        CAddress client
        string helo
        string local


cdef extern from "poolsift/classify.hpp" namespace "poolsift" nogil:
    cdef cppclass CClassifier "poolsift::Classifier":
        CClassifier(const CKernel&)             except +
        void read(const ArrowSchema&, const ArrowArray&)        except +
        vector[CSpfQuestion] spf_questions()    except +
        unique_ptr[CVerdictColumns] classify()  except +
        CDomainMemo& memo()                     noexcept
        const CPoolNameMemo& pool_names()       noexcept
        int64_t timeless()                      noexcept


cdef class Kernel:
    cdef unique_ptr[CKernel] _kernel
    cdef NativeDnsTable _dns              # owners of what the kernel points to
    cdef NativeSpfTable _spf


cdef class DomainMemo:
    cdef unique_ptr[CClassifier] _classifier
    cdef Kernel _kernel             # owner of what the classifier points to
    cdef object _schema             # the batch that was read and not yet classified
    cdef object _array
    cdef void _read(self, Kernel kernel, object schema, object array) except *
    cdef list _asked(self)
