"""
The load: each actor is a thread with a fixed rate and its own range of addresses. Acknowledged changes go to the ledger, which is compared
with the kernel's tables at the end.
"""
import ipaddress
import json
import random
import socket
import subprocess
import threading
import time

import machine
from client import Client


class Ledger:
    """Entries by policy and CIDR: in force until a time (0: for ever), or unsure, because an answer did not come."""

    def __init__(self):
        self.lock = threading.Lock()
        self.entries = {}
        self.unsure = set()
        self.sets = {}
        self.answers = {}
        self.broken = self.probed = 0
        self.surprises = []

    def count(self, status):
        with self.lock:
            self.answers[status] = self.answers.get(status, 0) + 1

    def surprise(self, text):
        with self.lock:
            self.surprises.append(text)

    def expected(self, now):
        """The entries that must exist, and those that may."""
        with self.lock:
            must = {key for key, end in self.entries.items() if (not end or end > now + 2) and key not in self.unsure}
            may = must | self.unsure | {key for key, end in self.entries.items() if end and end > now - 2}
            for (policy, _), cidrs in self.sets.items():
                must |= {(policy, cidr) for cidr in cidrs}
                may |= {(policy, cidr) for cidr in cidrs}
        return must, may


class Actor(threading.Thread):
    """Acts at a fixed rate until the run ends."""

    rate = 1.0

    def __init__(self, world):
        super().__init__(daemon=True, name=type(self).__name__)
        self.world, self.daemon_, self.ledger = world, world.daemon, world.ledger
        self.random = random.Random(f"{world.seed} {self.name}")
        self.client = Client(self.daemon_)

    def run(self):
        due = time.monotonic() + self.random.random() / self.rate
        while not self.world.stopping.wait(max(0, due - time.monotonic())):
            due = max(due + 1 / self.rate, time.monotonic() - 5)
            try:
                self.act()
            except (OSError, ValueError, IndexError) as e:
                self.ledger.broken += 1
                self.client.close()
                if self.world.is_whole:
                    self.ledger.surprise(f"{self.name}: {e!r}")
        self.finish()
        self.client.close()

    def finish(self):
        pass

    def ask(self, method, target, body=None, expect=(200, 201, 204)):
        status, content = self.client.request(method, target, body)
        self.ledger.count(status)
        if status not in expect:
            self.ledger.surprise(f"{method} {target}: {status} {content[:200]!r}")
        return status, content


def fresh(rng, place):
    """A network that was most likely never there before: hosts mostly, as attackers are."""
    kind = rng.random()
    if kind < 0.6:
        return f"10.{place}.{rng.randrange(256)}.{rng.randrange(256)}/32"
    if kind < 0.7:
        return str(ipaddress.ip_network((f"10.{place}.{rng.randrange(256)}.{rng.randrange(256)}", rng.randrange(24, 32)), strict=False))
    host = f"2001:db8:{place:x}:{rng.randrange(65536):x}::{rng.randrange(1, 65536):x}"
    return str(ipaddress.ip_network((host, 128 if kind < 0.9 else 64), strict=False))


def touch(daemon):
    """
    Adds hosts all over the tables, and removes them. The kernel counts a page of the tables as resident once the daemon has
    written to it, and addresses that are ever new would do that during the run.
    """
    rng, client = random.Random(0), Client(daemon)
    for policy, count in (("drop", 40_000), ("ignore", 20_000)):
        cidrs = list({fresh(rng, rng.randrange(1, 7)) for _ in range(count)})
        client.request("POST", f"/v1/{policy}/bulk", [{"cidr": cidr, "tag": None, "expiration": 0} for cidr in cidrs])
        client.request("POST", f"/v1/{policy}/bulk?action=remove", cidrs)
    client.close()


class Churn(Actor):
    """Adds, changes tags, removes, lets entries expire, and keeps their number about constant."""

    rate, place, policy, level = 60.0, 1, "drop", 4000

    def act(self):
        mine = self.mine = getattr(self, "mine", {})
        now = time.time()
        for cidr in [c for c, end in mine.items() if end and end < now - 2][:5]:
            del mine[cidr]
            with self.ledger.lock:
                self.ledger.entries.pop((self.policy, cidr), None)
        if len(mine) < self.level * self.random.uniform(0.9, 1.1):
            self.add(fresh(self.random, self.place))
        elif self.random.random() < 0.2:
            self.change(self.random.choice(list(mine)))
        else:
            self.remove(self.random.choice(list(mine)))

    def body(self, cidr):
        end = int(time.time()) + self.random.randrange(3, 120) if self.random.random() < 0.3 else 0
        return {"cidr": cidr, "tag": f"tag-{self.random.randrange(50)}", "expiration": end}

    def add(self, cidr):
        self.put(cidr, f"/v1/{self.policy}", (201, 409))

    def change(self, cidr):
        self.put(cidr, f"/v1/{self.policy}?on_conflict=update", (200, 201))

    def put(self, cidr, target, expect):
        body = self.body(cidr)
        key = (self.policy, cidr)
        with self.ledger.lock:
            self.ledger.unsure.add(key)
        status, _ = self.ask("POST", target, body, expect)
        if status in (200, 201):
            self.mine[cidr] = body["expiration"]
            with self.ledger.lock:
                self.ledger.entries[key] = body["expiration"]
                self.ledger.unsure.discard(key)

    def remove(self, cidr):
        end = self.mine[cidr]
        key = (self.policy, cidr)
        with self.ledger.lock:
            self.ledger.unsure.add(key)
        status, _ = self.ask("DELETE", f"/v1/{self.policy}/{cidr}", expect=(204, 404))
        if status == 404 and not (end and end <= time.time() + 2):
            self.ledger.surprise(f"{self.policy} {cidr} was acknowledged, and is not there")
        del self.mine[cidr]
        with self.ledger.lock:
            self.ledger.entries.pop(key, None)
            self.ledger.unsure.discard(key)


class IgnoreChurn(Churn):
    rate, place, policy, level = 10.0, 2, "ignore", 500


class Bulk(Actor):
    """Adds thousands of entries at once, and removes them."""

    rate, size, place = 0.1, 3000, 3

    def act(self):
        if held := getattr(self, "held", None):
            self.held = None
            status, content = self.ask("POST", "/v1/drop/bulk?action=remove", held)
            with self.ledger.lock:
                for cidr in held:
                    self.ledger.entries.pop(("drop", cidr), None)
                    self.ledger.unsure.discard(("drop", cidr))
            return
        cidrs = list({fresh(self.random, self.place + self.random.randrange(2)) for _ in range(self.size)})
        with self.ledger.lock:
            self.ledger.unsure |= {("drop", cidr) for cidr in cidrs}
        status, content = self.ask("POST", "/v1/drop/bulk", [{"cidr": cidr, "tag": "bulk", "expiration": 0} for cidr in cidrs])
        if status == 200 and json.loads(content)["created"] == len(cidrs):
            with self.ledger.lock:
                self.ledger.entries |= {("drop", cidr): 0 for cidr in cidrs}
                self.ledger.unsure -= {("drop", cidr) for cidr in cidrs}
        self.held = cidrs


class Reader(Actor):
    """Reads lists, statistics and status."""

    rate = 10.0
    targets = ("/v1/stats", "/v1/metrics", "/v1/metrics?format=prometheus", "/v1/stats/tags/drop", "/v1/status", "/v1/peers", "/v1/client",
               "/v1/drop?limit=100", "/v1/drop?match=10.1.2.3", "/v1/sets/drop", "/v1/ignore", "/v1/openapi.json")

    def act(self):
        self.ask("GET", self.random.choice(self.targets))


class Lister(Actor):
    """Fetches the whole table from time to time."""

    rate = 0.1

    def act(self):
        _, content = self.ask("GET", "/v1/drop")
        json.loads(content)


class Sets(Actor):
    """A set file that changes, and the reload that brings it into force. A full disk refuses the file."""

    rate = 1 / 15

    def act(self):
        name = self.random.choice(["feed", "other"])
        place = 5 if name == "feed" else 6
        cidrs = sorted({fresh(self.random, place) for _ in range(2000)})
        body = {"name": name, "entries": cidrs}
        files = self.files = getattr(self, "files", {})
        method, target = ("PUT", f"/v1/sets/drop/{name}") if name in files else ("POST", "/v1/sets/drop")
        status, _ = self.ask(method, target, body, (200, 201, 500))
        if status != 500:
            files[name] = cidrs
        with self.ledger.lock:
            self.ledger.unsure |= {("drop", cidr) for cidr in cidrs}
        self.ask("POST", "/v1/sets/reload")
        with self.ledger.lock:
            self.ledger.unsure -= {("drop", cidr) for cidr in cidrs}
            self.ledger.sets = {("drop", name): list(cidrs) for name, cidrs in files.items()}


class Clients(Actor):
    """Creates, uses and removes a client."""

    rate = 0.2

    def act(self):
        status, content = self.ask("POST", "/v1/client", {"name": "visitor", "group": "clientro"}, (201, 422, 500))
        if status == 201:
            visitor = Client(self.daemon_)
            visitor.token = json.loads(content)["token"]
            if visitor.request("GET", "/v1/drop?limit=1")[0] != 200:
                self.ledger.surprise("a new client is not let in")
            visitor.close()
        self.ask("DELETE", "/v1/client/visitor", expect=(204, 404, 500))


class Hostile(Actor):
    """Keeps some hundred bad connections open: idle, half a request, garbage, slow readers."""

    rate, level = 8.0, 300

    def act(self):
        held = self.held = getattr(self, "held", [])
        while len(held) > self.level:
            held.pop(self.random.randrange(len(held))).close()
        end = socket.socket(socket.AF_UNIX)
        end.settimeout(2)
        end.connect(self.daemon_.socket)
        end.setblocking(False)
        text = self.client.text("GET", "/v1/drop")
        garbage = bytes(self.random.randrange(256) for _ in range(200))
        say = self.random.choice([b"", b"GET /v1/drop HTTP/1.1\r\nHost", text[:-1], text * 3, garbage, b"POST /v1/drop HTTP/1.1\r\nContent-Length: 9\r\n\r\n"])
        try:
            end.send(say)
        except BlockingIOError:
            pass
        held.append(end)

    def finish(self):
        for end in getattr(self, "held", []):
            end.close()


class Killed(Actor):
    """Kills couicctl in the middle of a command."""

    rate = 0.05

    def act(self):
        config = self.daemon_.home / "couicctl.toml"
        config.write_text(f'mode = "local"\nsocket = "{self.daemon_.socket}"\n'
                          f'client_file = "{self.daemon_.home}/state/rbac/clients/couicctl.toml"\n')
        process = subprocess.Popen([self.daemon_.binary, "ctl", "-c", str(config), "drop", "list"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(self.random.uniform(0.002, 0.05))
        process.kill()
        process.wait()


class Packets(Actor):
    """Frames from sources that stay listed and from some that never are, IPv4 and IPv6: the former are dropped, the latter arrive."""

    rate = 4.0

    def act(self):
        if not hasattr(self, "probe"):
            self.probe = None
            for address in machine.LISTED:
                cidr = f"{address}/{128 if ':' in address else 32}"
                self.ask("POST", "/v1/drop", {"cidr": cidr, "tag": "probed", "expiration": 0})
                with self.ledger.lock:
                    self.ledger.entries[("drop", cidr)] = 0
        # A link needs up to a second to carry packets again, and an interface that is new needs as long to be filtered.
        if not self.world.is_whole:
            self.broken_at = time.monotonic()
        was_whole = time.monotonic() - getattr(self, "broken_at", 0) > 3
        try:
            self.probe = self.probe or machine.Probe(self.world.machine)
            arrived = self.probe.arrived(machine.LISTED + machine.UNLISTED)
        except OSError:
            if self.probe:
                self.probe.close()  # the interface has gone, or is down
                self.probe = None
            if was_whole and self.world.is_whole:
                raise
            return
        if was_whole and self.world.is_whole:
            self.ledger.probed += 1
            if passed := arrived & set(machine.LISTED):
                self.ledger.surprise(f"listed sources passed: {sorted(passed)}")
            if missing := set(machine.UNLISTED) - arrived:
                self.ledger.surprise(f"unlisted sources were dropped: {sorted(missing)}")


ACTORS = (Churn, IgnoreChurn, Bulk, Reader, Lister, Sets, Clients, Hostile, Killed, Packets)
