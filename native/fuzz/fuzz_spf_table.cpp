// fuzz_spf_table.cpp: programs and outcomes made of the input; every look-up is compared with a search through lists.
#include <algorithm>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "exact.hpp"
#include "poolsift/spf_table.hpp"

using namespace poolsift;

namespace {
/// Takes bytes off the front; zero where there are no more.
struct Feed {
    Bytes rest;
    std::uint8_t next() {
        if (rest.empty()) return 0;
        const auto byte = static_cast<std::uint8_t>(rest.front());
        rest.remove_prefix(1);
        return byte;
    }
    Bytes text(std::size_t most) {
        const Bytes taken = rest.substr(0, std::min<std::size_t>(next() % (most + 1), rest.size()));
        rest.remove_prefix(std::min(taken.size(), rest.size()));
        return taken;
    }
};

constexpr Bytes few_names[] = {"a.example", "b.example", "c.a.example"};

/// Few distinct bytes, so that segments touch.
Address take_address(Feed& feed) {
    static constexpr std::uint8_t few[] = {0, 1, 127, 128, 254, 255};
    Address address;
    address.family = feed.next() % 2 == 0 ? 6 : 4;
    for (std::size_t i = 0; i < address.size(); ++i) address.bytes[i] = few[feed.next() % 6];
    return address;
}

Bytes packed(const Address& address) { return {reinterpret_cast<const char*>(address.bytes.data()), address.size()}; }

struct Program {
    std::size_t name;
    unsigned family;
    std::vector<std::string> starts;
    std::string words;
};

/// Sorted starts of which the first is zero, unless the input says otherwise.
Program take_program(Feed& feed) {
    Program program{feed.next() % std::size(few_names), feed.next() % 2 == 0 ? 6U : 4U, {}, {}};
    program.starts.emplace_back(program.family == 4 ? 4 : 16, '\0');
    for (unsigned count = feed.next() % 12; count > 0; --count) {
        Address start = take_address(feed);
        start.family = static_cast<std::uint8_t>(program.family);
        program.starts.emplace_back(packed(start));
    }
    if (feed.next() % 8 != 0) {
        std::sort(program.starts.begin(), program.starts.end());
        program.starts.erase(std::unique(program.starts.begin(), program.starts.end()), program.starts.end());
    }
    for (std::size_t i = 0; i < program.starts.size(); ++i) program.words += static_cast<char>(feed.next() % 9);
    return program;
}

bool is_sound(const Program& program) {
    const bool ascends = std::adjacent_find(program.starts.begin(), program.starts.end(), std::greater_equal<>()) == program.starts.end();
    const bool known = std::all_of(program.words.begin(), program.words.end(), [](char word) { return word < 8; });
    return ascends && known && program.starts[0].find_first_not_of('\0') == std::string::npos;
}

std::uint8_t slow_word(const Program& program, const Address& client) {
    std::uint8_t word = 0;
    for (std::size_t i = 0; i < program.starts.size(); ++i) {
        if (Bytes(program.starts[i]) <= packed(client)) word = static_cast<std::uint8_t>(program.words[i]);
    }
    return word;
}

struct Outcome {
    std::size_t name;
    Address client;
    std::string helo, local;
    std::uint8_t word;
    bool is_of(const Outcome& other) const {
        return std::tie(name, client, helo, local) == std::tie(other.name, other.client, other.helo, other.local);
    }
};

Outcome take_outcome(Feed& feed) {
    Outcome outcome{feed.next() % std::size(few_names), take_address(feed), std::string(feed.text(3)), std::string(feed.text(3)), 0};
    outcome.word = feed.next() % 8;
    return outcome;
}

std::string slow_helo(const std::string& helo) {
    std::string out;
    for (const char byte : helo) {
        if (byte < '!' || byte > '~') return {};
        out += lower_ascii(byte);
    }
    return out;
}

/// The table, and lists of what it was told in the order in which it counts.
struct Twin {
    SpfTable table;
    std::vector<Program> programs;
    std::vector<Outcome> outcomes;

    const Program* program_of(std::size_t name, unsigned family) const {
        const auto found = std::find_if(programs.begin(), programs.end(), [&](const Program& one) { return one.name == name && one.family == family; });
        return found == programs.end() ? nullptr : &*found;
    }
    void add(const Program& program) {
        std::string starts;
        for (const std::string& start : program.starts) starts += start;
        const Exact exact_starts{Bytes(starts)};
        const Exact exact_words{Bytes(program.words)};
        try {
            table.add(few_names[program.name], program.family, exact_starts.text(), exact_words.text());
            require(is_sound(program), "a broken program is refused");
            if (program_of(program.name, program.family) == nullptr) programs.push_back(program);
        } catch (const std::invalid_argument&) {
            require(!is_sound(program), "a sound program is taken");
        }
    }
    void add(Outcome outcome) {
        const Exact helo{Bytes(outcome.helo)};
        const Exact local{Bytes(outcome.local)};
        table.add_outcome(few_names[outcome.name], outcome.client, helo.text(), local.text(), outcome.word);
        outcome.helo = slow_helo(outcome.helo);
        if (std::none_of(outcomes.begin(), outcomes.end(), [&](const Outcome& one) { return one.is_of(outcome); })) outcomes.push_back(outcome);
    }
    void compare(Outcome asked) const {
        const std::uint8_t found = table.look(few_names[asked.name], asked.client, asked.helo, asked.local);
        asked.helo = slow_helo(asked.helo);
        const Program* const program = program_of(asked.name, asked.client.family);
        const auto outcome = std::find_if(outcomes.begin(), outcomes.end(), [&](const Outcome& one) { return one.is_of(asked); });
        const std::uint8_t noted = outcome == outcomes.end() ? std::uint8_t{SpfTable::no_word} : outcome->word;
        require(found == (program != nullptr ? slow_word(*program, asked.client) : noted), "the table agrees with the lists");
    }
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Exact input(data, size);
    Feed feed{input.text()};
    Twin twin;
    for (unsigned count = feed.next() % 8; count > 0; --count) twin.add(take_program(feed));
    for (unsigned count = feed.next() % 8; count > 0; --count) twin.add(take_outcome(feed));
    for (unsigned count = 0; count < 8; ++count) twin.compare(take_outcome(feed));
    for (const Outcome& outcome : twin.outcomes) twin.compare(outcome);
    for (const Program& program : twin.programs) {
        for (const std::string& start : program.starts) {
            Outcome asked{program.name, {}, {}, {}, 0};
            address_from_packed(start, asked.client);
            if (asked.client.family == program.family) twin.compare(asked);   // not a mapped one
        }
    }
    const SpfTable::Counts counts = twin.table.count();
    require(counts.outcomes == twin.outcomes.size() && counts.programs <= twin.programs.size(), "the counts agree");
    return 0;
}
