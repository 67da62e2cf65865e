"""Routes that come and go while the daemon runs: by the control socket and posternctl, in files,
over reloads; and those that follow the link of their port. Both families."""
import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from lab import Refused, sh, wait_until
from world import CONTROL, PERMIT_ALL, SYSTEM, Sentinel, ether, ip4

INTERFACES = """
interfaces = (
    { name = "lan"; zone = "secure"; addresses = [ "10.1.0.1/24", "fd00:1::1/64" ]; },
    { name = "one"; addresses = [ "10.2.0.1/24", "fd00:2::1/64" ]; },
    { name = "two"; addresses = [ "10.3.0.1/24", "fd00:3::1/64" ]; }
);
"""
ROUTES = """
routes = (
    { to = "0.0.0.0/0"; via = [ "10.2.0.2", "10.3.0.2" ]; },
    { to = "::/0"; via = [ "fd00:2::2", "fd00:3::2" ]; },
    { to = "198.51.0.0/16"; via = "10.2.0.2"; },
    { to = "198.51.100.0/24"; via = "10.3.0.2"; },
    { to = "2001:db8::/32"; via = "fd00:2::2"; },
    { to = "2001:db8:1::/48"; via = "fd00:3::2"; }
);
"""
FAMILY = {4: ("10.1.0.2", "192.0.2.9", "198.51.100.7", "198.51.9.9"),
          6: ("fd00:1::2", "2001:db9::9", "2001:db8:1::7", "2001:db8:9::9")}


def conf(lab, routes=ROUTES, interfaces=INTERFACES):
    static = "".join(
        f'{{ interface = "{port}"; address = "{addr}"; mac = "{lab.host[port].mac}"; }},'
        for port, addrs in (("lan", ("10.1.0.2", "fd00:1::2")), ("one", ("10.2.0.2", "fd00:2::2")),
                            ("two", ("10.3.0.2", "fd00:3::2")))
        for addr in addrs if f'name = "{port}"' in interfaces)
    return (SYSTEM + lab.ports() + interfaces + routes + f"neighbours = ( {static[:-1]} );\n"
            + CONTROL + ip4() + PERMIT_ALL)


@pytest.fixture(scope="module")
def world(module_labs):
    lab = module_labs("lan", "one", "two")
    lab.daemon = lab.start(conf(lab))
    return lab


@pytest.fixture(autouse=True)
def afresh(world):
    """Each test begins with the configuration alone, and all links up."""
    yield
    daemon = world.daemon
    own = [{"to": r["to"]} for r in routes(daemon) if r["origin"] == "control"]
    if own:
        daemon.rpc("route.delete", routes=own)
    assert daemon.reload(conf(world))["applied"]
    link(world, "two", "up")
    link(world, "one", "up")


def routes(daemon):
    return daemon.rpc("show.routes")["routes"]


def route(daemon, to, origin=None):
    return next((r for r in routes(daemon)
                 if r["to"] == to and origin in (None, r["origin"])), None)


def link(world, port, state):
    """Sets the link of a port by its far end, and waits until routes have followed."""
    host = world.host[port]
    sh("ip", "-n", host.netns, "link", "set", "eth0", state)
    wait_until(f"link of {port} {state}", lambda: any(
        p["name"] == port and p["link"]["state"] == state
        for p in world.daemon.rpc("show.ports")["ports"]))
    world.daemon.settle_routes()
    if state == "up":
        wait_until("its interface carries frames", lambda: host.run(
            "cat", "/sys/class/net/eth0/operstate").stdout.strip() == "up")


def packet(family, dst, sport=4000, ident=b"x"):
    src = FAMILY[family][0]
    header = IP(src=src, dst=dst) if family == 4 else IPv6(src=src, dst=dst)
    return header / UDP(sport=sport, dport=53) / Raw(ident)


def ways(world, *packets, up=("one", "two")):
    """How many of the packets came out of each port."""
    for port in up:
        world.host[port].wire.clear()
    world.lan.wire.send(*[ether(world) / p for p in packets])
    Sentinel.send(world)
    came = {}
    for port, host, gateway in (("one", "10.2.0.2", "10.2.0.1"), ("two", "10.3.0.2", "10.3.0.1")):
        if port in up:
            frames = Sentinel.send(world, port, host, gateway)
            came[port] = sum(1 for f in frames if UDP in Ether(f) and Ether(f)[UDP].dport == 53)
    return came


# --- by hand

@pytest.mark.parametrize("family", FAMILY)
def test_add_replace_delete(world, family):
    """Each is in use when its answer is there."""
    daemon, to = world.daemon, {4: "203.0.113.0/24", 6: "2001:db8:1:2::/64"}[family]
    dst = {4: "203.0.113.5", 6: "2001:db8:1:2::5"}[family]
    one, two = {4: ("10.2.0.2", "10.3.0.2"), 6: ("fd00:2::2", "fd00:3::2")}[family]
    assert daemon.ctl("route", "add", to, "--via", one) == (0, {"changed": 1})
    assert ways(world, packet(family, dst)) == {"one": 1, "two": 0}
    shown = route(daemon, to)
    assert (shown["origin"], shown["state"]) == ("control", "active")
    assert shown["next_hops"] == [
        {"via": one, "interface": "one", "neighbour": "static", "link": "up"}]
    assert daemon.ctl("route", "replace", to, "--via", two)[0] == 0
    assert ways(world, packet(family, dst)) == {"one": 0, "two": 1}
    assert daemon.ctl("route", "replace", to, "--type", "blackhole")[0] == 0
    assert ways(world, packet(family, dst)) == {"one": 0, "two": 0}
    assert daemon.ctl("route", "delete", to, json_output=False) == (
        0, f"{to} is no longer routed by this route.\n")
    assert route(daemon, to) is None


def test_several_next_hops(world):
    assert world.daemon.ctl("route", "add", "203.0.113.0/24", "--via", "10.2.0.2,10.3.0.2")[0] == 0
    came = ways(world, *[packet(4, "203.0.113.5", sport=s) for s in range(1000, 1128)])
    assert came["one"] + came["two"] == 128 and min(came.values()) > 16


def test_a_replacement_goes_before_the_configuration(world):
    daemon = world.daemon
    assert daemon.ctl("route", "replace", "198.51.100.0/24", "--via", "10.2.0.2")[0] == 0
    assert ways(world, packet(4, "198.51.100.7")) == {"one": 1, "two": 0}
    assert route(daemon, "198.51.100.0/24", "static")["state"] == "inactive"
    assert daemon.ctl("route", "delete", "198.51.100.0/24")[0] == 0
    assert ways(world, packet(4, "198.51.100.7")) == {"one": 0, "two": 1}


@pytest.mark.parametrize("words,says", [
    (("add", "10.1.0.0/24", "--via", "10.2.0.2"), "is an address or a subnet of this box itself"),
    (("add", "198.51.0.0/16", "--via", "10.2.0.2"), "has a route in the configuration"),
    (("delete", "198.51.0.0/16"), "is a route of the configuration"),
    (("delete", "203.0.113.0/24"), "has no route"),
    (("add", "203.0.113.0/24", "--via", "10.9.0.2"), "is on no subnet of an interface"),
    (("add", "203.0.113.0/24", "--via", "10.2.0.1"), "is an address of this box itself"),
    (("add", "203.0.113.0/24", "--via", "fd00:2::2"), "is of the other family"),
    (("add", "203.0.113.0/24", "--interface", "wan9"), "there is no interface wan9"),
    (("add", "2001:db8:7::/48", "--via", "fe80::1"), "name the interface"),
])
def test_refusals(world, words, says):
    code, text = world.daemon.ctl("route", *words, json_output=False)
    assert code == 1 and says in text


@pytest.mark.parametrize("words,code", [
    (("add",), 2), (("add", "203.0.113.0/24"), 4),
    (("add", "203.0.113.1/24", "--via", "10.2.0.2"), 4),
    (("add", "224.0.0.0/8", "--via", "10.2.0.2"), 4), (("add", "x", "--via", "10.2.0.2"), 4)])
def test_nonsense(world, words, code):
    assert world.daemon.ctl("route", *words, json_output=False)[0] == code


def test_a_list_is_all_or_nothing(world):
    daemon = world.daemon
    good = [{"to": f"203.0.{i}.0/24", "via": "10.2.0.2"} for i in range(200)]
    with pytest.raises(Refused) as refused:
        daemon.rpc("route.add", routes=good + [{"to": "198.51.0.0/16", "via": "10.2.0.2"}])
    assert refused.value.args[0]["data"] == {"reason": "exists", "entry": 200}
    assert route(daemon, "203.0.7.0/24") is None
    assert daemon.rpc("route.add", routes=good) == {"changed": 200}
    assert route(daemon, "203.0.7.0/24")["state"] == "active"


def test_files(world):
    """route load, in pieces; what is refused is named by its line."""
    daemon = world.daemon
    path = world.write("routes.txt", "# many\n\n" + "".join(
        f"203.{i >> 8}.{i & 255}.0/24 via 10.2.0.2,10.3.0.2\n" for i in range(5000))
        + "2001:db8:77::/48 via fe80::7%one # one more\n203.0.0.0/8 prohibit\n")
    assert daemon.ctl("route", "load", path) == (0, {"changed": 5002})
    assert daemon.rpc("show.routes", limit=1)["total"] > 5002
    assert route(daemon, "2001:db8:77::/48") is None  # of another page
    code, text = daemon.ctl("route", "load", path, json_output=False)
    assert code == 1 and f"{path}:3: 203.0.0.0/24 has a route already; replace it" in text
    assert daemon.ctl("route", "load", path, "--replace")[1] == {"changed": 5002}
    assert daemon.ctl("route", "load", path, "--delete")[1] == {"changed": 5002}
    code, text = daemon.ctl("route", "load", world.write("bad.txt", "203.0.0.0/24 over there\n"),
                            json_output=False)
    assert code == 1 and "bad.txt:1: expected PREFIX" in text


# --- over a reload

def test_a_reload_keeps_them(world):
    daemon = world.daemon
    daemon.rpc("route.add", routes=[{"to": "203.0.113.0/24", "via": "10.3.0.2"},
                                    {"to": "2001:db8:9::/48", "via": "fd00:3::2"}])
    done = daemon.reload(conf(world, routes=""))
    assert done["applied"] and not done["warnings"]
    assert route(daemon, "198.51.0.0/16") is None
    assert ways(world, packet(4, "203.0.113.5"), packet(6, "2001:db8:9::5")) == {"one": 0, "two": 2}


def test_a_reload_drops_what_makes_no_sense(world):
    """... by name, and keeps the rest."""
    daemon = world.daemon
    daemon.rpc("route.add", routes=[{"to": "203.0.113.0/24", "via": "10.3.0.2"},
                                    {"to": "203.0.114.0/24", "via": "10.2.0.2"}])
    without = INTERFACES[:INTERFACES.index(",\n    { name = \"two\"")] + "\n);\n"
    done = daemon.reload(conf(world, routes="", interfaces=without))
    assert done["applied"]
    assert ["203.0.113.0/24" in w["text"] for w in done["warnings"]].count(True) == 1
    assert not any("203.0.114.0/24" in w["text"] for w in done["warnings"])
    assert route(daemon, "203.0.113.0/24") is None
    assert route(daemon, "203.0.114.0/24")["state"] == "active"


# --- links

@pytest.mark.parametrize("family", FAMILY)
def test_routes_follow_the_link(world, family):
    """ECMP loses a member, a longer prefix gives way to a shorter one, and the subnet itself to the
    default route; all return with the link, and our own address stays ours."""
    _, far, specific, _ = FAMILY[family]
    many = [packet(family, far, sport=s) for s in range(1000, 1064)]
    neighbour = {4: "10.3.0.99", 6: "fd00:3::99"}[family]
    before = ways(world, *many)
    assert min(before.values()) > 8 and sum(before.values()) == 64
    assert ways(world, packet(family, specific)) == {"one": 0, "two": 1}
    link(world, "two", "down")
    assert ways(world, *many, up=["one"]) == {"one": 64}
    assert ways(world, packet(family, specific), up=["one"]) == {"one": 1}
    assert ways(world, packet(family, neighbour), up=["one"]) == {"one": 1}
    shown = {r["to"]: r for r in routes(world.daemon)}
    subnet, own, default, to = {
        4: ("10.3.0.0/24", "10.3.0.1/32", "0.0.0.0/0", "198.51.100.0/24"),
        6: ("fd00:3::/64", "fd00:3::1/128", "::/0", "2001:db8:1::/48")}[family]
    assert [shown[r]["state"] for r in (subnet, own, default, to)] == [
        "inactive", "active", "active", "inactive"]
    assert [h["link"] for h in shown[default]["next_hops"]] == ["up", "down"]
    assert world.daemon.ctl("show", "routes", json_output=False)[1].count("link down") >= 4
    link(world, "two", "up")
    assert ways(world, *many) == before
    assert ways(world, packet(family, specific)) == {"one": 0, "two": 1}


def test_changes_while_a_link_is_down(world):
    """A route by a dead link is there, and used when the link is."""
    daemon = world.daemon
    link(world, "two", "down")
    daemon.rpc("route.add", to="203.0.113.0/24", via="10.3.0.2")
    assert route(daemon, "203.0.113.0/24")["state"] == "inactive"
    assert ways(world, packet(4, "203.0.113.5"), up=["one"]) == {"one": 1}
    assert daemon.reload(conf(world))["applied"]
    assert route(daemon, "203.0.113.0/24")["state"] == "inactive"
    link(world, "two", "up")
    assert ways(world, packet(4, "203.0.113.5")) == {"one": 0, "two": 1}
