"""See bench/attack. Attacker, client and watcher are processes of their own; the daemon has a namespace of its own, with a loopback interface only."""
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path[:0] = ["tests/soak", "bench"]
from _couic import end_with_parent, interruptible  # noqa: E402
from client import Client  # noqa: E402

BINARY = os.path.abspath(os.environ.get("COUIC_BINARY", "out/couic"))
CONNECTIONS = int(os.environ.get("CONNECTIONS", "10000"))
SECONDS = float(os.environ.get("SECONDS_EACH", "3"))
STEAL = float(os.environ.get("STEAL", "0"))  # of every millisecond of each processor
KINDS = os.environ.get("KINDS", "idle heads bodies readers lists pages flood").split()
RATE = 200
# The promise of docs/reliability.md. A machine that is shared or slower asks for wider limits.
MAX_P99_MS = float(os.environ.get("MAX_P99_MS", "100"))
MAX_MB = float(os.environ.get("MAX_MB", "256"))
broken = []


class Daemon:
    def __init__(self, work, server=""):
        """server: further lines of the configuration from the table [server] on."""
        self.space, self.socket, self.work = f"bench-attack-{os.getpid()}", str(work / "couic.sock"), work
        (work / "state").mkdir()
        (work / "couic.toml").write_text(f'ifaces = ["lo"]\nworking_dir = "{work}/state"\nuser = "root"\ngroup = "root"\n'
                                         f'[server]\nsocket = "{self.socket}"\n{server}[logging]\ndir = "{work}/log"\n')
        self.process = None

    def start(self):
        work = self.work
        subprocess.run(["ip", "netns", "add", self.space], check=True)
        subprocess.run(["ip", "-n", self.space, "link", "set", "lo", "up"], check=True)
        self.process = subprocess.Popen(["nsenter", f"--net=/run/netns/{self.space}", BINARY, "-c", str(work / "couic.toml")],
                                        stdout=open(work / "said", "wb"), stderr=subprocess.STDOUT)
        while not os.path.exists(self.socket) or not (work / "state/rbac/clients/couicctl.toml").exists():
            time.sleep(0.05)

    @property
    def token(self):
        return (self.work / "state/rbac/clients/couicctl.toml").read_text().split('"')[1]

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
            file.write("5")

    def peak(self):
        """The most that was resident since then, in MB, the kernel's tables included."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))

    def remove(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        subprocess.run(["ip", "netns", "delete", self.space])


def fill(client):
    """262,144 addresses of each family to drop, 65,536 of each to ignore: as many as there is room for by default."""
    v4 = lambda i, net: f"{net}.{(x := i * 0x9E3779B1 & 0xffffff) >> 16}.{x >> 8 & 255}.{x & 255}/32"  # noqa: E731
    v6 = lambda i, net: f"2001:db8:{net}:{i >> 15:x}::{(i & 0x7fff) + 1:x}/128"  # noqa: E731
    for policy, make, net, count in (("drop", v4, 10, 262_144), ("drop", v6, 1, 262_144), ("ignore", v4, 11, 65_536), ("ignore", v6, 2, 65_536)):
        body = json.dumps([{"cidr": make(i, net), "tag": f"tag-{i % 100}", "expiration": 0} for i in range(count)]).encode()
        status, answer = client.request("POST", f"/v1/{policy}/bulk", body)
        if status != 200 or json.loads(answer)["created"] != count:
            raise SystemExit(f"bench: fill {policy}: {answer[:200]}")


def say(kind, client):
    """What one connection of the attacker sends, once."""
    get = lambda target: client.text("GET", target)  # noqa: E731
    return {"idle": b"",
            "heads": b"GET /v1/drop HTTP/1.1\r\nX: " + b"x" * 6000,
            "bodies": client.text("POST", "/v1/drop/bulk", b'[{"cidr":"' + b" " * 100_000)[:-50_000],
            "readers": get("/v1/metrics?format=prometheus") * 100,
            "lists": get("/v1/drop"),
            "pages": get("/v1/drop?limit=1000") * 3,
            "flood": get("/v1/drop/10.0.0.0/32") * 50}[kind]


class Thief:
    """Takes that share from all others, as a host that is too full does to its guests."""

    def __init__(self, share):
        self.pids = [self.steal(cpu, share) for cpu in sorted(os.sched_getaffinity(0))] if share else []

    @staticmethod
    def steal(cpu, share):
        if pid := os.fork():
            os.sched_setaffinity(pid, {cpu})
            os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))
            return pid
        try:
            end_with_parent()
            begin = time.monotonic()
            while True:
                while time.monotonic() < begin + share / 1000:
                    pass
                time.sleep(max(0, begin + 0.001 - time.monotonic()))
                begin = time.monotonic()
        finally:
            os._exit(0)

    def stop(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


class Attacker:
    """A process that runs until it is stopped."""

    def __init__(self, run, *arguments):
        self.pid = os.fork()
        if self.pid == 0:
            try:
                end_with_parent()
                run(*arguments)
            finally:
                os._exit(0)

    def stop(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def attack_forever(kind, daemon):
    """Opens connections, sends, never reads more than it must; opens again what was closed."""
    client = Client(daemon)
    text, ends = say(kind, client), []

    def one():
        end = socket.socket(socket.AF_UNIX)
        try:
            end.settimeout(1)
            end.connect(daemon.socket)
            end.setblocking(False)
            end.send(text)
        except OSError:
            pass
        return end

    while True:
        while len(ends) < CONNECTIONS:
            ends.append(one())
        for i, end in enumerate(ends):
            try:
                if kind in ("heads", "bodies"):
                    end.send(b"x")
                elif kind == "flood":
                    end.recv(1 << 16)
                    end.send(text)
                elif not end.recv(1, socket.MSG_PEEK):
                    raise ConnectionError("closed")
            except BlockingIOError:
                pass
            except OSError:
                end.close()
                ends[i] = one()
        time.sleep(0.2)


class Watch:
    """A client's requests at a constant rate, each timed from when it was due; the most resident memory since it was made."""

    def __init__(self, daemon, client, expected=200):
        self.expected = expected
        self.daemon, self.client, self.times, self.most, self.failed, self.limit = daemon, client, [], 0, 0, MAX_MB
        daemon.forget_peak()

    def run(self, seconds):
        start = time.monotonic()
        for i in range(int(seconds * RATE)):
            due = start + i / RATE
            time.sleep(max(0, due - time.monotonic()))
            try:
                self.before(i)
                if self.client.request("GET", "/v1/drop/10.0.0.0/32")[0] != self.expected:
                    self.failed += 1
            except OSError:
                self.failed += 1
            self.times.append((time.monotonic() - due) * 1000)
        self.most = self.daemon.peak()
        return self

    def before(self, i):
        """Called before each request; it counts for its time."""

    def line(self, what):
        times = sorted(self.times)
        p99 = times[int(0.99 * len(times))]
        print(f"{what:<42} {statistics.median(times):8.2f} {p99:8.2f} {times[-1]:8.1f} {self.failed:6} {self.most:8.1f}", flush=True)
        if p99 > MAX_P99_MS or self.most > self.limit or self.failed:
            broken.append(what)
        return p99


def main():
    work = pathlib.Path(tempfile.mkdtemp(prefix="attack-"))
    work.chmod(0o755)
    daemon, thief = Daemon(work), Thief(STEAL)
    try:
        daemon.start()
        client = Client(daemon)
        print(f"{'':<42} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'failed':>6} {'most MB':>8}")
        Watch(daemon, client, expected=404).run(1).line("empty tables")
        fill(client)
        quiet = Watch(daemon, client).run(SECONDS).line("full tables")
        for kind in KINDS:
            watch = Watch(daemon, client)
            attacker = Attacker(attack_forever, kind, daemon)
            try:
                watch.run(1).line(f"{CONNECTIONS} connections: {kind}, connecting")
                watch = Watch(daemon, client)
                p99 = watch.run(SECONDS).line(f"{CONNECTIONS} connections: {kind}")
            finally:
                attacker.stop()
            print(f"{'':<10}p99 with : without {p99 / quiet:.1f}")
        time.sleep(12)
        Watch(daemon, client).run(1).line("after them")
    finally:
        thief.stop()
        daemon.remove()
        shutil.rmtree(work, ignore_errors=True)


def finish(name):
    if broken:
        sys.exit(f"{name}: beyond {MAX_P99_MS:.0f} ms, {MAX_MB:.0f} MB or with a failed request: {'; '.join(broken)}")


if __name__ == "__main__":
    with interruptible():
        main()
    finish("attack")
