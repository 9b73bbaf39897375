// fuzz_columns.cpp: text columns as a broken producer hands them over; opening throws, or every row can be read inside its buffers.
#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "exact.hpp"
#include "poolsift/columns.hpp"

using namespace poolsift;

namespace {
/// Takes numbers and buffers off the input; what is missing counts as zero.
class Bits {
public:
    explicit Bits(Bytes text) : text_(text) {}
    std::uint8_t byte() { return at_ < text_.size() ? static_cast<std::uint8_t>(text_[at_++]) : 0; }
    /// A heap buffer of exactly `size` bytes.
    std::vector<char> buffer(std::size_t size) {
        std::vector<char> out(size);
        for (char& one : out) one = static_cast<char>(byte());
        return out;
    }

private:
    Bytes text_;
    std::size_t at_ = 0;
};

/// An array with its buffers; the sizes that the interface cannot tell are those a truthful producer would have given.
struct Column {
    ArrowSchema schema{};
    ArrowArray array{};
    std::vector<std::vector<char>> memory;
    std::vector<const void*> buffers;
    std::int64_t length;

    Column(Bits& bits, const char* format, std::int64_t rows) : length(rows) {
        schema.format = format;
        schema.name = "mail_from";
        array.length = rows;
        array.offset = bits.byte() % 3;
        array.null_count = -1;
    }
    void add(std::vector<char> bytes) {
        memory.push_back(std::move(bytes));
    }
    void seal(bool bitmap) {
        buffers.push_back(bitmap ? memory[0].data() : nullptr);
        for (std::size_t n = 1; n < memory.size(); ++n) buffers.push_back(memory[n].empty() ? "" : memory[n].data());
        array.n_buffers = static_cast<std::int64_t>(buffers.size());
        array.buffers = buffers.data();
    }
    std::int64_t slots() const { return length + array.offset; }
};

/// Small signed numbers, so that random offsets are nearly right; one in sixteen is as wild as four bytes allow.
template <typename Number>
std::vector<char> numbers(Bits& bits, std::int64_t count, bool rising) {
    std::vector<char> out(static_cast<std::size_t>(count) * sizeof(Number));
    Number value = 0;
    for (std::int64_t n = 0; n < count; ++n) {
        const std::uint8_t step = bits.byte();
        value = static_cast<Number>((rising ? value : Number{0}) + step % 5);
        if (step % 16 == 15) value = static_cast<Number>(bits.byte() << 24 | bits.byte() << 16 | bits.byte());
        std::memcpy(out.data() + static_cast<std::size_t>(n) * sizeof(Number), &value, sizeof value);
    }
    return out;
}

/// Plain text: the data buffer is as long as the last offset says, up to a cap beyond which the producer would have failed.
template <typename Offset>
bool plain(Bits& bits, Column& column) {
    column.add(bits.buffer(static_cast<std::size_t>(column.slots() / 8 + 1)));
    column.add(numbers<Offset>(bits, column.slots() + 1, true));
    Offset last = 0;
    std::memcpy(&last, column.memory[1].data() + static_cast<std::size_t>(column.slots()) * sizeof last, sizeof last);
    if (last > 4096) return false;
    column.add(bits.buffer(static_cast<std::size_t>(std::max<Offset>(last, 0))));
    column.seal(bits.byte() % 2 == 0);
    return true;
}

void views(Bits& bits, Column& column) {
    column.add(bits.buffer(static_cast<std::size_t>(column.slots() / 8 + 1)));
    std::vector<char> records(static_cast<std::size_t>(column.slots()) * 16);
    for (std::int64_t n = 0; n < column.slots(); ++n) {
        const auto parts = numbers<std::int32_t>(bits, 4, false);
        std::memcpy(records.data() + n * 16, parts.data(), 16);
        records[static_cast<std::size_t>(n * 16)] = static_cast<char>(bits.byte() % 20);
    }
    column.add(std::move(records));
    column.add(bits.buffer(bits.byte() % 40));
    const std::int64_t size = static_cast<std::int64_t>(column.memory[2].size());
    std::vector<char> sizes(sizeof size);
    std::memcpy(sizes.data(), &size, sizeof size);
    column.add(std::move(sizes));
    column.seal(bits.byte() % 2 == 0);
}

void read_all(const ArrowSchema& schema, const ArrowArray& array) {
    const RawColumn raw{"mail_from", &schema, &array, 0, array.length};
    std::size_t sum = 0;
    try {
        const TextColumn column(raw);
        std::string_view text;
        for (std::int64_t row = 0; row < array.length; ++row) {
            if (!column.read(row, text)) continue;
            for (const char byte : text) sum += static_cast<unsigned char>(byte);
        }
    } catch (const TypeMismatch&) {
    } catch (const std::invalid_argument&) {
    }
    require(sum < std::size_t{1} << 40, "sums stay small");
}

void dictionary(Bits& bits, Column& values) {
    Column column(bits, "c", bits.byte() % 9);
    column.add(bits.buffer(static_cast<std::size_t>(column.slots() / 8 + 1)));
    std::vector<char> indices = bits.buffer(static_cast<std::size_t>(column.slots()));
    for (char& index : indices) index = static_cast<char>(index % 16);
    column.add(std::move(indices));
    column.seal(bits.byte() % 2 == 0);
    column.schema.dictionary = &values.schema;
    column.array.dictionary = &values.array;
    read_all(column.schema, column.array);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Exact input(data, size);
    Bits bits(input.text());
    const std::uint8_t form = bits.byte() % 3;
    Column column(bits, form == 0 ? "u" : form == 1 ? "U" : "vu", bits.byte() % 12);
    if (form == 0 && !plain<std::int32_t>(bits, column)) return 0;
    if (form == 1 && !plain<std::int64_t>(bits, column)) return 0;
    if (form == 2) views(bits, column);
    read_all(column.schema, column.array);
    dictionary(bits, column);
    return 0;
}
