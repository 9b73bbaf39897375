// pool_name.cpp: whole names first, then patterns in order.
#include "poolsift/pool_name.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "poolsift/reply_text.hpp"

namespace poolsift {

void PoolNames::add_name(Bytes lower_case, std::uint8_t pool) {
    if (lower_case.empty()) throw std::invalid_argument("a pool name is empty");
    for (auto& [known, known_pool] : names_) {
        if (known == lower_case) {
            known_pool = pool;
            return;
        }
    }
    names_.emplace_back(lower_case, pool);
}

void PoolNames::add_pattern(bool prefix, std::vector<std::string> words, std::uint8_t pool) {
    const bool empty = std::any_of(words.begin(), words.end(), [](const std::string& word) { return word.empty(); });
    if (words.empty() || empty) throw std::invalid_argument("a pattern of pool names needs words that are not empty");
    if (prefix && words.size() > 1) throw std::invalid_argument("a prefix of pool names is one word");
    patterns_.push_back({prefix, std::move(words), pool});
}

bool PoolNames::Pattern::fits(Bytes name) const noexcept {
    if (prefix) return equals_ignoring_case(name.substr(0, words.front().size()), words.front());
    return std::all_of(words.begin(), words.end(), [name](const std::string& word) { return contains_ignoring_case(name, word); });
}

std::uint8_t PoolNames::lookup(Bytes name) const noexcept {
    if (name.empty()) return 255;
    for (const auto& [known, pool] : names_) {
        if (equals_ignoring_case(name, known)) return pool;
    }
    for (const Pattern& pattern : patterns_) {
        if (pattern.fits(name)) return pattern.pool;
    }
    return 255;
}

}  // namespace poolsift
