"""Tools of scripts in a booted machine: a name server, a debugger that stops one thread, large sets, the kernel's tables, packets."""
import collections
import ctypes
import datetime
import ipaddress
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys


def names(address, file):
    """Answers queries for A records from FILE ("NAME ADDRESS" per line). While the file is missing it receives and stays silent."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))
    while True:
        query, client = server.recvfrom(512)
        try:
            known = dict(line.split() for line in pathlib.Path(file).read_text().splitlines())
        except FileNotFoundError:
            continue
        end, labels = 12, []
        while query[end]:
            labels.append(query[end + 1:end + 1 + query[end]].decode())
            end += 1 + query[end]
        question = query[12:end + 5]
        found = known.get(".".join(labels))
        answer = found if question[-3] == 1 else None  # type A; a known name has no other records
        reply = query[:2] + (b"\x81\x80" if found else b"\x81\x83") + struct.pack("!4H", 1, 1 if answer else 0, 0, 0) + question
        if answer:
            reply += b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 1, 4) + socket.inet_aton(answer)
        server.sendto(reply, client)


def hold(pid, thread):
    """Stops one thread of a process, as a debugger does, until the process ends."""
    seize, interrupt, wait_all = 0x4206, 0x4207, 0x40000000
    libc = ctypes.CDLL(None, use_errno=True)
    task = next(int(path.name) for path in pathlib.Path(f"/proc/{pid}/task").iterdir() if (path / "comm").read_text() == thread + "\n")
    for request in (seize, interrupt):
        if libc.ptrace(request, task, None, None) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace thread {task}")
    print(f"thread {thread} of {pid} is stopped", flush=True)
    while os.WIFSTOPPED(os.waitpid(task, wait_all)[1]):
        pass


def full(folder):
    """Writes sets that fill all four tables but for a few entries."""
    for policy, count in (("drop", 262_000), ("ignore", 65_400)):
        first = 20 if policy == "drop" else 40
        networks = [f"{first + i // 65536}.{i // 256 % 256}.{i % 256}.0/24" for i in range(count)]
        networks += [f"2a{first}:{i // 65536:x}:{i % 65536:x}::/48" for i in range(count)]
        file = pathlib.Path(folder, policy, "full.couic")
        file.write_text("\n".join(networks) + "\n")
        file.chmod(0o600)
        shutil.chown(file, "couic", "couic")


def holds(pid, policy, *cidrs):
    """Fails unless the kernel's table of the policy holds each network, read through the map descriptors of the process."""
    tables = {}
    for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            number = [line.split()[1] for line in info.read_text().splitlines() if line.startswith("map_id:")]
        except FileNotFoundError:
            continue  # closed in the meantime
        if number:
            tables[bpftool("map", "show", "id", number[0])["name"]] = number[0]
    for cidr in cidrs:
        network = ipaddress.ip_network(cidr)
        key = struct.pack("=I", network.prefixlen) + network.network_address.packed
        found = bpftool("map", "lookup", "id", tables[f"couic_ipv{network.version}_{policy[:4]}"], "key", "hex", *[f"{b:02x}" for b in key])
        if not found or found.get("key") != [f"0x{b:02x}" for b in key]:
            sys.exit(f"{cidr} is not in the kernel's table of {policy}: {found}")


def cross(result, listed, *others):
    """
    Sends packets of every source from the namespace "out" as fast as their arrival can be seen, until SIGTERM. Sources are the last part of
    the addresses on link 0. Writes to RESULT how many were sent, how many of LISTED arrived, how many of the others did not, and when the
    first of LISTED arrived.
    """
    port, window = 7777, 32
    receivers, senders = {}, []
    libc = ctypes.CDLL(None, use_errno=True)
    for family, address in ((socket.AF_INET, "10.77.0.{}"), (socket.AF_INET6, "fd77::{}")):
        receivers[family] = socket.socket(family, socket.SOCK_DGRAM)
        receivers[family].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        receivers[family].bind((address.format(1), port))
        receivers[family].settimeout(2)
    with open("/run/netns/out") as namespace:
        if libc.setns(namespace.fileno(), 0) != 0:
            raise OSError(ctypes.get_errno(), "enter the namespace")
    for source in (listed, *others):
        for family, address in ((socket.AF_INET, "10.77.0.{}"), (socket.AF_INET6, "fd77::{}")):
            sender = socket.socket(family, socket.SOCK_DGRAM)
            sender.bind((address.format(source), 0))
            sender.connect((address.format(1), port))
            senders.append((family, sender, source == listed))
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    sent = admitted = lost = number = 0
    times = collections.deque(maxlen=10000)
    while not stop:
        number += 1
        expected = {family: 0 for family in receivers}
        for i in range(window):
            for family, sender, is_listed in senders:
                sender.send(struct.pack("!QIB", number, i, is_listed))
                expected[family] += 0 if is_listed else 1
                sent += 1
        for family, receiver in receivers.items():
            while expected[family] > 0:
                try:
                    packet = receiver.recv(64)
                except TimeoutError:
                    lost += expected[family]
                    break
                batch, _, is_listed = struct.unpack("!QIB", packet)
                if is_listed:
                    admitted += 1
                    times.append(datetime.datetime.now().isoformat(timespec="milliseconds"))
                expected[family] -= batch == number and not is_listed
        pathlib.Path(result).write_text(f"{sent} {admitted} {lost} {sorted(set(times))[:8]}\n") if number % 64 == 0 or stop else None


def bpftool(*arguments):
    done = subprocess.run(["bpftool", "-j", *arguments], capture_output=True, text=True)
    return json.loads(done.stdout or "null")


{"names": names, "hold": hold, "full": full, "holds": holds, "cross": cross}[sys.argv[1]](*sys.argv[2:])
