"""Realms and the singletons that belong to them."""

import threading

import pytest

from sipsimple.realm import Realm, Singleton, current_realm, default_realm, replace_default_realm


class Thing(metaclass=Singleton):
    made = 0

    def __init__(self) -> None:
        type(self).made += 1


class Derived(Thing):
    pass


def in_thread(function):
    result = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    thread.join(5)
    return result[0]


def test_singleton_is_one_object_in_a_realm():
    """APP-002, SES-001: each call returns the same object, and it is initialized once."""
    made = Thing.made
    assert Thing() is Thing()
    assert Thing.made == made + 1
    assert in_thread(Thing) is Thing()


def test_singletons_of_a_class_and_its_subclass_are_distinct():
    assert type(Derived()) is Derived
    assert type(Thing()) is Thing


def test_each_realm_has_its_own_singletons():
    alice, bob = Realm("alice"), Realm("bob")
    assert alice.run(Thing) is alice.run(Thing)
    assert alice.run(Thing) is not bob.run(Thing)
    assert alice.run(Thing) is not Thing()


def test_constructor_that_raises_leaves_no_instance():
    class Fragile(metaclass=Singleton):
        broken = True

        def __init__(self) -> None:
            if self.broken:
                raise OSError("not now")

    with pytest.raises(OSError):
        Fragile()
    Fragile.broken = False
    assert Fragile() is Fragile()


def test_concurrent_first_calls_make_one_instance():
    barrier = threading.Barrier(8)

    class Slow(metaclass=Singleton):
        made = []

        def __init__(self) -> None:
            self.made.append(self)

    seen = []

    def ask() -> None:
        barrier.wait(5)
        seen.append(Slow())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(seen) == 8
    assert len(set(map(id, seen))) == len(Slow.made) == 1


def test_run_selects_the_realm_and_restores_it_after_an_exception():
    realm = Realm("alice")

    def fail() -> None:
        assert current_realm() is realm
        raise LookupError

    with pytest.raises(LookupError):
        realm.run(fail)
    assert current_realm() is default_realm()


def test_other_threads_are_in_the_default_realm():
    realm = Realm("alice")
    assert realm.run(lambda: in_thread(current_realm)) is default_realm()


def test_default_realm_can_be_replaced():
    realm = Realm("fresh")
    previous = replace_default_realm(realm)
    try:
        assert current_realm() is default_realm() is realm
    finally:
        assert replace_default_realm(previous) is realm


def test_reactor_thread_is_the_one_that_set_the_reactor_unless_another_is_named():
    realm = Realm()
    assert not realm.in_reactor_thread()
    realm.reactor = object()
    assert realm.in_reactor_thread()
    assert not in_thread(realm.in_reactor_thread)
    realm.set_reactor(object(), thread=-1)
    assert not realm.in_reactor_thread()
    realm.reactor = None
    assert not realm.in_reactor_thread()


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", "127.0.0.1"), ("127.0.0.53", "127.0.0.1")],
)
def test_local_ip_towards_the_loopback(host, expected):
    assert Realm().local_ip_towards(host) == expected


@pytest.mark.parametrize("host", ["proxy.example.com", "", "999.1.1.1", "a\0b", "::1%nowhere", "é"])
def test_local_ip_towards_what_is_no_address_is_still_an_address(host):
    import ipaddress

    assert ipaddress.ip_address(Realm().local_ip_towards(host))
