"""What filters packets: each in a network and a mount namespace of its own, which end with the process that holds them."""
import json
import os
import shutil
import subprocess
import tempfile

from _couic import PER_SET, Daemon

FROM, TO = "source", "filter"
WITHIN = "198.18.0.1/15"

# What passes goes the whole way to a socket, whose buffer is full.
HOLDER = """
import signal, socket
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
listener.bind(("0.0.0.0", 9))
print(flush=True)
signal.pause()
"""


class Contender:
    """A kernel without a filter, and what others have in common."""

    drops, passes = False, True  # what it does at all

    def __init__(self, name):
        self.name = name
        self.folder = tempfile.mkdtemp(prefix="couic-bench-")
        os.chmod(self.folder, 0o755)
        self.holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "python3", "-c", HOLDER], stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        self.run("mount", "-t", "sysfs", "sysfs", "/sys")
        self.run("mount", "-t", "bpf", "bpf", "/sys/fs/bpf")
        self.run("ip", "link", "add", FROM, "type", "veth", "peer", "name", TO)
        # Frames without an XDP program reach the stack through the same queue as those that one takes.
        self.run("ethtool", "-K", TO, "gro", "on")
        self.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv4.conf.all.rp_filter=0", f"net.ipv4.conf.{TO}.rp_filter=0")
        self.run("ip", "address", "add", WITHIN, "dev", TO)
        for interface in ("lo", FROM, TO):
            self.run("ip", "link", "set", interface, "up")
        self.mac = json.loads(self.run("ip", "-j", "link", "show", TO))[0]["address"]

    def inside(self, *command):
        return ["nsenter", "-t", str(self.holder.pid), "-n", "-m", *command]

    def run(self, *command, text=None):
        done = subprocess.run(self.inside(*command), input=text, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(command)}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def load(self, addresses):
        """Fills the tables and begins to filter."""

    def dropped(self):
        """Packets dropped since the start, by the filter's own count."""
        return 0

    def received(self):
        return next(int(line.split()[2]) for line in self.kernel("dev") if line.split()[0] == TO + ":")

    def reached_ip(self):
        header, values = [line.split() for line in self.kernel("snmp") if line.startswith("Ip:")]
        return int(values[header.index("InReceives")])

    def kernel(self, name):
        with open(f"/proc/{self.holder.pid}/net/{name}") as file:
            return file.readlines()

    def close(self):
        self.holder.kill()
        self.holder.wait()
        shutil.rmtree(self.folder)


class Nothing(Contender):
    """An XDP program that drops every packet and looks at none."""

    drops, passes = True, False

    def __init__(self, name, mode, program):
        super().__init__(name)
        self.run("ip", "link", "set", TO, {"native": "xdpdrv", "generic": "xdpgeneric"}[mode], "obj", program, "sec", "xdp")

    def dropped(self):
        return self.received() - self.reached_ip()


class Couic(Contender):
    drops = True

    def __init__(self, name, mode):
        super().__init__(name)
        self.mode, self.daemon = mode, None

    def load(self, addresses):
        self.daemon = Daemon(self, len(addresses), TO, self.mode)
        self.daemon.write_sets([f"{address}/32" for address in addresses], -(-len(addresses) // PER_SET))
        self.daemon.start()
        if self.stats()["drop_cidr_count"] != len(addresses):
            raise RuntimeError(f"{self.name}: the daemon holds other rules: {self.stats()}")

    def stats(self):
        return json.loads(self.daemon.request("GET", "/v1/stats")[1])

    def dropped(self):
        return self.stats()["xdp"]["XDP_DROP"]["rx_packets"]

    def close(self):
        if self.daemon:
            self.daemon.stop()
        super().close()


class Nft(Contender):
    """A set in a chain of the ingress hook: the earliest place that nftables has."""

    drops = True

    def __init__(self, name, flags):
        super().__init__(name)
        self.flags, self.count = flags, 0

    def load(self, addresses):
        elements = f"add element netdev bench listed {{ {', '.join(addresses)} }}\n" if addresses else ""
        self.run("nft", "-f", "-", text=f"""
            add table netdev bench
            add counter netdev bench dropped
            add set netdev bench listed {{ type ipv4_addr; {self.flags} size {max(65_536, 2 * len(addresses))}; }}
            add chain netdev bench ingress {{ type filter hook ingress device "{TO}" priority -500; policy accept; }}
            add rule netdev bench ingress ip saddr @listed counter name dropped drop
            """ + elements)

    def dropped(self):
        # To list it would fetch all elements of the set first, for seconds.
        found = json.loads(self.run("nft", "-j", "reset", "counter", "netdev", "bench", "dropped"))
        self.count += next(item["counter"]["packets"] for item in found["nftables"] if "counter" in item)
        return self.count


class IpSet(Contender):
    """hash:ip in the table raw of iptables: the earliest place that it has."""

    drops = True

    def load(self, addresses):
        lines = [f"create listed hash:ip maxelem {max(65_536, len(addresses))}", *(f"add listed {address}" for address in addresses)]
        self.run("ipset", "restore", text="\n".join(lines) + "\n")
        self.run("iptables", "-t", "raw", "-A", "PREROUTING", "-m", "set", "--match-set", "listed", "src", "-j", "DROP")

    def dropped(self):
        rules = self.run("iptables", "-t", "raw", "-L", "PREROUTING", "-v", "-x", "-n").splitlines()
        return next(int(rule.split()[0]) for rule in rules if "match-set" in rule)


class XdpFilter(Contender):
    """A hash map of single addresses of xdp-tools, which ends at 10,000. Addresses go into its map directly: its command takes one at a time."""

    MOST = 10_000
    drops = True

    def __init__(self, name, mode):
        super().__init__(name)
        self.run("xdp-filter", "load", TO, "-m", {"native": "native", "generic": "skb"}[mode], "-f", "ipv4", "-p", "allow")

    def load(self, addresses):
        path = "/sys/fs/bpf/xdp-filter/"
        batch = os.path.join(self.folder, "batch")
        with open(batch, "w") as file:
            for address in addresses:  # 1: as a source
                file.write(f"map update pinned {path}filter_ipv4 key {address.replace('.', ' ')} value 1 0 0 0 0 0 0 0\n")
        if addresses:
            self.run("bpftool", "batch", "file", batch)

    def dropped(self):
        stats = json.loads(self.run("bpftool", "-j", "map", "dump", "pinned", "/sys/fs/bpf/xdp-filter/xdp_stats_map"))
        of_drop = next(item["values"] for item in stats if item["key"][0] == "0x01")
        return sum(int.from_bytes((int(byte, 16) for byte in cpu["value"][:8]), "little") for cpu in of_drop)
