// fuzz_reply_text.cpp: status texts; the walk ends, moves forward and finds addresses only.
#include <array>
#include <string>

#include "exact.hpp"
#include "poolsift/reply_text.hpp"

using namespace poolsift;

namespace {
void check(Bytes text) {
    std::size_t cursor = 0;
    std::size_t found = 0;
    Address address;
    while (next_reply_address(text, cursor, address)) {
        require(address.family == 4 || address.family == 6, "what is found is an address");
        require(++found <= text.size(), "the walk ends");
    }
    require(!next_reply_address(text, cursor, address) && address == Address{}, "the end stays the end");
    require(contains_ignoring_case(text, ""), "an empty phrase is in every text");
    contains_ignoring_case(text, "bad outbound sender");
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static constexpr std::array<const char*, 20> pieces{
        "{LED=", "{MSG=", "}", "{IP=", "{FQDN=", "[LastAttemptedIP=", "[LastAttemptedServerName=", "]", "OutboundProxyTarget",
        "40.95.1.1", "2a01::1", ".", ":", " ", "x", "-", ";", "1", "{", "["};
    const Exact input(data, size);
    check(input.text());
    std::string dense;   // the same bytes as pieces of status texts, so that random input gets deep
    for (const char byte : input.text()) dense += pieces[static_cast<unsigned char>(byte) % pieces.size()];
    check(Exact(dense).text());
    return 0;
}
