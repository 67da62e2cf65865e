"""strongSwan's charon in a namespace, with ESP in user space (its plugin kernel-libipsec). That ESP
is always in UDP and in tunnel mode. What its two ends agree on, keys included, stands in the log.
"""
import pathlib
import re
import shutil
import subprocess
import tempfile

from lab import ROOT, sh, wait_until

PLUGINS = pathlib.Path("/usr/lib/ipsec/plugins")

# kernel-libipsec before kernel-netlink: that one knows addresses and routes
SETTINGS = """charon {{
  load = random nonce openssl aes des sha1 sha2 md5 hmac kdf gcm ctr ccm chapoly curve25519 cmac \
xcbc pem pkcs1 kernel-libipsec kernel-netlink socket-default vici
  filelog {{
    main {{
      path = {folder}/charon.log
      default = 1
      chd = 4
      flush_line = yes
    }}
  }}
  plugins {{
    vici {{
      socket = unix://{folder}/run/charon.vici
    }}
    kernel-libipsec {{
      load = yes
    }}
  }}
}}
"""


def missing():
    """Why there can be no strongSwan here, or None."""
    for path, package in ((PLUGINS / "libstrongswan-kernel-libipsec.so", "libcharon-extra-plugins"),
                          (PLUGINS / "libstrongswan-chapoly.so", "libstrongswan-extra-plugins"),
                          (PLUGINS / "libstrongswan-vici.so", "strongswan-libcharon")):
        if not path.exists():
            return f"no strongSwan without {path.name}: the package {package} is missing"
    return None if shutil.which("swanctl") else "the package strongswan-swanctl is missing"


def program():
    """charon itself. Its package would start an IKE daemon on the machine that the tests run on, so
    it is taken out of it and not installed."""
    installed, folder = pathlib.Path("/usr/lib/ipsec/charon"), ROOT / "build/strongswan"
    if installed.exists():
        return installed
    if not (folder / "charon").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            sh("sh", "-ec", "apt-get download strongswan-charon && dpkg-deb -x *.deb .", cwd=work)
            (pathlib.Path(work) / "usr/lib/ipsec/charon").rename(folder / "charon")
    return folder / "charon"


class Charon:
    def __init__(self, lab, netns, name):
        self.folder = lab.dir / name
        self.name = name
        (self.folder / "run").mkdir(parents=True)
        self.log = self.folder / "charon.log"
        settings = self.folder / "strongswan.conf"
        settings.write_text(SETTINGS.format(folder=self.folder))
        # its pid file has a path of its own: a /run for each
        with open(self.folder / "said", "w", encoding="utf-8") as said:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", netns, "unshare", "-m", "--propagation", "private", "sh",
                 "-ec", f'mount --bind {self.folder}/run /run; exec "{program()}"'],
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "STRONGSWAN_CONF": str(settings)},
                stdout=said, stderr=said)
        wait_until("charon's socket", (self.folder / "run/charon.vici").exists)

    def swanctl(self, *command, check=True):
        return sh("swanctl", *command, "--uri", f"unix://{self.folder}/run/charon.vici",
                  check=check)

    def load(self, text):
        path = self.folder / "swanctl.conf"
        path.write_text(text)
        self.swanctl("--load-all", "--file", path)

    def initiate(self, child):
        done = self.swanctl("--initiate", "--child", child, "--timeout", "20", check=False)
        said = self.log.read_text(errors="replace")[-2000:]
        assert done.returncode == 0, f"{done.stdout}\n{said}"

    def children(self):
        """By name of child: (SPI in, SPI out, key of the initiator, key of the responder), as bytes
        of encryption and integrity key together."""
        keys, found = {}, {}
        log = self.log.read_text(errors="replace")
        dump, left = None, 0
        for line in log.splitlines():
            text = line.split("] ", 1)[-1]
            begin = re.match(r"(encryption|integrity) (initiator|responder) key => (\d+) bytes",
                             text)
            if begin:
                dump, left = (begin[2], begin[1]), int(begin[3])
                keys[dump] = b""
            elif left and re.match(r"\s*\d+: ", text):
                piece = bytes.fromhex(text.split(": ", 1)[1][:48].strip())[:left]
                keys[dump] += piece
                left -= len(piece)
            done = re.match(r"CHILD_SA (\w+)\{\d+\} established with SPIs (\w+)_i (\w+)_o", text)
            if done:
                found[done[1]] = (int(done[2], 16), int(done[3], 16), *(
                    keys.get((who, "encryption"), b"") + keys.get((who, "integrity"), b"")
                    for who in ("initiator", "responder")))
                keys = {}
        return found

    def kill(self):
        """Without a word to its peer."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def connection(local, remote, children, start=False):
    """The text of a connection: children are (name, proposal, network here, network there)."""
    text = [f"""connections {{
  peer {{
    version = 2
    local_addrs = {local}
    remote_addrs = {remote}
    proposals = aes128-sha256-x25519
    dpd_delay = 0
    rekey_time = 0
    local {{
      auth = psk
      id = {local}
    }}
    remote {{
      auth = psk
      id = {remote}
    }}
    children {{"""]
    text += [f"""      {name} {{
        local_ts = {here}
        remote_ts = {there}
        esp_proposals = {proposal}
        mode = tunnel
        rekey_time = 0
        start_action = none
      }}""" for name, proposal, here, there in children]
    text.append(f"""    }}
  }}
}}
secrets {{
  ike-1 {{
    id-1 = {local}
    id-2 = {remote}
    secret = "a secret of this test alone"
  }}
}}
""")
    return "\n".join(text)
