# arrow_c.pxd: the Arrow C data and stream interfaces, and their capsules.
# https://arrow.apache.org/docs/format/CStreamInterface.html

from libc.stdint cimport int64_t


cdef extern from "poolsift/arrow_abi.hpp" nogil:
    cdef struct ArrowSchema:
        const char* format
        const char* name
        const char* metadata
        int64_t flags
        int64_t n_children
        ArrowSchema** children
        ArrowSchema* dictionary
        void (*release)(ArrowSchema*)           noexcept nogil
        void* private_data
    cdef struct ArrowArray:
        int64_t length
        int64_t null_count
        int64_t offset
        int64_t n_buffers
        int64_t n_children
        const void** buffers
        ArrowArray** children
        ArrowArray* dictionary
        void (*release)(ArrowArray*)            noexcept nogil
        void* private_data


cdef extern from * nogil:
    """
    #ifndef ARROW_C_STREAM_INTERFACE
    #define ARROW_C_STREAM_INTERFACE
    struct ArrowArrayStream {
      int (*get_schema)(struct ArrowArrayStream*, struct ArrowSchema* out);
      int (*get_next)(struct ArrowArrayStream*, struct ArrowArray* out);
      const char* (*get_last_error)(struct ArrowArrayStream*);
      void (*release)(struct ArrowArrayStream*);
      void* private_data;
    };
    #endif
    """
    cdef struct ArrowArrayStream:
        int (*get_schema)(ArrowArrayStream*, ArrowSchema*)      noexcept nogil
        int (*get_next)(ArrowArrayStream*, ArrowArray*)         noexcept nogil
        const char* (*get_last_error)(ArrowArrayStream*)        noexcept nogil
        void (*release)(ArrowArrayStream*)                      noexcept nogil
        void* private_data


cdef ArrowSchema* schema_of(object capsule) except NULL
cdef ArrowArray* array_of(object capsule) except NULL
cdef object new_schema(ArrowSchema** out)
cdef object new_array(ArrowArray** out)
