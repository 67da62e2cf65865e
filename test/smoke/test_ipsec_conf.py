"""IPsec of the configuration and of the control socket: a reload leaves SAs alone that did not
change, replaces those that did, and does all of it or nothing; what the socket made survives while
its tunnel stays. No packet is sent here: test_ipsec.py does that."""
import hashlib
import os

import pytest

from lab import Refused, wait_until
from world import two_networks

FILTER = 'filter = { rules = ( { action = "permit"; } ); };\n'


def key(name, size=64):
    return hashlib.shake_128(name.encode()).digest(size).hex()


def sa(name, direction, spi, suite="aes256-sha256", size=64, more="", secret=None):
    return (f'{{ name = "{name}"; direction = "{direction}"; spi = {spi}; suite = "{suite}"; '
            f'key = "{secret or key(name, size)}"; {more} }}')


def tunnel(name, *sas, remote="10.2.0.9", more=""):
    return (f'{{ name = "{name}"; local = "10.2.0.1"; remote = "{remote}"; {more} '
            f'sas = ( {", ".join(sas)} ); }}')


def ipsec(*tunnels, policies=(), more=""):
    return (FILTER + f'ipsec = {{ {more} tunnels = ( {", ".join(tunnels)} ); '
            f'policies = ( {", ".join(policies)} ); }};\n')


A_OUT, A_IN = sa("a-out", "out", 0x1001), sa("a-in", "in", 0x2001)
B_OUT, B_IN = sa("b-out", "out", 0x1002), sa("b-in", "in", 0x2002)
A, B = tunnel("a", A_OUT, A_IN), tunnel("b", B_OUT, B_IN, remote="10.2.0.8")


@pytest.fixture
def world(make_lab):
    lab = make_lab("lan", "wan")
    lab.daemon = lab.start(two_networks(lab, ipsec(A, B)))
    return lab


def reload(world, text):
    return world.daemon.reload(two_networks(world, text))


def sas(world):
    """What tells that an SA is the one that it was: when it was added, and by which slot."""
    return {s["name"]: s for s in world.daemon.rpc("show.sad")["sas"]}


def names(world):
    return sorted(sas(world))


def tunnels(world):
    return {t["name"]: t for t in world.daemon.rpc("show.ipsec")["tunnels"]}


def reloaded(world):
    """The last line that says what a reload did to SAs."""
    lines = [line for line in world.daemon.said.splitlines() if " SAs stay, " in line]
    return lines[-1].split("reload: ")[1] if lines else None


def test_the_configured_sas_are_there(world):
    assert names(world) == ["a-in", "a-out", "b-in", "b-out"]
    assert {n: t["state"] for n, t in tunnels(world).items()} == {"a": "up", "b": "up"}
    spi = {n: s["spi"] for n, s in sas(world).items()}
    assert len(set(spi.values())) == 4


def test_no_answer_and_no_log_has_a_key(world):
    said = str(world.daemon.rpc("show.sad")) + world.daemon.said
    for name in ("a-out", "a-in"):
        assert key(name)[:16] not in said
    with pytest.raises(Refused) as refused:
        world.daemon.rpc("sa.add", name="x", tunnel="a", direction="out", spi=5000,
                         suite="aes256-sha256", key=key("x") + "zz")
    assert key("x")[:16] not in str(refused.value) + world.daemon.said


def test_a_reload_leaves_alone_what_did_not_change(world):
    assert reload(world, ipsec(A, B))["applied"]
    assert reloaded(world) is None
    changed = tunnel("a", sa("a-out", "out", 0x1001, secret=key("another")), A_IN)
    assert reload(world, ipsec(changed, B))["applied"]
    assert reloaded(world) == "3 SAs stay, 0 are new, 1 replaced, 0 gone"
    assert names(world) == ["a-in", "a-out", "b-in", "b-out"]
    # the order of tunnels and SAs says nothing
    assert reload(world, ipsec(B, changed))["applied"]
    assert reloaded(world) == "3 SAs stay, 0 are new, 1 replaced, 0 gone"
    assert reload(world, ipsec(B))["applied"]
    assert reloaded(world) == "2 SAs stay, 0 are new, 0 replaced, 2 gone"
    assert names(world) == ["b-in", "b-out"]
    assert reload(world, ipsec(A, B))["applied"]
    assert reloaded(world) == "2 SAs stay, 2 are new, 0 replaced, 0 gone"


def test_a_changed_tunnel_takes_its_sas_along_and_no_others(world):
    assert reload(world, ipsec(tunnel("a", A_OUT, A_IN, more="ttl = 9;"), B))["applied"]
    assert reloaded(world) == "2 SAs stay, 0 are new, 2 replaced, 0 gone"
    # what concerns the filter alone changes no SA
    assert reload(world, ipsec(tunnel("a", A_OUT, A_IN, more="ttl = 9; number = 3;"), B))["applied"]
    assert reloaded(world) == "2 SAs stay, 0 are new, 2 replaced, 0 gone"
    assert tunnels(world)["a"]["number"] == 3


def test_without_ipsec_and_back(world):
    assert reload(world, FILTER)["applied"]
    assert world.daemon.rpc("show.ipsec")["tunnels"] == [] and names(world) == []
    assert reload(world, ipsec(A))["applied"]
    assert names(world) == ["a-in", "a-out"]


@pytest.mark.parametrize("text,said", [
    (ipsec(tunnel("a", sa("new", "out", 0x1009, "aes256-sha256", 63), A_IN)), "found 63 bytes"),
    (ipsec(tunnel("a", sa("new", "out", 0x1009, more="owner = 9;"), A_IN)), "workers"),
    (ipsec(tunnel("a", sa("new", "out", 0x1009, "des-sha1", secret="01" * 8 + key("y", 20)), A_IN),
           more="allow-legacy = true;"), "weak ones of DES"),
    (ipsec(A, tunnel("c", sa("c-in", "in", 0x2001))), "is the SPI of"),
])
def test_a_refused_reload_changes_no_sa(world, text, said):
    before = sas(world)
    done = reload(world, text)
    assert not done["applied"] and said in str(done["errors"])
    assert names(world) == sorted(before)
    assert reload(world, ipsec(A, B))["applied"] and reloaded(world) is None


def add(world, name, direction="out", spi=5000, tunnel_name="a", **more):
    return world.daemon.rpc("sa.add", **{
        "name": name, "tunnel": tunnel_name, "direction": direction, "spi": spi,
        "suite": "aes256-sha256", "key": key(name), **more})


def test_what_the_socket_adds_survives_a_reload_while_its_tunnel_stays(world):
    add(world, "s-a")
    add(world, "s-b", "in", 6000, "b")
    assert reload(world, ipsec(tunnel("a", A_IN), B))["applied"]
    assert names(world) == ["a-in", "b-in", "b-out", "s-a", "s-b"]
    assert reload(world, ipsec(tunnel("a", A_IN, more="ttl = 3;"), B))["applied"]
    assert names(world) == ["a-in", "b-in", "b-out", "s-b"]
    assert "SA s-a, which the control socket added, is gone: its tunnel a is" in world.daemon.said
    assert reload(world, ipsec(A))["applied"]
    assert names(world) == ["a-in", "a-out"]
    assert "SA s-b, which the control socket added, is gone" in world.daemon.said


def test_sas_of_the_socket(world):
    add(world, "x")
    for more, code in (({"name": "x", "spi": 5001}, "already"), ({"name": "y"}, "already"),
                       ({"name": "z", "tunnel_name": "c"}, "no tunnel c"),
                       ({"name": "a-out", "spi": 5002}, "already"),
                       ({"name": "w", "spi": 5003, "suite": "null-md5", "key": key("w", 16)},
                        "RFC 8221")):
        with pytest.raises(Refused) as refused:
            add(world, **more)
        assert code in str(refused.value)
    assert names(world) == ["a-in", "a-out", "b-in", "b-out", "x"]
    with pytest.raises(Refused, match="of the configuration"):
        world.daemon.rpc("sa.delete", name="a-out")
    world.daemon.rpc("sa.delete", name="x")
    assert names(world) == ["a-in", "a-out", "b-in", "b-out"]
    add(world, "x")  # the same SPI and name again, at once
    # one that the configuration wants as well is refused there
    done = reload(world, ipsec(A, B, tunnel("c", sa("x", "in", 0x3001), remote="10.2.0.7")))
    assert not done["applied"] and "has that name" in str(done["errors"])


def test_sas_max(make_lab):
    lab = make_lab("lan", "wan")
    lab.daemon = lab.start(two_networks(lab, ipsec(A, more="sas-max = 16;")))
    for i in range(14):
        add(lab, f"s{i}", spi=5000 + i)
    with pytest.raises(Refused, match="sas-max"):
        add(lab, "one-more", spi=6000)
    done = lab.daemon.reload(two_networks(lab, ipsec(A, more="sas-max = 17;")))
    assert not done["applied"] and "needs a restart" in str(done["errors"])
    # all of the configuration may be another at once
    new = tunnel("a", sa("a-out", "out", 0x1005), sa("a-in", "in", 0x2005))
    assert lab.daemon.reload(two_networks(lab, ipsec(new, more="sas-max = 16;")))["applied"]
    assert len(names(lab)) == 16


def policy(name, action, src, dst, more=""):
    return f'{{ name = "{name}"; action = "{action}"; src = "{src}"; dst = "{dst}"; {more} }}'


P1 = policy("p1", "protect", "10.1.0.0/24", "10.9.0.0/16", 'tunnel = "a";')
P2 = policy("p2", "bypass", "10.1.0.0/24", "10.8.0.0/16")


def policies(world):
    return [p["name"] for p in world.daemon.rpc("show.spd")["policies"]]


def test_policies_of_both(world):
    assert reload(world, ipsec(A, B, policies=(P1, P2)))["applied"]
    assert policies(world) == ["p1", "p2"]
    rpc = world.daemon.rpc
    rpc("policy.add", name="last", action="discard", src="10.7.0.0/16")
    rpc("policy.add", name="first", action="protect", tunnel="b", src="10.1.0.7", dst="10.9.0.7",
        before="p1")
    assert policies(world) == ["first", "p1", "p2", "last"]
    assert sorted(names(world)) == ["a-in", "a-out", "b-in", "b-out"]  # and no SA was touched
    for method, params, said in (
            ("policy.add", {"name": "p1", "action": "bypass"}, "already"),
            ("policy.add", {"name": "x", "action": "protect", "tunnel": "c"}, "no tunnel c"),
            ("policy.add", {"name": "x", "action": "bypass", "before": "y"}, "no policy y"),
            ("policy.delete", {"name": "p1"}, "of the configuration"),
            ("policy.delete", {"name": "y"}, "no policy y")):
        with pytest.raises(Refused, match=said):
            rpc(method, **params)
    # they survive a reload, but for the one whose tunnel goes
    done = reload(world, ipsec(A, policies=(P1,)))
    assert done["applied"] and "first" in str(done["warnings"])
    assert policies(world) == ["p1", "last"]
    rpc("policy.delete", name="last")
    assert policies(world) == ["p1"]


def test_lifetimes_in_seconds(make_lab):
    """RFC 4301 section 4.4.2.1: soft ones are told, hard ones end the SA. How long that takes is
    waited for, and nothing here depends on it."""
    lab = make_lab("lan", "wan")
    lab.daemon = lab.start(two_networks(lab, ipsec(tunnel(
        "a", A_IN, sa("short", "out", 0x1001, more="lifetime = { hard-s = 1; };"),
        sa("soft", "out", 0x1002, more="lifetime = { soft-s = 1; hard-s = 100000; };")))))
    wait_until("the end of the SA", lambda: "short" not in names(lab), patience=30)
    wait_until("both lines", lambda: lab.daemon.said.count(": its lifetime") == 2, patience=30)
    said = lab.daemon.said
    assert "SA short, outbound, SPI 0x00001001: its lifetime is over (time)" in said
    assert "SA soft, outbound, SPI 0x00001002: its lifetime ends soon (time)" in said
    # a reload that leaves it alone does not revive it
    assert lab.daemon.reload()["applied"]
    assert names(lab) == ["a-in", "soft"]


def test_a_key_file(make_lab):
    lab = make_lab("lan", "wan")
    path = lab.dir / "a.key"
    path.write_text(key("a-in") + "\n")
    os.chmod(path, 0o600)
    entry = 'key-file = "a.key"; direction = "in"; spi = 0x2001; suite = "aes256-sha256";'
    text = ipsec(tunnel("a", f'{{ name = "a-in"; {entry} }}', A_OUT))
    lab.daemon = lab.start(two_networks(lab, text))
    assert names(lab) == ["a-in", "a-out"]
    assert lab.daemon.reload()["applied"] and reloaded(lab) is None
    path.write_text(key("other") + "\n")
    assert lab.daemon.reload()["applied"]
    assert reloaded(lab) == "1 SAs stay, 0 are new, 1 replaced, 0 gone"
    os.chmod(path, 0o644)
    done = lab.daemon.reload()
    assert not done["applied"] and "0644, expected 0600" in str(done["errors"])


def generated(world):
    return [r["text"] for r in world.daemon.rules().values() if r["generated"]]


def test_generated_rules(world):
    """What carries a tunnel has rules in front of the user's, unless that is switched off."""
    assert generated(world) == [
        f"permit {src} 255.255.255.255 {dst} 255.255.255.255 esp any 0 any 0 both local {way} "
        "l=no f=yes" for peer in ("10.2.0.9", "10.2.0.8")
        for src, dst, way in ((peer, "10.2.0.1", "inbound"), ("10.2.0.1", peer, "outbound"))]
    rules = world.daemon.rules()
    assert [rules[i]["generated"] for i in sorted(rules)] == [False] + [True] * 4 + [False]
    assert reload(world, ipsec(A, more="generated-rules = false;"))["applied"]
    assert generated(world) == []
    assert reload(world, ipsec(tunnel("a", A_IN, A_OUT, more="encap = { };")))["applied"]
    assert [t.split()[5:10] for t in generated(world)] == [
        ["udp", "eq", "4500", "eq", "4500"], ["udp", "any", "0", "any", "0"],
        ["udp", "eq", "4500", "eq", "4500"]]
