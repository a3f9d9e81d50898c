"""Digest authentication: RFC 7616, RFC 8760, and what is left of RFC 2617 and 2069."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.core.wire import (
    Challenge,
    Credentials,
    DigestSession,
    FrozenAuthenticationInfoHeader,
    FrozenAuthorizationHeader,
    FrozenCredentials,
    FrozenProxyAuthenticateHeader,
    FrozenWWWAuthenticateHeader,
    SIPParseError,
    SIPResponse,
    WWWAuthenticateHeader,
    challenges_of,
    digest_response,
    is_authorized,
    parse_message,
    strongest_challenges,
)

ALGORITHMS = ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"]
ALICE = Credentials("alice", "secret")


class TestResponse:
    @pytest.mark.parametrize(
        "algorithm, response",
        [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ],
    )
    def test_rfc_7616_3_9_1(self, algorithm, response):
        assert response == digest_response(
            "Mufasa",
            "http-auth@example.org",
            "Circle of Life",
            "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            "GET",
            "/dir/index.html",
            algorithm=algorithm,
            qop="auth",
            nonce_count=1,
            cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        )

    def test_rfc_2617_3_5(self):
        response = digest_response(
            "Mufasa",
            "testrealm@host.com",
            "Circle Of Life",
            "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            "GET",
            "/dir/index.html",
            qop="auth",
            nonce_count=1,
            cnonce="0a4f113b",
        )
        assert response == "6629fae49393a05397450978507c4ef1"

    def test_rfc_2069_without_quality(self):
        response = digest_response(
            "Mufasa",
            "testrealm@host.com",
            "CircleOfLife",
            "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            "GET",
            "/dir/index.html",
        )
        assert response == "1949323746fe6a43ef61f9606e7febea"

    def test_an_unknown_algorithm(self):
        with pytest.raises(ValueError):
            digest_response("a", "b", "c", "d", "e", "f", algorithm="ROT13")


class TestChallenge:
    def test_parsing(self):
        header = FrozenWWWAuthenticateHeader.parse(
            'Digest realm="at\\"lanta, com",domain="sip:boxesbybob.com", qop="auth, auth-int" , '
            'nonce="f84f1cec41e6cbe5aea9c8e88d359", opaque="",stale=TRUE,algorithm=SHA-256'
        )
        challenge = Challenge.of(header)
        assert challenge.realm == 'at\\"lanta, com' and challenge.qop == ("auth", "auth-int")
        assert challenge.opaque == "" and challenge.stale and not challenge.of_proxy
        assert Challenge.of(challenge.header()) == challenge

    def test_of_a_proxy(self):
        challenge = Challenge.of(FrozenProxyAuthenticateHeader.parse('Digest realm="x", nonce="y"'))
        assert challenge == Challenge("x", "y", of_proxy=True)
        assert isinstance(challenge.header(), FrozenProxyAuthenticateHeader)

    @pytest.mark.parametrize("text", ['Digest realm="x"', 'Digest nonce="x"', "Basic QWxhZGRpbg==", 'Other realm="x"'])
    def test_what_is_no_digest_challenge(self, text):
        with pytest.raises(SIPParseError):
            Challenge.of(FrozenWWWAuthenticateHeader.parse(text))

    def test_the_strongest_of_each_realm_is_chosen(self):
        """RFC 8760 2.4: of what can be answered."""
        response = SIPResponse(
            407,
            headers=[
                ("Proxy-Authenticate", 'Digest realm="a", nonce="1", algorithm=MD5'),
                ("Proxy-Authenticate", 'Digest realm="a", nonce="2", algorithm=SHA-999'),
                ("Proxy-Authenticate", 'Digest realm="a", nonce="3", algorithm=SHA-512-256, qop="auth"'),
                ("Proxy-Authenticate", 'Digest realm="a", nonce="4", algorithm=SHA-256, qop="auth"'),
                ("Proxy-Authenticate", 'Digest realm="a", nonce="5", algorithm=SHA-512-256, qop="other"'),
                ("Proxy-Authenticate", 'Digest realm="b", nonce="6"'),
                ("WWW-Authenticate", 'Digest realm="a", nonce="7", algorithm=SHA-256'),
                ("WWW-Authenticate", "Digest garbage"),
                ("WWW-Authenticate", 'NTLM realm="x"'),
            ],
        )
        chosen = strongest_challenges(challenges_of(response))
        assert sorted(challenge.nonce for challenge in chosen) == ["3", "6", "7"]


class TestHeaders:
    def test_of_a_scheme_nobody_knows(self):
        """RFC 4475 3.3.7: a registrar answers 401."""
        path = Path(__file__).parents[1] / "data" / "rfc4475" / "regaut01.dat"
        header = parse_message(path.read_bytes()).headers.first(FrozenAuthorizationHeader)
        assert header.scheme == "NoOneKnowsThisScheme" and header.text("opaque-data") == "here"
        assert not is_authorized(header, Challenge("example.com", "x"), ALICE, "REGISTER")

    def test_tokens(self):
        header = FrozenAuthorizationHeader.parse("Bearer abc.def==")
        assert header.token == "abc.def==" and header.body == "Bearer abc.def=="

    def test_authentication_info(self):
        header = FrozenAuthenticationInfoHeader.parse('nextnonce="47364c23432d2e131a5fb210812c", qop=auth')
        assert header.text("nextnonce") == "47364c23432d2e131a5fb210812c"
        assert header.body == 'nextnonce="47364c23432d2e131a5fb210812c", qop=auth'
        assert header.thawed().frozen() == header

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "Digest",
            "Digest realm=",
            'Digest realm="x',
            "Digest a=b c=d",
            "Digest a=b, a=c",
            'Digest "x"',
            "Digest " + ", ".join(f"a{n}=b" for n in range(100)),
        ],
    )
    def test_malformed(self, text):
        with pytest.raises(SIPParseError) as caught:
            FrozenAuthorizationHeader.parse(text)
        assert "realm=" not in str(caught.value)

    def test_secrets_are_in_no_repr(self):
        session = DigestSession(Challenge("x", "y"), ALICE)
        header = session.authorize("REGISTER", "sip:x")
        assert header.text("response") not in repr(header) and header.text("response") in header.body
        assert "secret" not in repr(ALICE) + str(ALICE) + repr(FrozenCredentials.new(ALICE))
        assert repr(ALICE) == "<Credentials for 'alice'>"


class TestSession:
    @pytest.mark.parametrize("algorithm", [None, *ALGORITHMS])
    @pytest.mark.parametrize("qop", [(), ("auth",), ("auth-int",), ("auth-int", "auth")])
    def test_what_one_side_makes_the_other_accepts(self, algorithm, qop):
        challenge = Challenge("example.com", "abc", algorithm, qop, "opaque")
        session = DigestSession(challenge, ALICE)
        for _ in range(2):
            printed = session.authorize("MESSAGE", "sip:bob@example.com", b"hi").body
            header = FrozenAuthorizationHeader.parse(printed)
            assert is_authorized(header, challenge, ALICE, "MESSAGE", b"hi")
            assert not is_authorized(header, challenge, Credentials("alice", "wrong"), "MESSAGE", b"hi")
            assert not is_authorized(header, challenge, Credentials("bob", "secret"), "MESSAGE", b"hi")
            assert not is_authorized(header, challenge, ALICE, "INVITE", b"hi")
            assert is_authorized(header, challenge, ALICE, "MESSAGE", b"ho") == (session.qop != "auth-int")
            assert not is_authorized(header, Challenge("example.com", "other", algorithm, qop), ALICE, "MESSAGE", b"hi")

    def test_a_downgrade_is_refused(self):
        strong = Challenge("r", "n", "SHA-256", ("auth",))
        for weak in (Challenge("r", "n", "MD5", ("auth",)), Challenge("r", "n", "SHA-256")):
            header = DigestSession(weak, ALICE).authorize("INVITE", "sip:b")
            assert not is_authorized(header, strong, ALICE, "INVITE")

    def test_nonce_counts(self):
        session = DigestSession(Challenge("r", "n", qop=("auth",)), ALICE, cnonce="c")
        assert [session.authorize("A", "sip:b").text("nc") for _ in range(2)] == ["00000001", "00000002"]

    def test_what_is_quoted(self):
        """RFC 7616 3.4: username, realm, nonce, uri, response, cnonce and opaque, and nothing else."""
        session = DigestSession(Challenge("r", "n", "MD5", ("auth",), "o"), Credentials('a"b', "p"), cnonce="c")
        header = session.authorize("A", "sip:b")
        assert header.body == (
            f'Digest username="a\\"b", realm="r", nonce="n", uri="sip:b", response="{header.text("response")}", '
            'algorithm=MD5, opaque="o", qop=auth, nc=00000001, cnonce="c"'
        )

    def test_a_proxy_gets_a_header_of_its_own(self):
        assert (
            DigestSession(Challenge("r", "n", of_proxy=True), ALICE).authorize("A", "b").name == "Proxy-Authorization"
        )

    def test_the_proof_of_the_server(self):
        """RFC 7616 3.5."""
        session = DigestSession(Challenge("r", "n", "SHA-256", ("auth",)), ALICE, cnonce="c")
        session.authorize("INVITE", "sip:b")
        proof = digest_response(
            "alice", "r", "secret", "n", "", "sip:b", algorithm="SHA-256", qop="auth", nonce_count=1, cnonce="c"
        )
        assert session.is_proof(proof, "sip:b") and not session.is_proof("0" * 64, "sip:b")
        assert not session.is_proof("\udcff", "sip:b")

    def test_credentials_of_a_realm(self):
        assert ALICE.serves("x") and Credentials("a", "b", "x").serves("x")
        assert not Credentials("a", "b", "y").serves("x")

    @pytest.mark.parametrize("change", [("nc", "1"), ("nc", None), ("qop", '"x"'), ("uri", None), ("response", None)])
    def test_tampering(self, change):
        challenge = Challenge("r", "n", qop=("auth",))
        header = DigestSession(challenge, ALICE).authorize("A", "sip:b").thawed()
        name, value = change
        if value is None:
            del header.parameters[name]
        else:
            header.parameters[name] = value
        assert not is_authorized(header, challenge, ALICE, "A")


texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=10)


class TestProperties:
    @given(texts, texts, st.sampled_from(ALGORITHMS), st.binary(max_size=9))
    def test_any_username_and_password(self, username, password, algorithm, body):
        credentials = Credentials(username, password)
        challenge = Challenge("r", "n", algorithm, ("auth-int",))
        header = DigestSession(challenge, credentials).authorize("A", "sip:b", body)
        assert is_authorized(FrozenAuthorizationHeader.parse(header.body), challenge, credentials, "A", body)

    @given(st.text(max_size=60))
    def test_any_text_is_parsed_or_refused(self, text):
        for prefix in ("", "Digest ", 'Digest realm="x", nonce='):
            try:
                header = WWWAuthenticateHeader.parse(prefix + text)
            except SIPParseError:
                continue
            assert WWWAuthenticateHeader.parse(header.body) == header
