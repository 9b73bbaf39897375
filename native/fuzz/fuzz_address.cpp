// fuzz_address.cpp: addresses; the SSE4.2 twin must agree with the base twin, and text must survive a round trip.
#include <string>

#include "exact.hpp"
#include "poolsift/address.hpp"
#include "poolsift/isa.hpp"

using namespace poolsift;

namespace {
std::string text_of(const Address& address) {
    std::string text;
    char part[8];
    if (address.family == 4) {
        for (std::size_t i = 0; i < 4; ++i) {
            std::snprintf(part, sizeof part, i == 0 ? "%u" : ".%u", address.bytes[i]);
            text += part;
        }
    } else {
        for (std::size_t i = 0; i < 16; i += 2) {
            std::snprintf(part, sizeof part, i == 0 ? "%x" : ":%x", address.bytes[i] << 8 | address.bytes[i + 1]);
            text += part;
        }
    }
    return text;
}

void check(Bytes text) {
    Address base;
    Address other;
    const bool base_takes = detail::parse_ipv4_base(text, base);
    if (best_isa() == Isa::sse42) {
        require(detail::parse_ipv4_sse42(text, other) == base_takes, "both twins take the same IPv4 text");
        require(!base_takes || base == other, "both twins read the same IPv4 address");
    }
    Address address;
    if (!parse_address(text, address)) {
        require(address == Address{} && !base_takes, "a refused text leaves no address");
        return;
    }
    require(text.size() <= 45 && (address.family == 4 || address.family == 6), "an address has a family");
    require(!base_takes || (address == base && !address.mapped), "IPv4 text is read by the IPv4 twin");
    Address again;
    require(parse_address(text_of(address), again), "an address can be read back");
    again.mapped = address.mapped;
    require(again == address, "an address reads back as itself");
    Address packed;
    require(address_from_packed({reinterpret_cast<const char*>(address.bytes.data()), address.size()}, packed), "packed");
    packed.mapped = address.mapped;
    require(packed == address, "its bytes are the address");
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Exact input(data, size);
    check(input.text());
    std::string dense;   // the same bytes as letters of addresses, so that random input gets deep
    for (const char byte : input.text()) dense += "0123456789abcdefF:::...."[static_cast<unsigned char>(byte) % 24];
    check(Exact(dense).text());
    return 0;
}
