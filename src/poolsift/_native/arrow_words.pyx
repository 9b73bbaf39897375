# cython: language_level=3
"""Numbers as words: a view of a struct array whose last columns (bytes) become dictionary columns under new names."""

from cpython.ref cimport (
    Py_DECREF,
    Py_INCREF,
    PyObject,
)
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

from poolsift._native.arrow_c cimport (
    ArrowArray,
    ArrowSchema,
    array_of,
    new_array,
    new_schema,
    schema_of,
)


cdef void release_schema_part(ArrowSchema* schema) noexcept nogil:
    """A child or dictionary: its strings belong to the owner, its struct to the block of the root."""
    with gil:
        Py_DECREF(<object>schema.private_data)
    schema.release = NULL


cdef void release_array_part(ArrowArray* array) noexcept nogil:
    with gil:
        Py_DECREF(<object>array.private_data)
    array.release = NULL


cdef void release_schema_root(ArrowSchema* schema) noexcept nogil:
    cdef int64_t i
    for i in range(schema.n_children):
        if schema.children[i].release != NULL:
            schema.children[i].release(schema.children[i])
    free(schema.children)
    release_schema_part(schema)


cdef void release_array_root(ArrowArray* array) noexcept nogil:
    cdef int64_t i
    for i in range(array.n_children):
        if array.children[i].release != NULL:
            array.children[i].release(array.children[i])
    free(array.children)
    release_array_part(array)


cdef void own_schema(ArrowSchema* part, object owner, void (*release)(ArrowSchema*) noexcept nogil) noexcept:
    Py_INCREF(owner)
    part.private_data = <void*><PyObject*>owner
    part.release = release


cdef void own_array(ArrowArray* part, object owner, void (*release)(ArrowArray*) noexcept nogil) noexcept:
    Py_INCREF(owner)
    part.private_data = <void*><PyObject*>owner
    part.release = release


cdef class Words:
    """A dictionary of words in Arrow's layout; immutable, shared by every batch."""

    cdef bytes _text
    cdef bytes _offsets
    cdef const void* _buffers[3]
    cdef ArrowArray _array
    cdef ArrowSchema _schema

    def __cinit__(self, words not None):
        encoded = [word.encode() for word in words]
        ends = [sum(map(len, encoded[:count])) for count in range(len(encoded) + 1)]
        self._text = b"".join(encoded)
        self._offsets = b"".join(end.to_bytes(4, "little") for end in ends)
        self._buffers[0] = NULL
        self._buffers[1] = <const void*><const char*>self._offsets
        self._buffers[2] = <const void*><const char*>self._text
        self._array.length = len(encoded)
        self._array.n_buffers = 3
        self._array.buffers = self._buffers
        self._schema.format = "u"
        self._schema.name = ""
        self._schema.flags = 2


def worded_schema(schema not None, int64_t first, names not None, Words words not None):
    """A schema capsule in which the byte columns from ``first`` on have ``names`` and are dictionaries; numbers stay below 128."""
    cdef ArrowSchema* base = schema_of(schema)
    cdef ArrowSchema* view
    cdef ArrowSchema* structs
    cdef int64_t count = base.n_children
    cdef int64_t i
    owner = (schema, words, [name.encode() for name in names])
    if not 0 <= first <= count or len(names) != count - first:
        raise ValueError(f"{len(names)} names for {count - first} columns")
    capsule = new_schema(&view)
    # one block: pointers, children, dictionaries
    view.children = <ArrowSchema**>calloc(count + 1, sizeof(ArrowSchema*) + 2 * sizeof(ArrowSchema))
    if view.children == NULL:
        raise MemoryError
    structs = <ArrowSchema*>(view.children + count)
    view.format = "+s"
    view.name = ""
    view.n_children = count
    for i in range(count):
        view.children[i] = structs + i
        structs[i] = base.children[i][0]
        if i >= first:
            structs[i].format = "c"
            structs[i].name = <bytes>owner[2][i - first]
            structs[i].dictionary = structs + count + i
            structs[count + i] = words._schema
            own_schema(structs + count + i, owner, release_schema_part)
        own_schema(structs + i, owner, release_schema_child)
    own_schema(view, owner, release_schema_root)
    return capsule


cdef void release_schema_child(ArrowSchema* schema) noexcept nogil:
    """A child; the dictionary of one of the base's columns is released by the base."""
    if schema.dictionary != NULL and schema.dictionary.release == release_schema_part:
        schema.dictionary.release(schema.dictionary)
    release_schema_part(schema)


cdef void release_array_child(ArrowArray* array) noexcept nogil:
    if array.dictionary != NULL and array.dictionary.release == release_array_part:
        array.dictionary.release(array.dictionary)
    release_array_part(array)


def worded_array(array not None, int64_t first, Words words not None):
    """An array capsule whose columns from ``first`` on have the dictionary ``words``; nothing is copied."""
    cdef ArrowArray* base = array_of(array)
    cdef ArrowArray* view
    cdef ArrowArray* structs
    cdef int64_t count = base.n_children
    cdef int64_t i
    owner = (array, words)
    capsule = new_array(&view)
    view.children = <ArrowArray**>calloc(count + 1, sizeof(ArrowArray*) + 2 * sizeof(ArrowArray))
    if view.children == NULL:
        raise MemoryError
    structs = <ArrowArray*>(view.children + count)
    view.length = base.length
    view.null_count = base.null_count
    view.offset = base.offset
    view.n_buffers = base.n_buffers
    view.buffers = base.buffers
    view.n_children = count
    for i in range(count):
        view.children[i] = structs + i
        structs[i] = base.children[i][0]
        if i >= first:
            structs[i].dictionary = structs + count + i
            structs[count + i] = words._array
            own_array(structs + count + i, owner, release_array_part)
        own_array(structs + i, owner, release_array_child)
    own_array(view, owner, release_array_root)
    return capsule
