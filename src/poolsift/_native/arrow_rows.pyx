# cython: language_level=3
"""Single rows through the Arrow C data interface, without an Arrow library: a one-row batch in, a row of a batch out."""

from cpython.ref cimport (
    Py_DECREF,
    Py_INCREF,
    PyObject,
)
from libc.stdint cimport (
    int8_t,
    int16_t,
    int32_t,
    int64_t,
    uint8_t,
    uint16_t,
    uint32_t,
    uint64_t,
)
from libc.stdlib cimport calloc, free

from poolsift._native.arrow_c cimport (
    ArrowArray,
    ArrowSchema,
    array_of,
    new_array,
    new_schema,
    schema_of,
)

_KINDS = {"string": b"u", "int32": b"i", "bool": b"b", "timestamp": b"tsu:UTC"}


cdef class _Field:
    """What one column of the batch owns."""

    cdef bytes name
    cdef bytes format
    cdef bytes data
    cdef int32_t offsets[2]
    cdef uint8_t valid


cdef class _Batch:
    """What a batch owns; schema and array each hold one reference to it and one C block of structs."""

    cdef list fields


cdef void release_child_schema(ArrowSchema* schema) noexcept nogil:
    schema.release = NULL


cdef void release_child_array(ArrowArray* array) noexcept nogil:
    array.release = NULL


cdef void release_batch_schema(ArrowSchema* schema) noexcept nogil:
    cdef int64_t i
    for i in range(schema.n_children):
        if schema.children[i].release != NULL:
            schema.children[i].release(schema.children[i])
    free(schema.children)
    with gil:
        Py_DECREF(<object>schema.private_data)
    schema.release = NULL


cdef void release_batch_array(ArrowArray* array) noexcept nogil:
    cdef int64_t i
    for i in range(array.n_children):
        if array.children[i].release != NULL:
            array.children[i].release(array.children[i])
    free(array.children)
    free(array.buffers)
    with gil:
        Py_DECREF(<object>array.private_data)
    array.release = NULL


cdef object encoded(str kind, object value):
    """The bytes of one value in the layout of its Arrow type."""
    if kind == "string":
        return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else bytes(value)
    if kind == "bool":
        return b"\x01" if value else b"\x00"
    return int(value).to_bytes(4 if kind == "int32" else 8, "little", signed=True)


cdef _Field field(str name, str kind, object value):
    cdef _Field made = _Field.__new__(_Field)
    made.name = name.encode()
    made.format = _KINDS[kind]
    made.valid = 0 if value is None else 1
    made.data = b"\x00" * 8 if value is None else encoded(kind, value)
    made.offsets[0] = 0
    made.offsets[1] = 0 if value is None else <int32_t>len(made.data)
    return made


def one_row(columns not None):
    """A struct array of one row as (schema, array) capsules.

    ``columns``: (name, kind, value) with kind ``string``, ``int32``, ``bool`` or ``timestamp`` (µs since 1970);
    None is null. Without columns: an array of no row.
    """
    cdef _Batch batch = _Batch.__new__(_Batch)
    batch.fields = [field(name, kind, value) for name, kind, value in columns]
    return batch_schema(batch), batch_array(batch)


cdef object batch_schema(_Batch batch):
    cdef ArrowSchema* schema
    cdef ArrowSchema* child
    cdef Py_ssize_t count = len(batch.fields)
    cdef Py_ssize_t i
    capsule = new_schema(&schema)
    # pointers first, the structs they point to right behind them: one block, one free
    schema.children = <ArrowSchema**>calloc(max(count, 1), sizeof(ArrowSchema*) + sizeof(ArrowSchema))
    if schema.children == NULL:
        raise MemoryError
    for i in range(count):
        child = <ArrowSchema*>(schema.children + count) + i
        schema.children[i] = child
        child.name = (<_Field>batch.fields[i]).name
        child.format = (<_Field>batch.fields[i]).format
        child.flags = 2
        child.release = release_child_schema
    schema.format = "+s"
    schema.name = ""
    schema.n_children = count
    schema.private_data = <void*><PyObject*>batch
    schema.release = release_batch_schema
    Py_INCREF(batch)
    return capsule


cdef object batch_array(_Batch batch):
    cdef ArrowArray* array
    cdef ArrowArray* child
    cdef const void** buffers
    cdef _Field made
    cdef Py_ssize_t count = len(batch.fields)
    cdef Py_ssize_t i
    capsule = new_array(&array)
    array.children = <ArrowArray**>calloc(max(count, 1), sizeof(ArrowArray*) + sizeof(ArrowArray))
    # one buffer of the struct itself, three of each child
    array.buffers = <const void**>calloc(1 + 3 * count, sizeof(void*))
    if array.children == NULL or array.buffers == NULL:
        free(array.children)
        free(array.buffers)
        raise MemoryError
    for i in range(count):
        made = <_Field>batch.fields[i]
        child = <ArrowArray*>(array.children + count) + i
        array.children[i] = child
        buffers = array.buffers + 1 + 3 * i
        buffers[0] = NULL if made.valid else &made.valid
        is_text = made.format == b"u"
        buffers[1] = <const void*>made.offsets if is_text else <const void*><const char*>made.data
        buffers[2] = <const void*><const char*>made.data if is_text else NULL
        child.length = 1
        child.null_count = 1 - made.valid
        child.n_buffers = 3 if is_text else 2
        child.buffers = buffers
        child.release = release_child_array
    array.length = 1 if count else 0
    array.n_buffers = 1
    array.n_children = count
    array.private_data = <void*><PyObject*>batch
    array.release = release_batch_array
    Py_INCREF(batch)
    return capsule


cdef bint is_valid(ArrowArray* array, int64_t row) noexcept:
    cdef const uint8_t* bits = <const uint8_t*>array.buffers[0]
    return bits == NULL or (bits[row >> 3] >> (row & 7)) & 1


cdef object value_at(ArrowSchema* schema, ArrowArray* array, int64_t row):
    """One value as a Python object; ``row`` counts without the array's own offset."""
    cdef bytes kind = schema.format
    row += array.offset
    if not is_valid(array, row):
        return None
    index = number_at(kind, array.buffers[1], row)
    if schema.dictionary != NULL:
        return value_at(schema.dictionary, array.dictionary, index)
    if index is not None:
        return index
    if kind == b"u":
        start, end = (<const int32_t*>array.buffers[1])[row], (<const int32_t*>array.buffers[1])[row + 1]
    elif kind == b"U":
        start, end = (<const int64_t*>array.buffers[1])[row], (<const int64_t*>array.buffers[1])[row + 1]
    else:
        raise TypeError(f"column {schema.name.decode()}: format {kind.decode()}")
    return (<const char*>array.buffers[2])[<Py_ssize_t>start:<Py_ssize_t>end].decode("utf-8", "replace")


cdef object number_at(bytes kind, const void* data, int64_t row):
    if kind == b"c":
        return (<const int8_t*>data)[row]
    if kind == b"C":
        return (<const uint8_t*>data)[row]
    if kind == b"s":
        return (<const int16_t*>data)[row]
    if kind == b"S":
        return (<const uint16_t*>data)[row]
    if kind == b"i":
        return (<const int32_t*>data)[row]
    if kind == b"I":
        return (<const uint32_t*>data)[row]
    if kind == b"l":
        return (<const int64_t*>data)[row]
    if kind == b"L":
        return (<const uint64_t*>data)[row]
    if kind == b"b":
        return bool(((<const uint8_t*>data)[row >> 3] >> (row & 7)) & 1)
    return None


def read_row(schema not None, array not None, int64_t row):
    """Row ``row`` of a struct array as a dict; strings, integers, booleans and dictionaries of strings."""
    cdef ArrowSchema* c_schema = schema_of(schema)
    cdef ArrowArray* c_array = array_of(array)
    if not 0 <= row < c_array.length:
        raise IndexError(f"row {row} of {c_array.length}")
    return {
        c_schema.children[i].name.decode(): value_at(c_schema.children[i], c_array.children[i], row + c_array.offset)
        for i in range(c_schema.n_children)
    }
