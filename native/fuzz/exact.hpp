// exact.hpp: the input in a heap buffer of exactly its size, so that a sanitizer sees one byte too far; and a check that stays on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "poolsift/bytes.hpp"

/// The input as text, in memory of its own.
class Exact {
public:
    Exact(const std::uint8_t* data, std::size_t size) : memory_(new char[size]), size_(size) {
        if (size > 0) std::memcpy(memory_.get(), data, size);
    }
    explicit Exact(poolsift::Bytes text) : Exact(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()) {}
    [[nodiscard]] poolsift::Bytes text() const { return {memory_.get(), size_}; }

private:
    std::unique_ptr<char[]> memory_;
    std::size_t size_;
};

/// Stops the program where an invariant does not hold; unlike assert, in every build.
inline void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}
