"""Observes the daemon from outside and sends it requests all the time."""
import os
import statistics
import threading
import time

from _couic import end_with_parent
from client import Client

PROBED = "/v1/drop/198.51.100.7/32"


class Prober:
    """A separate process, which the load does not delay: 25 requests per second, each timed."""

    def __init__(self, daemon, file):
        self.file, self.read = file, 0
        open(file, "w").close()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                end_with_parent()
                self.ask(Client(daemon), open(file, "a", buffering=1))
            finally:
                os._exit(0)

    @staticmethod
    def ask(client, out):
        while True:
            start = time.monotonic()
            status, _ = client.request("GET", PROBED)
            out.write(f"{(time.monotonic() - start) * 1000:.3f} {status}\n")
            time.sleep(0.04)

    def collect(self):
        """The times in ms since the last call, and how many answers were not 200."""
        with open(self.file) as file:
            file.seek(self.read)
            text = file.read()
        whole = text[:text.rfind("\n") + 1]
        self.read += len(whole)
        rows = [line.split() for line in whole.splitlines()]
        return [float(row[0]) for row in rows], sum(row[1] != "200" for row in rows)

    def stop(self):
        os.kill(self.pid, 15)
        os.waitpid(self.pid, 0)


def look(pid):
    """Resident MB, descriptors and threads of a process."""
    with open(f"/proc/{pid}/status") as file:
        status = dict(line.split(":", 1) for line in file)
    return int(status["VmRSS"].split()[0]) / 1024, len(os.listdir(f"/proc/{pid}/fd")), int(status["Threads"])


def own(pid):
    """Resident MB without the kernel's tables and the program."""
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("RssAnon"))


class Sampler(threading.Thread):
    """A row every few seconds: time, MB, descriptors, threads, p50, p99 and slowest answer in ms, answers that were not 200, anonymous MB."""

    columns = "second,mb,descriptors,threads,p50_ms,p99_ms,slowest_ms,wrong,own_mb"

    def __init__(self, world, prober, file, period=5):
        super().__init__(daemon=True, name="Sampler")
        self.file = open(file, "w", buffering=1)
        print(self.columns, file=self.file)
        self.world, self.prober, self.period, self.rows = world, prober, period, []
        self.start_time = time.monotonic()

    def run(self):
        while not self.world.stopping.wait(self.period):
            times, wrong = self.prober.collect()
            times = sorted(times) or [float("nan")]
            self.rows.append((time.monotonic() - self.start_time, *look(self.world.daemon.pid),
                              statistics.median(times), times[int(0.99 * (len(times) - 1))], times[-1], wrong, own(self.world.daemon.pid)))
            print(",".join(f"{value:.3f}" for value in self.rows[-1]), file=self.file)


def slope(points):
    """Theil-Sen: the median of the slopes between all pairs, which single peaks do not move."""
    points = points[::max(1, len(points) // 400)]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(points) for b in points[i + 1:]]
    return statistics.median(slopes)
