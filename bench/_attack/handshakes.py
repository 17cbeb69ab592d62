"""See bench/handshakes. Attacker, client and watcher are processes; they and the daemon share a namespace, whose only interface is the loopback interface."""
import ctypes
import os
import pathlib
import resource
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

from attack import BINARY, CONNECTIONS, KINDS, MAX_MB, SECONDS, STEAL, Attacker, Client, Daemon, Thief, Watch, fill, finish, interruptible

HANDSHAKES = int(os.environ.get("HANDSHAKES", "2000"))  # per second
MAX_SPREAD_MB = float(os.environ.get("MAX_SPREAD_MB", "320"))
WORKERS = 4  # processes of an attacker that computes
PORT = 2900
ATTACKER, OTHER = "127.0.0.2", "127.0.0.9"
CLONE_NEWNET = 0x40000000


def context():
    made = ssl.create_default_context()
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


def connect(address):
    end = socket.socket()
    end.settimeout(30)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    end.bind((address, 0))
    end.connect(("127.0.0.1", PORT))
    return end


class TlsClient(Client):
    tls = context()

    def open(self):
        self.socket = self.tls.wrap_socket(connect(OTHER))
        self.file = self.socket.makefile("rb", buffering=65536)


class TlsWatch(Watch):
    """Opens a new connection for each tenth request."""

    def before(self, i):
        if i % 10 == 0:
            self.client.close()


def paced(rate):
    """Yields so many times a second; what was late is not made up for, so that a slow second is not followed by a burst."""
    due = time.monotonic()
    while True:
        yield
        due = max(due + 1 / rate, time.monotonic() - 0.02)
        time.sleep(max(0, due - time.monotonic()))


def hello():
    """The first message of a client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context().wrap_bio(incoming, outgoing)
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()


def silent():
    ends = []
    while True:
        while len(ends) < CONNECTIONS:
            ends.append(connect(ATTACKER))
            ends[-1].setblocking(False)
        for i, end in enumerate(ends):
            try:
                closed = not end.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                closed = False
            except OSError:
                closed = True
            if closed:
                end.close()
                ends[i] = connect(ATTACKER)
                ends[i].setblocking(False)
        time.sleep(0.2)


def hellos(rate):
    text, ends = hello(), []
    for _ in paced(rate):
        try:
            ends.append(connect(ATTACKER))
            ends[-1].send(text)
        except OSError:
            pass
        if len(ends) > 100:
            ends.pop(0).close()  # long answered


def handshakes(rate):
    tls = context()
    for _ in paced(rate):
        try:
            tls.wrap_socket(connect(ATTACKER)).close()
        except OSError:
            pass


def sessions():
    keep([ATTACKER])


def spread():
    keep([f"127.0.0.{10 + i}" for i in range(10)])


def keep(addresses):
    tls, ends = context(), []
    for i in range(CONNECTIONS):
        try:
            ends.append(tls.wrap_socket(connect(addresses[i % len(addresses)])))
        except OSError:
            pass  # beyond what an address may have
    while True:
        time.sleep(1)


def attackers(kind):
    if kind in ("hellos", "handshakes"):
        return [Attacker(globals()[kind], HANDSHAKES / WORKERS) for _ in range(WORKERS)]
    return [Attacker(globals()[kind])]


def ended(client):
    """Handshakes until now, established and others."""
    lines = client.request("GET", "/v1/metrics?format=prometheus")[1].decode().splitlines()
    counts = {line.split('"')[1]: float(line.split()[-1]) for line in lines if line.startswith("couic_tls_handshakes_total{")}
    return counts["established"], counts["failed"] + counts["timed_out"]


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(16384, 2 * CONNECTIONS),) * 2)
    work = pathlib.Path(tempfile.mkdtemp(prefix="handshakes-"))
    work.chmod(0o755)
    daemon, thief = Daemon(work, f'listen = ["127.0.0.1:{PORT}"]\n[server.tls]\ncert_file = "{work}/tls/cert.pem"\nkey_file = "{work}/tls/key.pem"\n'), Thief(STEAL)
    try:
        subprocess.run([BINARY, "-c", str(work / "couic.toml"), "certificate", "--name", "localhost", "--out", str(work / "tls")], check=True, stdout=subprocess.DEVNULL)
        daemon.start()
        with open(f"/run/netns/{daemon.space}") as space:
            if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        local, client = Client(daemon), TlsClient(daemon)
        print(f"{'':<42} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8} {'failed':>6} {'most MB':>8}")
        fill(local)
        quiet = TlsWatch(daemon, client).run(SECONDS).line("full tables, TLS")
        for kind in KINDS:
            watch = TlsWatch(daemon, client)
            running = attackers(kind)
            try:
                watch.run(1).line(f"{kind}, in the first second")
                if kind in ("sessions", "spread"):
                    wanted = 2 * (1000 if kind == "sessions" else CONNECTIONS)  # both ends of each
                    while sum(1 for _ in open("/proc/net/tcp")) < wanted:
                        time.sleep(0.1)
                before, start = ended(local), time.monotonic()
                watch = TlsWatch(daemon, client)
                watch.limit = MAX_SPREAD_MB if kind == "spread" else MAX_MB
                p99 = watch.run(SECONDS).line(kind)
                good, bad = ((b - a) / (time.monotonic() - start) for a, b in zip(before, ended(local)))
            finally:
                for one in running:
                    one.stop()
            print(f"{'':<10}p99 with : without {p99 / quiet:.1f}; handshakes per second: {good:.0f} established, {bad:.0f} failed")
        time.sleep(12)  # the sessions have ended, and their memory is returned
        TlsWatch(daemon, client).run(1).line("after them")
    finally:
        thief.stop()
        daemon.remove()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    with interruptible():
        main()
    finish("handshakes")
