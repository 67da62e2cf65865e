"""The systemd unit: that it is well formed, and that posternd can live with what it leaves."""
import grp
import re

import pytest

from lab import BUILD, ROOT, sh
from world import two_networks

UNIT = ROOT / "config/postern.service.in"


def setting(name):
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(encoding="utf-8"), re.M)


def test_what_it_says():
    assert setting("Type") == ["notify"]
    assert setting("Restart") == ["on-failure"]
    assert setting("RuntimeDirectory") == ["postern"]  # of the default control socket
    assert setting("ExecReload")[0].endswith("posternctl config reload")


def test_it_is_well_formed(tmp_path):
    """In the words of systemd, where it is there to be asked."""
    unit = tmp_path / "postern.service"
    text = UNIT.read_text(encoding="utf-8")
    for program, folder in (("posternd", "@sbindir@"), ("posternctl", "@bindir@")):
        text = text.replace(f"{folder}/{program}", str(BUILD / f"app/{program}/{program}"))
    assert "@" not in text.replace("@system-service", "")
    unit.write_text(text)
    done = sh("sh", "-c", f"command -v systemd-analyze >/dev/null || exit 0; "
                          f"systemd-analyze verify --man=no {unit}", check=False)
    about = [line for line in done.stdout.splitlines() if "postern.service" in line]
    assert done.returncode == 0 and about == [], done.stdout


@pytest.mark.parametrize("kind", ["packet", "pcap"])
def test_its_capabilities_are_enough(make_lab, kind):
    lab = make_lab("lan", "wan")
    lab.lan.address("10.1.0.2/24", "10.1.0.1")
    lab.wan.address("10.2.0.2/24", "10.2.0.1")
    caps = ",".join("+" + c.removeprefix("CAP_").lower()
                    for c in setting("CapabilityBoundingSet")[0].split())
    # a group for the socket takes CAP_CHOWN, a tap takes CAP_NET_ADMIN
    group = next(g.gr_name for g in grp.getgrall() if g.gr_gid != 0)
    conf = two_networks(lab, static=False, kind=kind).replace(
        '"control.sock";', f'"control.sock"; group = "{group}";').replace(
        " );\n", ', { name = "tap"; device = "net_tap2,iface=tap0"; } );\n', 1)
    lab.start(conf,
              before=f'set -- setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,{caps} '
                     '"$@"')
    assert lab.lan.ping("10.2.0.2")
