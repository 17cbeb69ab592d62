"""Two network namespaces joined by a veth pair, and a daemon in each: the one that is watched, and its peer."""
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

CLONE_NEWNET = 0x40000000
PEER_PORT = 2900
LIBC = ctypes.CDLL(None, use_errno=True)
HARDWARE = {"inside": "02:00:00:00:00:01", "outside": "02:00:00:00:00:02"}
# Keys that must stay in the kernel: the sources of probes.
LISTED = [f"10.8.0.{i}" for i in range(1, 11)] + [f"2001:db8:8::{i}" for i in range(1, 11)]
UNLISTED = [f"203.0.113.{i}" for i in range(1, 11)] + [f"2001:db8:9::{i}" for i in range(1, 11)]
ADDRESSES = {"inside": "192.0.2.1", "outside": "192.0.2.2"}
DEVICE = {"inside": "soak0", "outside": "soak1"}


def run(*command, check=True):
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout


def name_of(side):
    return f"soak-{os.getpid()}-{side}"


def remove_spaces():
    """Also when only some of it was made."""
    for side in DEVICE:
        run("ip", "netns", "delete", name_of(side), check=False)


class Space:
    """A named network namespace."""

    def __init__(self, side):
        self.side = side
        self.name = name_of(side)
        run("ip", "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    @property
    def path(self):
        return f"/run/netns/{self.name}"

    def ip(self, *arguments, check=True):
        return run("ip", "-n", self.name, *arguments, check=check)

    def enter(self):
        """Moves the calling thread into the namespace."""
        with open(self.path) as file:
            if LIBC.setns(file.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"enter namespace {self.name}")

    def packet_socket(self, device):
        """A raw socket of the namespace, made by a thread that lives there."""
        made = []

        def make():
            try:
                self.enter()
                made.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
                made[0].bind((device, 0))
            except OSError as e:
                made.append(e)

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if isinstance(made[-1], OSError):
            raise made[-1]
        return made[0]


class Machine:
    """The namespaces and their pair of interfaces, which can be taken away and made again."""

    def __init__(self):
        self.inside, self.outside = Space("inside"), Space("outside")
        self.make_pair()

    def make_pair(self):
        run("ip", "link", "add", DEVICE["inside"], "netns", self.inside.path, "type", "veth",
            "peer", "name", DEVICE["outside"], "netns", self.outside.path)
        for space in (self.inside, self.outside):
            device = DEVICE[space.side]
            space.ip("link", "set", device, "address", HARDWARE[space.side])
            space.ip("address", "add", ADDRESSES[space.side] + "/24", "dev", device)
            space.ip("link", "set", device, "up")

    def remove_pair(self):
        self.inside.ip("link", "delete", DEVICE["inside"])


def frame(source, serial):
    """A UDP packet from a source, with a number by which it is recognised."""
    ends = bytes.fromhex((HARDWARE["inside"] + HARDWARE["outside"]).replace(":", ""))
    udp = struct.pack("!HHHHI", 9, 9, 12, 0, serial)
    if ":" in source:
        addresses = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
        return ends + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + addresses + udp
    addresses = socket.inet_aton(source) + socket.inet_aton(ADDRESSES["inside"])
    return ends + b"\x08\x00" + struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + addresses + udp


def serial_of(received):
    """The number of a frame; 0 when it is not one of ours."""
    at = {b"\x08\x00": 42, b"\x86\xdd": 62}.get(received[12:14])
    return struct.unpack("!I", received[at:at + 4])[0] if at and len(received) == at + 4 else 0


class Probe:
    """Sends frames from outside and receives inside, after the filter."""

    def __init__(self, machine):
        self.sender = machine.outside.packet_socket(DEVICE["outside"])
        self.receiver = machine.inside.packet_socket(DEVICE["inside"])
        self.serial = 0

    def close(self):
        self.sender.close()
        self.receiver.close()

    def arrived(self, sources):
        """The sources whose frames passed the filter."""
        sent, arrived, deadline = {}, set(), time.monotonic() + 2
        for source in sources:
            self.serial += 1
            sent[self.serial] = source
            self.sender.send(frame(source, self.serial))
            time.sleep(0.001)
        last = sources[-1]
        # The last source is one that passes; two processors may deliver the frames before it a moment later.
        while (left := deadline - time.monotonic()) > 0:
            self.receiver.settimeout(left)
            try:
                arrived.add(sent.get(serial_of(self.receiver.recv(2048))))
            except TimeoutError:
                break
            if last in arrived:
                deadline = min(deadline, time.monotonic() + 0.05)
        return arrived - {None}


class Daemon:
    """The built program with a private folder."""

    def __init__(self, binary, folder, space):
        self.binary, self.home, self.space = binary, pathlib.Path(folder), space
        self.socket = str(self.home / "couic.sock")
        self.process, self.is_over = None, False

    def configure(self, extra=""):
        for name in ("", "state", "log"):
            path = self.home / name
            path.mkdir(exist_ok=True)
            path.chmod(0o755)
            if name:
                shutil.chown(path, "nobody", "nogroup")
        (self.home / "couic.toml").write_text(f"""
ifaces = ["{DEVICE[self.space.side]}"]
working_dir = "{self.home}/state"
user = "nobody"
group = "nogroup"

[server]
socket = "{self.socket}"

[logging]
dir = "{self.home}/log"
{extra}
""")

    def start(self):
        if self.is_over:
            raise SystemExit
        self.said = open(self.home / "said", "ab")
        self.process = subprocess.Popen(
            ["nsenter", f"--net={self.space.path}", self.binary, "-c", str(self.home / "couic.toml")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.said)
        deadline = time.monotonic() + 30
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(self.socket)
                    return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"the daemon does not start: {(self.home / 'said').read_text()}")
                time.sleep(0.05)

    @property
    def pid(self):
        return self.process.pid

    @property
    def token(self):
        return self.token_of("couicctl")

    def token_of(self, client):
        return (self.home / f"state/rbac/clients/{client}.toml").read_text().split('"')[1]

    def attacher(self):
        """The second process, which keeps the privilege to attach."""
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                if path.read_text().rpartition(")")[2].split()[1] == str(self.pid):
                    return int(path.parent.name)
            except OSError:
                pass
        return None

    def stop(self):
        """Sends SIGTERM and returns the exit status."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def remove(self):
        """Ends it for good: a fault in progress does not start it again."""
        self.is_over = True
        self.kill()

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Relay(threading.Thread):
    """Carries TCP connections of a namespace to a daemon's socket, as a reverse proxy would."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.target, self.space = daemon.socket, daemon.space

    def run(self):
        self.space.enter()
        listener = socket.create_server(("0.0.0.0", PEER_PORT))
        while True:
            outer, _ = listener.accept()
            try:
                inner = socket.socket(socket.AF_UNIX)
                inner.connect(self.target)
            except OSError:
                outer.close()
                continue
            # A link that goes down leaves connections that neither end closes.
            outer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 10_000)
            outer.settimeout(30)
            inner.settimeout(30)
            for a, b in ((outer, inner), (inner, outer)):
                threading.Thread(target=self.carry, args=(a, b), daemon=True).start()

    @staticmethod
    def carry(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        source.close()
