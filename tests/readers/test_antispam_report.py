"""The two forms of the filter's report."""

import pytest

from poolsift.readers.antispam_report import AntispamReport, parse_antispam_report, parse_filter_summary


class TestHeaderForm:
    def test_outbound_spam(self):
        """Every key that matters is read; the scrubbed SFS list between them does no harm."""
        report = parse_antispam_report(
            "CIP:203.0.113.11;CTRY:GB;LANG:en;SCL:5;SRV:;IPV:NLI;SFV:SPM;H:mail.contoso.com;PTR:x;CAT:OSPM;"
            "SFS:(13230040)(366016)scrubbed);DIR:OUT;SFP:1023;"
        )

        assert report == AntispamReport("203.0.113.11", "mail.contoso.com", "SPM", "OSPM", "OUT", None, 1023)
        assert report.spam is True

    def test_no_client(self):
        """255.255.255.255 stands where a mailbox handed the message in."""
        assert parse_antispam_report("CIP:255.255.255.255;SFV:NSPM;DIR:OUT;SFP:1101;").client_ip is None

    def test_an_ipv6_client(self):
        """Only the first colon separates."""
        assert parse_antispam_report("CIP:2001:db8::1;").client_ip == "2001:db8::1"

    @pytest.mark.parametrize(
        ("text", "spam"),
        [
            ("SFV:SPM;", True),
            ("SFV:NSPM;CAT:OSPM", True),
            ("SFV:NSPM;CAT:NONE;", False),
            ("SFV:SKN;", False),
            ("SFV:;CAT:NONE;", None),
            ("CAT:NONE;", None),
            ("", None),
            (" sfv: spm ;", True),
        ],
    )
    def test_the_verdict(self, text, spam):
        """SPM or OSPM is spam, any other SFV is not, no SFV is unknown."""
        assert parse_antispam_report(text).spam is spam

    @pytest.mark.parametrize("text", ["SFP:;", "SFP:x;", "SFP:-1;", "SFP:9999999999;", "SFP:١٢;", "SFP:" + "9" * 5000])
    def test_a_pool_number_that_is_none(self, text):
        """Anything but a small whole number is not recorded."""
        assert parse_antispam_report(text).sfp is None

    def test_the_first_of_a_repeated_key(self):
        """A key that stands twice is read once."""
        assert parse_antispam_report("SFP:1501;SFP:1101;").sfp == 1501


class TestCustomDataForm:
    def test_the_documented_sample(self):
        """Keys stand between bars; LAT repeats."""
        report = parse_filter_summary(
            "SUM|SFV=SPM|IPV=CAL|SRV=BULK|SCL=9|LIST=0|DI=SN|H=mail.contoso.com|CIP=203.0.113.7|SFP=1501|ASF=1|LAT=287|LAT=18"
        )

        assert report == AntispamReport("203.0.113.7", "mail.contoso.com", "SPM", None, None, "SN", 1501)
        assert report.spam is True
