"""Packets a second that each contender drops and lets pass. Argument: the folder of what was built."""
import os
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import _couic as couic
from contenders import FROM, TO, Contender, Couic, IpSet, Nft, Nothing, XdpFilter

BUILT = sys.argv[1]
ROUNDS = couic.setting("ROUNDS", 5)
SECONDS = float(os.environ.get("SECONDS_EACH", "0.1"))
SIZES = [int(size) for size in os.environ.get("RULES", "0 10000 262144").split()]
ONLY = os.environ.get("ONLY", "").split(";")

KINDS = {
    "couic native": lambda name: Couic(name, "native"),
    "couic generic": lambda name: Couic(name, "generic"),
    "nft hash set": lambda name: Nft(name, ""),
    "nft interval set": lambda name: Nft(name, "flags interval;"),
    "nft interval, timeout": lambda name: Nft(name, "flags interval, timeout; timeout 1d;"),
    "ipset hash:ip": IpSet,
    "xdp-filter native": lambda name: XdpFilter(name, "native"),
    "xdp-filter generic": lambda name: XdpFilter(name, "generic"),
    "no filter": Contender,
    "XDP_DROP alone, native": lambda name: Nothing(name, "native", BUILT + "/drop.o"),
    "XDP_DROP alone, generic": lambda name: Nothing(name, "generic", BUILT + "/drop.o"),
}
OURS = ["couic native", "couic generic"]


def address(number):
    """The mix of draw.h."""
    x = number
    x = (x ^ x >> 16) * 0x7feb352d & 0xffffffff
    x = (x ^ x >> 15) * 0x846ca68b & 0xffffffff
    x ^= x >> 16
    return f"{x >> 24}.{x >> 16 & 255}.{x >> 8 & 255}.{x & 255}"


def measure(contender, drawn):
    """Packets a second, in millions, that arrive, and the share that is dropped; sources are drawn from so many rules or, at 0, from all."""
    dropped, received = contender.dropped(), contender.received()
    output = contender.run("taskset", "-c", "1", BUILT + "/generate", BUILT + "/generate.o", FROM, TO, contender.mac, str(drawn), str(SECONDS))
    packets, nanoseconds = (int(figure) for figure in output.split())
    return packets / nanoseconds * 1000, (contender.dropped() - dropped) / (contender.received() - received)


def run(rules):
    """Interleaved rounds of all contenders: millions of packets dropped and passed per second, and the lowest share of right verdicts."""
    addresses = [address(number) for number in range(1, rules + 1)]
    contenders, found = {}, {}
    try:
        for name, make in KINDS.items():
            if any(part in name for part in ONLY) and not (name.startswith("xdp-filter") and rules > XdpFilter.MOST):
                contenders[name] = make(name)
                contenders[name].load(addresses)
        for round in range(-1, ROUNDS):
            for name, contender in contenders.items():
                for what in (["dropped"] if rules and contender.drops else []) + (["passed"] if contender.passes else []):
                    rate, share = measure(contender, rules if what == "dropped" else 0)
                    share = share if what == "dropped" else 1 - share
                    if round >= 0:  # the one before warms up
                        found.setdefault((name, what), []).append((rate * share, share))
    finally:
        for contender in contenders.values():
            contender.close()
    return {key: (statistics.median(rate for rate, _ in samples), min(share for _, share in samples)) for key, samples in found.items()}


def cells(values):
    return "".join(f"{value:9.2f}" if value else f"{'-':>9}" for value in values)


def times(ours, name, rules):
    """How many times as much one of ours drops."""
    mine, other = (results.get((rules, who, "dropped")) for who in (ours, name))
    return mine / other if mine and other else None


def table():
    filled = [rules for rules in SIZES if rules]
    head = lambda columns: "".join(f"{rules:9,}" for rules in columns)
    blocks = [("dropped, all listed", filled), *((f"{ours} is", filled) for ours in OURS), ("passed, any source", SIZES)]
    print(f"{'':<26}" + "".join(f" | {title:>{max(20, 9 * len(columns))}}" for title, columns in blocks))
    print(f"{'rules':<26}" + "".join(f" | {head(columns):>20}" for _, columns in blocks))
    for name in KINDS:
        row = [cells(results.get((rules, name, "dropped")) for rules in filled), *(cells(times(ours, name, rules) for rules in filled) for ours in OURS),
               cells(results.get((rules, name, "passed")) for rules in SIZES)]
        if any(key[1] == name for key in results):
            print(f"{name:<26}" + "".join(f" | {text:>20}" for text in row))


results, notes = {}, []
with couic.interruptible():
    for rules in SIZES:
        for (name, what), (rate, share) in run(rules).items():
            results[rules, name, what] = rate
            if share < 0.999:
                notes.append(f"{name}, {rules:,} rules: only {share:.2%} were {what}")

print(f"Mpps, medians of {ROUNDS} rounds of {SECONDS} s interleaved; one sender, on one CPU; counts by each filter and the interface")
table()
print("\n".join(notes), end="\n" if notes else "")
couic.tell("packets", [(f"{name}, {what}", rules, rate, "Mpps") for (rules, name, what), rate in results.items()])
