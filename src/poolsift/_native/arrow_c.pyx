# cython: language_level=3
"""Arrow capsules: making, opening, slicing, and streams of them in both directions. It moves structs, it does not look at data."""

from cpython.pycapsule cimport (
    PyCapsule_GetPointer,
    PyCapsule_IsValid,
    PyCapsule_New,
)
from cpython.ref cimport (
    Py_DECREF,
    Py_INCREF,
    PyObject,
)
from libc.errno cimport (
    EINVAL,
    EIO,
)
from libc.stdint cimport int64_t
from libc.stdlib cimport (
    calloc,
    free,
)
from libc.string cimport memset


cdef void free_schema(object capsule) noexcept:
    cdef ArrowSchema* schema = <ArrowSchema*>PyCapsule_GetPointer(capsule, "arrow_schema")
    if schema.release != NULL:
        schema.release(schema)
    free(schema)


cdef void free_array(object capsule) noexcept:
    cdef ArrowArray* array = <ArrowArray*>PyCapsule_GetPointer(capsule, "arrow_array")
    if array.release != NULL:
        array.release(array)
    free(array)


cdef void free_stream(object capsule) noexcept:
    cdef ArrowArrayStream* stream = <ArrowArrayStream*>PyCapsule_GetPointer(capsule, "arrow_array_stream")
    if stream.release != NULL:
        stream.release(stream)
    free(stream)


cdef object new_schema(ArrowSchema** out):
    """A capsule around an empty (released) schema that the caller fills through ``out``."""
    out[0] = <ArrowSchema*>calloc(1, sizeof(ArrowSchema))
    if out[0] == NULL:
        raise MemoryError
    return PyCapsule_New(out[0], "arrow_schema", free_schema)


cdef object new_array(ArrowArray** out):
    """A capsule around an empty (released) array that the caller fills through ``out``."""
    out[0] = <ArrowArray*>calloc(1, sizeof(ArrowArray))
    if out[0] == NULL:
        raise MemoryError
    return PyCapsule_New(out[0], "arrow_array", free_array)


cdef ArrowSchema* schema_of(object capsule) except NULL:
    """The live schema in a capsule; the capsule keeps it."""
    if not PyCapsule_IsValid(capsule, "arrow_schema"):
        raise TypeError("expected a capsule named arrow_schema")
    cdef ArrowSchema* schema = <ArrowSchema*>PyCapsule_GetPointer(capsule, "arrow_schema")
    if schema.release == NULL:
        raise ValueError("the Arrow schema was released or moved away")
    return schema


cdef ArrowArray* array_of(object capsule) except NULL:
    """The live array in a capsule; the capsule keeps it."""
    if not PyCapsule_IsValid(capsule, "arrow_array"):
        raise TypeError("expected a capsule named arrow_array")
    cdef ArrowArray* array = <ArrowArray*>PyCapsule_GetPointer(capsule, "arrow_array")
    if array.release == NULL:
        raise ValueError("the Arrow array was released or moved away")
    return array


cdef void release_view(ArrowArray* view) noexcept nogil:
    with gil:
        Py_DECREF(<object>view.private_data)
    view.release = NULL


def array_length(array not None):
    """Rows of the array in a capsule."""
    return array_of(array).length


def array_view(array not None, int64_t offset=0, length=None):
    """A capsule with rows ``offset`` to ``offset + length`` of a struct array; nothing is copied, the base is kept alive."""
    cdef ArrowArray* base = array_of(array)
    cdef int64_t rows = base.length - offset if length is None else length
    if offset < 0 or rows < 0 or offset > base.length - rows:
        raise ValueError(f"rows {offset} to {offset + rows} of an array of {base.length}")
    cdef ArrowArray* view
    capsule = new_array(&view)
    view[0] = base[0]
    view.length = rows
    view.offset = base.offset + offset
    view.null_count = 0 if base.null_count == 0 else -1
    Py_INCREF(array)
    view.private_data = <void*><PyObject*>array
    view.release = release_view
    return capsule


cdef class InputStream:
    """The batches of somebody's Arrow stream, one capsule at a time; made by ``open_stream``."""

    cdef object _base
    cdef ArrowArrayStream* _ptr

    def __init__(self):
        raise TypeError("use open_stream(capsule)")

    cdef object _failure(self, int code):
        cdef const char* text = self._ptr.get_last_error(self._ptr)
        message = "the Arrow stream failed" if text == NULL else (<bytes>text).decode("utf-8", "replace")
        return (ValueError if code == EINVAL else OSError)(*((message,) if code == EINVAL else (code, message)))

    def schema(self):
        """The stream's schema in a capsule."""
        cdef ArrowSchema* schema
        cdef int code
        capsule = new_schema(&schema)
        with nogil:
            code = self._ptr.get_schema(self._ptr, schema)
        if code != 0:
            raise self._failure(code)
        return capsule

    def next_array(self):
        """The next batch in a capsule, or None at the end. Raises ValueError or OSError with the producer's words."""
        cdef ArrowArray* array
        cdef int code
        capsule = new_array(&array)
        with nogil:
            code = self._ptr.get_next(self._ptr, array)
        if code != 0:
            raise self._failure(code)
        return None if array.release == NULL else capsule


def open_stream(capsule not None):
    """The stream in an ``arrow_array_stream`` capsule, which stays its owner."""
    if not PyCapsule_IsValid(capsule, "arrow_array_stream"):
        raise TypeError("expected a capsule named arrow_array_stream")
    cdef InputStream stream = InputStream.__new__(InputStream)
    stream._base = capsule
    stream._ptr = <ArrowArrayStream*>PyCapsule_GetPointer(capsule, "arrow_array_stream")
    if stream._ptr.release == NULL:
        raise ValueError("the Arrow stream was released or consumed already")
    return stream


cdef class _Producer:
    """What an exported stream calls back: two Python callables, and the words of the last failure."""

    cdef object schema
    cdef object next_array
    cdef bytes error


cdef int failed(_Producer producer, object problem) noexcept:
    producer.error = f"{type(problem).__name__}: {problem}".encode("utf-8", "replace")
    return EINVAL if isinstance(problem, (TypeError, ValueError)) else EIO


cdef int produce_schema(ArrowArrayStream* stream, ArrowSchema* out) noexcept nogil:
    cdef ArrowSchema* schema
    with gil:
        producer = <_Producer>stream.private_data
        try:
            capsule = producer.schema()
            schema = schema_of(capsule)
            out[0] = schema[0]
            schema.release = NULL
            return 0
        except BaseException as problem:  # nothing may cross a C boundary; the consumer raises it again by its words
            return failed(producer, problem)


cdef int produce_next(ArrowArrayStream* stream, ArrowArray* out) noexcept nogil:
    cdef ArrowArray* array
    with gil:
        producer = <_Producer>stream.private_data
        try:
            capsule = producer.next_array()
            if capsule is None:
                memset(out, 0, sizeof(ArrowArray))
                return 0
            array = array_of(capsule)
            out[0] = array[0]
            array.release = NULL
            return 0
        except BaseException as problem:  # as above
            return failed(producer, problem)


cdef const char* producer_error(ArrowArrayStream* stream) noexcept nogil:
    with gil:
        producer = <_Producer>stream.private_data
        if producer.error is None:
            return NULL
        return <const char*>producer.error


cdef void release_producer(ArrowArrayStream* stream) noexcept nogil:
    with gil:
        Py_DECREF(<object>stream.private_data)
    stream.release = NULL


def export_stream(schema not None, next_array not None):
    """An ``arrow_array_stream`` capsule that pulls lazily.

    ``schema()`` gives a fresh schema capsule, ``next_array()`` an array capsule or None at the end; both are
    emptied. What they raise reaches the consumer as the stream's error.
    """
    cdef _Producer producer = _Producer.__new__(_Producer)
    producer.schema = schema
    producer.next_array = next_array
    cdef ArrowArrayStream* stream = <ArrowArrayStream*>calloc(1, sizeof(ArrowArrayStream))
    if stream == NULL:
        raise MemoryError
    stream.get_schema = produce_schema
    stream.get_next = produce_next
    stream.get_last_error = producer_error
    stream.release = release_producer
    Py_INCREF(producer)
    stream.private_data = <void*><PyObject*>producer
    return PyCapsule_New(stream, "arrow_array_stream", free_stream)
