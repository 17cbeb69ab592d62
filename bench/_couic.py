"""What the benchmarks of many rules share: a daemon in a network namespace of its own, rules, requests, and memory."""
import contextlib, ctypes, http.client, ipaddress, os, random, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BINARY = os.path.abspath(os.environ.get("COUIC_BINARY", os.path.join(ROOT, "out/couic")))
MB = 1024 * 1024
PER_SET = 200_000  # a set file holds at most 5 MiB


def setting(name, default):
    """A number from the environment."""
    return int(os.environ.get(name, default))


def tell(script, rows):
    """Appends (name, rules, value, unit) to the file that TSV names, for bench/scale."""
    if path := os.environ.get("TSV"):
        with open(path, "a") as file:
            for name, rules, value, unit in rows:
                file.write(f"{script}/{name}\t{rules}\t{value:.6g}\t{unit}\n")


def hosts(count, seed):
    """Distinct IPv4 addresses, scattered like those of real lists, in random order."""
    scattered, found = random.Random(seed), set()
    while len(found) < count:
        address = scattered.randrange(1 << 24, 224 << 24)
        if address >> 24 not in (10, 127):
            found.add(address)
    found = sorted(found)
    scattered.shuffle(found)
    return [str(ipaddress.IPv4Address(address)) for address in found]


def hosts6(count, seed):
    scattered = random.Random(seed)
    return [str(ipaddress.IPv6Address(0x20010DB8 << 96 | scattered.getrandbits(96))) for _ in range(count)]


class Unix(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


@contextlib.contextmanager
def interruptible():
    """A signal to end is an exception, so that everything is taken down again."""
    signals = signal.SIGTERM, signal.SIGINT, signal.SIGHUP

    def stop(number, frame):
        for again in signals:
            signal.signal(again, signal.SIG_IGN)  # a second one would cut that short
        raise SystemExit(128 + number)

    for number in signals:
        signal.signal(number, stop)
    yield


def end_with_parent():
    """A process that was forked ends with the thread that forked it, however that ends: prctl(2), PR_SET_PDEATHSIG."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


class Namespace:
    """A network namespace with nothing but its loopback interface, and a folder; both go when the block ends."""

    def __init__(self, label=""):
        self.label = label

    def __enter__(self):
        self.name = f"bench-{os.path.basename(sys.argv[0])}{self.label}-{os.getpid()}"
        self.folder = tempfile.mkdtemp(prefix="couic-bench-")
        os.chmod(self.folder, 0o755)
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        subprocess.run(self.inside("ip", "link", "set", "lo", "up"), check=True)
        return self

    def inside(self, *command):
        return ["nsenter", f"--net=/run/netns/{self.name}", *command]

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "delete", self.name])
        shutil.rmtree(self.folder)


class Daemon:
    """couic on an interface of a namespace, the loopback if no other is named, with tables large enough for a number of rules."""

    def __init__(self, space, rules, interface="lo", mode="generic", binary=BINARY):
        self.binary = os.path.abspath(binary)
        self.folder = space.folder
        self.library = f"{space.folder}/lib"
        self.sets = f"{self.library}/sets/drop"
        for folder in ("", "/sets", "/sets/drop", "/sets/ignore"):
            os.makedirs(self.library + folder, mode=0o755, exist_ok=True)
        self.space, self.process = space, None
        self.socket = f"{space.folder}/couic.sock"
        with open(f"{space.folder}/couic.toml", "w") as config:
            config.write(
                f'ifaces = ["{interface}"]\noperation_mode = "{mode}"\nworking_dir = "{self.library}"\nuser = "root"\ngroup = "root"\n'
                f'[server]\nsocket = "{self.socket}"\n[logging]\ndir = "-"\n[limits]\nmax_drop_entries = {max(rules, 262144)}\n')

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts it and waits for its first answer. Returns the seconds from exec to then."""
        begin = time.monotonic()
        with open(f"{self.folder}/couic.out", "w") as output:
            self.process = subprocess.Popen(
                self.space.inside(self.binary, "-c", f"{self.folder}/couic.toml"), stdout=output, stderr=subprocess.STDOUT)
        while True:
            try:
                self.connection = Unix(self.socket)
                self.connection.request("GET", "/")
                self.connection.getresponse().read()
                seconds = time.monotonic() - begin
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() - begin > 60:
                    with open(f"{self.folder}/couic.out") as output:
                        sys.exit(f"the daemon does not answer:\n{output.read()}")
                time.sleep(0.002)
        with open(f"{self.library}/rbac/clients/couicctl.toml") as client:
            self.token = client.readline().split('"')[1]
        return seconds

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def request(self, method, target, body=None, kind="application/json", expect=200):
        """One request. Returns the seconds until its whole answer was there, and the answer."""
        begin = time.monotonic()
        self.connection.request(method, target, body, {"Authorization": f"Bearer {self.token}", "Content-Type": kind})
        answer = self.connection.getresponse()
        text = answer.read()
        seconds = time.monotonic() - begin
        if answer.status != expect:
            sys.exit(f"{method} {target}: {answer.status}: {text[:300]!r}")
        return seconds, text

    def reload(self):
        """Brings the set files into force; the seconds that it took."""
        return self.request("POST", "/v1/sets/reload", expect=201)[0]

    def write_sets(self, networks, files):
        """Replaces all set files of drop by so many."""
        for name in os.listdir(self.sets):
            os.remove(f"{self.sets}/{name}")
        for number in range(files):
            descriptor = os.open(f"{self.sets}/set{number:03}.couic", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.writelines(f"{network}\n" for network in networks[number::files])

    def resident(self):
        """Bytes in memory of the daemon itself; the kernel's tables, which it has mapped, are counted as the kernel's."""
        total, counts = 0, False
        with open(f"/proc/{self.process.pid}/smaps") as maps:
            for line in maps:
                words = line.split()
                if not words[0].endswith(":"):
                    counts = len(words) < 6 or not words[5].startswith("anon_inode:bpf")
                elif words[0] == "Rss:" and counts:
                    total += int(words[1]) * 1024
        return total

    def status(self, field):
        """Bytes of a field of /proc/PID/status."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field + ":"))

    def reset_peak(self):
        """VmHWM starts again from what is resident now."""
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
            file.write("5")

    def tables(self):
        """Bytes of kernel memory of its maps, by the kernel's own account of each."""
        folder, seen = f"/proc/{self.process.pid}/fdinfo", {}
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError), open(f"{folder}/{name}") as info:
                fields = dict(line.split(":", 1) for line in info if ":" in line)
                if "map_id" in fields:
                    seen[fields["map_id"]] = int(fields["memlock"])
        return sum(seen.values())


def compile_c(source, folder):
    """Compiles one of the C programs beside this file; its path."""
    program = os.path.join(folder, os.path.splitext(source)[0])
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", program, os.path.join(ROOT, "bench", source)], check=True)
    return program


def middle(values):
    return statistics.median(values)


class Steady:
    """Other requests at a constant rate while a block runs; their times are there when it has ended."""

    def __init__(self, program, daemon, rate=1000, seconds=120):
        self.command = [program, daemon.socket, daemon.token, str(rate), str(seconds)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        line = self.process.communicate(timeout=90)[0]
        if self.process.returncode != 0:
            sys.exit("the other requests failed")
        self.count, self.p50, self.p99, self.longest, self.wrong = map(float, line.split())
        if self.wrong:
            sys.exit(f"{self.wrong:.0f} of the other requests had an unexpected status")
