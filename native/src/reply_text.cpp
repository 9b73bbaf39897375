// reply_text.cpp: walks once through a status text, in and out of the remote's reply.
#include "poolsift/reply_text.hpp"

#include <algorithm>
#include <array>

namespace poolsift {

namespace {

/// The walk's place and where it is; packed into the caller's cursor between calls.
struct Walk {
    enum State : unsigned { fresh = 0, outside = 1, in_braces = 2, in_whole = 3 };

    std::size_t at = 0;
    State state = fresh;

    static Walk unpack(std::size_t cursor) noexcept { return {cursor >> 2, static_cast<State>(cursor & 3)}; }
    [[nodiscard]] std::size_t pack() const noexcept { return at << 2 | state; }
};

/// Servers that were tried, which a reply's frame names; each runs to its closing character.
struct Skip {
    Bytes opening;
    char closing;
};
constexpr std::array<Skip, 4> skips{{
    {"[LastAttemptedIP=", ']'}, {"[LastAttemptedServerName=", ']'}, {"{IP=", '}'}, {"{FQDN=", '}'},
}};

bool is_digit(char byte) noexcept { return byte >= '0' && byte <= '9'; }

/// A character of an address.
bool is_address_byte(char byte) noexcept {
    const char small = lower_ascii(byte);
    return is_digit(byte) || (small >= 'a' && small <= 'f') || byte == '.' || byte == ':';
}

/// A character that, beside a run, makes it part of a longer word.
bool is_word_byte(char byte) noexcept {
    const char small = lower_ascii(byte);
    return is_digit(byte) || (small >= 'a' && small <= 'z') || byte == '_' || byte == '-';
}

bool opens_reply(Bytes text) noexcept { return text.starts_with("{LED=") || text.starts_with("{MSG="); }

/// Ends the reply at this place? In braces at the next `}`, otherwise where our own proxy's addresses begin.
bool reply_ends(Bytes rest, Walk::State state) noexcept {
    if (state == Walk::in_braces) return rest.front() == '}';
    return rest.front() == 'O' && rest.starts_with("OutboundProxyTarget");
}

/// Moves behind a skipped part, or to the end of the reply where it is not closed.
void skip_part(Bytes text, const Skip& skip, Walk& walk) noexcept {
    walk.at += skip.opening.size();
    for (; walk.at < text.size() && !reply_ends(text.substr(walk.at), walk.state); ++walk.at) {
        if (text[walk.at] == skip.closing) {
            ++walk.at;
            return;
        }
    }
}

/// Reads the run at the walk's place and moves behind it.
bool take_run(Bytes text, Walk& walk, Address& out) noexcept {
    const std::size_t start = walk.at;
    while (walk.at < text.size() && is_address_byte(text[walk.at])) ++walk.at;
    Bytes run = text.substr(start, walk.at - start);
    if (start > 0 && is_word_byte(text[start - 1])) return false;
    if (walk.at < text.size() && is_word_byte(text[walk.at])) return false;
    if (run.back() == '.' || run.back() == ':') run.remove_suffix(1);
    return parse_address(run, out);
}

/// One step inside a reply; true when it found an address.
bool step_inside(Bytes text, Walk& walk, Address& out) noexcept {
    const Bytes rest = text.substr(walk.at);
    if (reply_ends(rest, walk.state)) {
        walk.at = walk.state == Walk::in_whole ? text.size() : walk.at + 1;
        walk.state = walk.state == Walk::in_whole ? Walk::in_whole : Walk::outside;
        return false;
    }
    if (is_address_byte(rest.front())) return take_run(text, walk, out);
    if (rest.front() == '[' || rest.front() == '{') {
        for (const Skip& skip : skips) {
            if (!rest.starts_with(skip.opening)) continue;
            skip_part(text, skip, walk);
            return false;
        }
    }
    ++walk.at;
    return false;
}

}  // namespace

bool next_reply_address(Bytes text, std::size_t& cursor, Address& out) noexcept {
    Walk walk = Walk::unpack(cursor);
    if (walk.state == Walk::fresh) {
        const bool braces = text.find("{LED=") != Bytes::npos || text.find("{MSG=") != Bytes::npos;
        walk.state = braces ? Walk::outside : Walk::in_whole;
    }
    bool found = false;
    while (!found && walk.at < text.size()) {
        if (walk.state != Walk::outside) {
            found = step_inside(text, walk, out);
        } else if (opens_reply(text.substr(walk.at))) {
            walk.at += 5;
            walk.state = Walk::in_braces;
        } else {
            const std::size_t brace = text.find('{', walk.at + 1);
            walk.at = brace == Bytes::npos ? text.size() : brace;
        }
    }
    cursor = walk.pack();
    if (!found) out = Address{};
    return found;
}

bool contains_ignoring_case(Bytes text, Bytes lower_case_phrase) noexcept {
    if (lower_case_phrase.empty()) return true;
    const auto found = std::search(text.begin(), text.end(), lower_case_phrase.begin(), lower_case_phrase.end(),
                                   [](char a, char b) { return lower_ascii(a) == b; });
    return found != text.end();
}

}  // namespace poolsift
