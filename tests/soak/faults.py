"""Injects faults around the daemon, one after the other, and removes each again."""
import contextlib
import json
import os
import random
import signal
import struct
import threading
import time

import machine

TRIES = ("couic_ipv4_drop", "couic_ipv6_drop", "couic_ipv4_igno", "couic_ipv6_igno")


def tries(pid):
    """The kernel's tries by their names, as numbers for bpftool."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{name}") as file:
                number = [line.split()[1] for line in file if line.startswith("map_id:")]
        except OSError:
            continue
        if number:
            title = json.loads(machine.run("bpftool", "-j", "map", "show", "id", number[0]))["name"]
            if title in TRIES:
                found[title] = number[0]
    return found


class Faults(threading.Thread):
    def __init__(self, world, period):
        super().__init__(daemon=True, name="Faults")
        self.world, self.period, self.random = world, period, random.Random(world.seed)
        self.done = []
        self.changed_keys = 0

    def run(self):
        faults = [self.reload, self.link_down, self.keys_behind_its_back, self.disk_full, self.interface_gone, self.log_file_gone,
                  self.reload, self.renamed, self.peer_restarts]
        while True:
            for fault in faults:
                if self.world.stopping.wait(self.period):
                    return
                self.world.is_whole = False
                self.done.append((time.monotonic(), fault.__name__))
                try:
                    fault()
                finally:
                    time.sleep(1)
                    self.world.is_whole = True

    def reload(self):
        self.world.daemon.process.send_signal(signal.SIGHUP)

    def link_down(self):
        inside = self.world.machine.inside
        inside.ip("link", "set", machine.DEVICE["inside"], "down")
        time.sleep(5)
        inside.ip("link", "set", machine.DEVICE["inside"], "up")

    def interface_gone(self):
        self.world.machine.remove_pair()
        time.sleep(5)
        self.world.machine.make_pair()

    def renamed(self):
        inside, device = self.world.machine.inside, machine.DEVICE["inside"]
        for old, new in ((device, "renamed"), ("renamed", device)):
            inside.ip("link", "set", old, "down")
            inside.ip("link", "set", old, "name", new)
            inside.ip("link", "set", new, "up")
            time.sleep(2)

    def disk_full(self):
        hog = self.world.daemon.home / "hog"
        with contextlib.suppress(OSError), open(hog, "wb") as file:
            while True:
                file.write(bytes(65536))
                file.flush()
        time.sleep(10)
        hog.unlink()

    def log_file_gone(self):
        for file in (self.world.daemon.home / "log").glob("*.log"):
            file.unlink()

    def keys_behind_its_back(self):
        """Some keys go and some come. Within a minute they are as they were."""
        numbers = tries(self.world.daemon.pid)
        dump = json.loads(machine.run("bpftool", "-j", "map", "dump", "id", numbers["couic_ipv4_drop"]))
        keys = [key for key in dump if key["key"][4:6] != ["0x0a", "0x08"]]  # not those of machine.LISTED
        self.changed_keys += min(5, len(keys)) + 5
        for key in self.random.sample(keys, min(5, len(keys))):
            machine.run("bpftool", "map", "delete", "id", numbers["couic_ipv4_drop"], "key", "hex", *[b[2:] for b in key["key"]], check=False)
        for _ in range(5):
            stray = struct.pack("=I4B", 32, 10, 9, self.random.randrange(256), self.random.randrange(256))
            machine.run("bpftool", "map", "update", "id", numbers["couic_ipv4_drop"], "key", "hex", *[f"{b:02x}" for b in stray],
                        "value", "hex", "00", "00", "00", "00")

    def peer_restarts(self):
        self.world.peer.kill()
        time.sleep(3)
        self.world.peer.start()
