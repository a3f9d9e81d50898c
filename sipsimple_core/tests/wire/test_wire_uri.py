"""URIs: RFC 3261 19.1, RFC 3966."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.core.wire import (
    SIPURI,
    AbsoluteURI,
    FrozenAbsoluteURI,
    FrozenSIPURI,
    FrozenTelURI,
    SIPParseError,
    TelURI,
    parse_frozen_uri,
    parse_uri,
)


class TestParsing:
    def test_every_part(self):
        uri = FrozenSIPURI.parse(
            "sips:alice;day=tue:secret@atlanta.com:5063;transport=tcp;LR?subject=x&priority=urgent"
        )
        assert uri.secure and uri.scheme == "sips"
        assert (uri.user, uri.password, uri.host, uri.port) == ("alice;day=tue", "secret", "atlanta.com", 5063)
        assert dict(uri.parameters) == {"transport": "tcp", "lr": None}
        assert dict(uri.headers) == {"subject": "x", "priority": "urgent"}
        assert uri.transport == "tls"  # 26.2.2: TLS over TCP

    @pytest.mark.parametrize(
        "text",
        [
            "sip:alice@atlanta.com",
            "sip:alice:secretword@atlanta.com;transport=tcp",
            "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:+1-212-555-1212:1234@gateway.com;user=phone",
            "sips:1212@gateway.com",
            "sip:alice@192.0.2.4",
            "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
            "sip:alice;day=tuesday@atlanta.com",
            "sip:[2001:db8::10]",
            "sip:user@[2001:db8::9:1]:5070;transport=udp",
            "sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31",
            "sip:null-%00-null@example.com",
            "sip:user;par=u%40example.net@example.com",
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
            "sip:a@b;maddr=[::1];Keep-Case=Yes",
        ],
    )
    def test_is_printed_as_it_came(self, text):
        assert str(FrozenSIPURI.parse(text)) == text
        assert str(SIPURI.parse(text)) == text
        assert str(SIPURI.new(FrozenSIPURI.parse(text))) == text

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "sip:",
            "sip:@example.com",
            "sip:a@",
            "sip:a b@example.com",
            "sip:a@example.com; lr",
            "<sip:a@example.com>",
            "sip:a@b@c",
            "sip:a@example.com:99999",
            "sip:a@example.com:",
            "sip:a@example.com;",
            "sip:a@example.com;lr;lr",
            "sip:a@example.com;%6Cr;lr",
            "sip:a@example.com?x",
            "sip:a%4@example.com",
            "sip:a@[::1",
            "sip:a@[1:2]",
            "sip:a@example.com;a\r\nVia=b",
            "mailto:a@example.com",
        ],
    )
    def test_what_is_no_sip_uri_is_refused(self, text):
        with pytest.raises(SIPParseError):
            FrozenSIPURI.parse(text)

    def test_an_escaped_parameter_name_is_understood(self):
        """RFC 4475 3.1.1.3: %6C%72 is lr."""
        uri = FrozenSIPURI.parse("sip:a@example.net;%6C%72;n%61me=v%61lue%25%34%31")
        assert "lr" in uri.parameters and uri.parameters["name"] == "v%61lue%25%34%31"

    def test_a_username_is_unescaped(self):
        assert FrozenSIPURI.parse("sip:sips%3Auser%40example.com@example.net").username == "sips:user@example.com"
        assert FrozenSIPURI.parse("sip:%ff@example.net").username == "�"
        assert FrozenSIPURI.parse("sip:example.net").username is None

    def test_ipv6_hosts_have_no_brackets(self):
        assert FrozenSIPURI.parse("sip:[::1]:5062").host == "::1"
        assert str(SIPURI("::1", port=5062)) == "sip:[::1]:5062" == str(SIPURI("[::1]", port=5062))

    def test_a_header_given_twice_is_a_list(self):
        uri = FrozenSIPURI.parse("sip:a@b?Route=%3Csip:x%3E&route=%3Csip:y%3E")
        assert dict(uri.headers) == {"route": "%3Csip:x%3E%2C%3Csip:y%3E"}

    def test_names_whose_octets_are_no_utf8_are_told_apart(self):
        text = "sip:a@b;%80;%81=x?%fe=1&%ff=2"
        uri = FrozenSIPURI.parse(text)
        assert len(uri.parameters) == len(uri.headers) == 2 and str(uri) == text

    def test_too_many_parameters(self):
        with pytest.raises(SIPParseError):
            FrozenSIPURI.parse("sip:a@b" + "".join(f";p{n}" for n in range(1000)))

    def test_other_schemes(self):
        assert isinstance(parse_frozen_uri("SIP:a@b"), FrozenSIPURI)
        assert isinstance(parse_frozen_uri("tel:+1"), FrozenTelURI)
        assert isinstance(parse_frozen_uri("soap.beep://192.0.2.103:3002"), FrozenAbsoluteURI)
        assert isinstance(parse_uri("sips:b"), SIPURI)
        assert isinstance(parse_uri("TEL:+1"), TelURI)
        assert isinstance(parse_uri("urn:service:sos"), AbsoluteURI)
        for text in ("", "a", "<sip:a@b>", "sip:", ":x", "tel:", "tel:x y", "http:"):
            with pytest.raises(SIPParseError):
                parse_frozen_uri(text)


class TestPrinting:
    def test_what_may_not_stand_there_is_escaped(self):
        uri = SIPURI("example.com", user="a b@ü%", password="x:y@", parameters={"a b": "c;d"}, headers={"s": "1&2"})
        assert str(uri) == "sip:a%20b%40%C3%BC%25:x%3Ay%40@example.com;a%20b=c%3Bd?s=1%262"
        assert FrozenSIPURI.parse(str(uri)).username == "a b@ü%"

    def test_no_octets_can_be_smuggled_in(self):
        text = str(SIPURI("example.com", user="a\r\nVia: x", parameters={"p\r\n": "\r\n>"}))
        assert "\r" not in text and "\n" not in text and ">" not in text

    def test_a_host_is_checked(self):
        for host in ("a b", "a\r\nb", "", "a>b", "a;b", "a@b"):
            with pytest.raises(ValueError):
                SIPURI(host)

    def test_the_password_is_not_in_the_repr(self):
        assert "secret" not in repr(FrozenSIPURI.parse("sip:a:secret@example.com"))
        assert repr(FrozenSIPURI.parse("sip:a@example.com")) == '<FrozenSIPURI "sip:a@example.com">'


class TestTransport:
    @pytest.mark.parametrize(
        "text, transport",
        [
            ("sip:a", "udp"),
            ("sips:a", "tls"),
            ("sip:a;transport=TCP", "tcp"),
            ("sip:a;transport=t%6Cs", "tls"),
            ("sips:a;transport=tcp", "tls"),
            ("sips:a;transport=sctp", "sctp"),
        ],
    )
    def test_reading(self, text, transport):
        assert FrozenSIPURI.parse(text).transport == transport

    def test_setting(self):
        uri = SIPURI("example.com")
        uri.transport = "tls"
        assert str(uri) == "sip:example.com;transport=tls"
        uri.transport = "udp"
        assert str(uri) == "sip:example.com"


class TestComparison:
    """RFC 3261 19.1.4, with its own examples."""

    @pytest.mark.parametrize(
        "one, other",
        [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
            ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("sip:caf%C3%A9@b", "sip:caf%c3%a9@b"),
        ],
    )
    def test_equivalent(self, one, other):
        assert FrozenSIPURI.parse(one).matches(SIPURI.parse(other))
        assert SIPURI.parse(other).matches(FrozenSIPURI.parse(one))

    @pytest.mark.parametrize(
        "one, other",
        [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:a@b", "sips:a@b"),
            ("sip:b", "sip:a@b"),
            ("sip:a:x@b", "sip:a@b"),
            ("sip:a%3Bb@c", "sip:a;b@c"),
            ("sip:a@b;user=phone", "sip:a@b"),
            ("sip:a@b;maddr=1.2.3.4", "sip:a@b"),
        ],
    )
    def test_not_equivalent(self, one, other):
        assert not FrozenSIPURI.parse(one).matches(FrozenSIPURI.parse(other))
        assert not FrozenSIPURI.parse(other).matches(FrozenSIPURI.parse(one))

    def test_addresses_as_text(self):
        uri = SIPURI("Example.com", user="alice", port=5070, parameters={"transport": "tls"})
        for address in ("alice@example.com", "sip:alice@example.com", "sip:%61lice@example.COM:5070"):
            assert uri.matches(address)
        for address in (
            "bob@example.com",
            "example.com",
            "sips:alice@example.com",
            "alice@example.com:5060",
            "",
            "a b",
            7,
        ):
            assert not uri.matches(address)
        assert SIPURI("::1").matches("[::1]")

    def test_equality_is_about_the_whole_value(self):
        assert FrozenSIPURI.parse("sip:a@b;x") != FrozenSIPURI.parse("sip:a@b")
        assert FrozenSIPURI.parse("sip:%61@B;X") == SIPURI.parse("sip:a@b;x")
        assert hash(FrozenSIPURI.parse("sip:%61@B;X=Y")) == hash(FrozenSIPURI.parse("sip:a@b;x=y"))
        assert FrozenSIPURI("b") != "sip:b"


class TestVariants:
    def test_a_frozen_uri_can_not_be_changed(self):
        uri = FrozenSIPURI("example.com", user="alice", parameters={"lr": None})
        for change in (
            lambda: setattr(uri, "host", "x"),
            lambda: delattr(uri, "host"),
            lambda: setattr(uri, "other", "x"),
            lambda: setattr(uri, "transport", "tcp"),
        ):
            with pytest.raises(AttributeError):
                change()
        for change in (
            lambda: uri.parameters.update(x="y"),
            lambda: uri.parameters.__setitem__("x", "y"),
            lambda: uri.parameters.pop("lr"),
            lambda: uri.parameters.clear(),
        ):
            with pytest.raises(TypeError):
                change()
        assert str(uri) == "sip:alice@example.com;lr"

    def test_parsed_or_made_a_frozen_uri_is_of_its_class(self):
        assert type(FrozenSIPURI.parse("sip:b")) is type(FrozenSIPURI("b")) is FrozenSIPURI

    def test_copies(self):
        frozen = FrozenSIPURI.parse("sip:a@b;Lr")
        assert FrozenSIPURI.new(frozen) is frozen is copy.deepcopy(frozen)
        mutable = SIPURI.new(frozen)
        other = SIPURI.new(mutable)
        other.parameters["x"] = "1"
        other.host = "c"
        assert mutable == frozen and str(mutable) == str(frozen) and str(other) == "sip:a@c;Lr;x=1"
        assert pickle.loads(pickle.dumps(frozen)) == frozen
        assert type(pickle.loads(pickle.dumps(frozen))) is FrozenSIPURI
        with pytest.raises(TypeError):
            SIPURI.new(TelURI("+1"))

    def test_only_frozen_ones_are_hashable(self):
        assert len({FrozenSIPURI("a"), FrozenSIPURI("A")}) == 1
        with pytest.raises(TypeError):
            hash(SIPURI("a"))

    def test_replace(self):
        assert str(FrozenSIPURI("b").replace(user="x")) == "sip:x@b"


class TestTel:
    def test_comparison(self):
        """RFC 3966 5: separators, order and case mean nothing."""
        one = FrozenTelURI.parse("tel:+1-201-555-0123;ext=1-2;x=y")
        assert one.matches("TEL:+1(201)5550123;X=Y;ext=12") and one.is_global and one.digits == "+12015550123"
        assert not one.matches("tel:+12015550123") and not one.matches("x") and not one.matches(None)
        assert not FrozenTelURI.parse("tel:7042;phone-context=example.com").is_global
        assert str(one) == "tel:+1-201-555-0123;ext=1-2;x=y"

    def test_refused(self):
        for text in ("tel:+1 2", "tel:+1;x;x", "tel:abc!", "tel:+1;%"):
            with pytest.raises(SIPParseError):
                FrozenTelURI.parse(text)
        with pytest.raises(ValueError):
            TelURI("+1;x")


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
hosts = st.one_of(
    st.from_regex(r"[a-z0-9]([a-z0-9\-]{0,8}[a-z0-9])?(\.[a-z]{2,5})?", fullmatch=True),
    st.ip_addresses().map(str).filter(lambda address: "%" not in address),
)
names = st.text(st.characters(codec="utf-8", exclude_characters="%"), min_size=1, max_size=8)


@st.composite
def sip_uris(draw):
    user = draw(st.none() | text.filter(bool))
    return FrozenSIPURI(
        draw(hosts),
        user=user,
        password=draw(text) if user is not None and draw(st.booleans()) else None,
        port=draw(st.none() | st.integers(0, 65535)),
        secure=draw(st.booleans()),
        parameters=draw(st.dictionaries(names, st.none() | text, max_size=3)),
        headers=draw(st.dictionaries(names, text, max_size=3)),
    )


class TestProperties:
    @given(sip_uris())
    def test_print_and_parse(self, uri):
        printed = str(uri)
        parsed = FrozenSIPURI.parse(printed)
        assert str(parsed) == printed
        assert parsed == uri and hash(parsed) == hash(uri) and parsed.matches(uri)

    @given(st.text(max_size=60))
    def test_any_text_is_parsed_or_refused(self, text):
        for prefix in ("", "sip:", "sips:a@", "tel:"):
            try:
                uri = parse_frozen_uri(prefix + text)
            except SIPParseError:
                continue
            assert parse_frozen_uri(str(uri)) == uri
            assert uri.matches(uri) and hash(uri) == hash(uri.thawed().frozen())


def test_parameters_of_octets_that_are_no_text_stay_apart():
    """RFC 3261 19.1.1: what was printed is parsed again, also where names are no UTF-8."""
    text = b"sip:a@b;lr\x9b;lr\xc8?x\x9b=1&x\xc8=2".decode("utf-8", "surrogateescape")
    printed = str(FrozenSIPURI.parse(text))
    assert printed == "sip:a@b;lr%9B;lr%C8?x%9B=1&x%C8=2"
    assert str(FrozenSIPURI.parse(printed)) == printed
