// fuzz_mailbox.cpp: mail addresses and domains; every part is a slice of the input and keeps the limits.
#include <string>

#include "exact.hpp"
#include "poolsift/mailbox.hpp"

using namespace poolsift;

namespace {
bool inside(Bytes part, Bytes whole) {
    return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_bare(Bytes text) {
    Bytes domain;
    const MailboxKind kind = check_domain(text, domain);
    require(kind == MailboxKind::unusable || kind == MailboxKind::domain || kind == MailboxKind::domain_needs_idna, "kind");
    require((kind == MailboxKind::unusable) == domain.empty(), "a usable domain is not empty");
    require(inside(domain, text) && domain.size() <= 253, "a domain is a slice of 253 bytes at most");
    Bytes again;
    require(domain.empty() || (check_domain(domain, again) == kind && again == domain), "a domain is its own domain");
}

void check(Bytes text) {
    check_bare(text);
    const Mailbox mailbox = parse_mailbox(text);
    require(inside(mailbox.local, text) && inside(mailbox.domain, text), "parts are slices");
    const bool usable = mailbox.kind >= MailboxKind::literal;
    require(usable == !mailbox.domain.empty() && usable == !mailbox.local.empty(), "parts of usable addresses only");
    if (!usable) return;
    require(mailbox.local.size() <= 64 && mailbox.local.size() + mailbox.domain.size() < 254, "limits");
    require(mailbox.quoted == (mailbox.local.front() == '"'), "quoted is told by the first byte");
    require((mailbox.kind == MailboxKind::literal) == (mailbox.domain.front() == '['), "a literal stands in brackets");
    std::string whole{mailbox.local};
    whole.append(1, '@').append(mailbox.domain);
    const Mailbox again = parse_mailbox(whole);
    require(again.kind == mailbox.kind && again.local == mailbox.local && again.domain == mailbox.domain, "parsed again, the same");
    std::string lower(mailbox.local.size(), '\0');
    fold_ascii(mailbox.local, lower.data());
    require(mailbox.quoted || local_part_equals(mailbox, lower), "a local part equals itself in lower case");
    local_part_equals(mailbox, "postmaster");
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Exact input(data, size);
    check(input.text());
    std::string dense;   // the same bytes as letters of mail addresses, so that random input gets deep
    for (const char byte : input.text()) dense += "ab1.-_@\"\\<> ,:[]x\xc3\xa9n"[static_cast<unsigned char>(byte) % 20];
    check(Exact(dense).text());
    check(Exact("a@" + dense).text());
    check(Exact("\"" + dense + "\"@b.example").text());
    check(Exact("<@" + dense + ">").text());
    return 0;
}
