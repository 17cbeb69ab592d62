/* SPDX-License-Identifier: MIT
 *
 * What the XDP program and the daemon agree on: limits, map names, and the layout of what lies in the maps.
 * Bpf/Layout.cs is the same in C#; a test compiles this header and compares every name.
 *
 * Byte order: addresses are in network order, everything else is in the machine's.
 * Map names: the kernel keeps 15 characters (BPF_OBJ_NAME_LEN), so `couic_ipv4_ignore` shows as `couic_ipv4_igno`.
 */
#ifndef COUIC_H
#define COUIC_H

#include <linux/types.h>

/* Entries per address family. */
#define COUIC_MAX_DROP_ENTRIES 262144
#define COUIC_MAX_IGNORE_ENTRIES 65536

/* The kernel's tables are this many times larger than the limits, which the store enforces: a set swap adds before it
 * removes, and below Linux 6.1 a full trie answers ENOSPC also to the replacement of a key that is in it. A trie takes
 * memory only for what is in it. */
#define COUIC_HEADROOM 2

/* Tags with a counter of their own, per policy. Two more counters stand beside them: untagged, and all further tags. */
#define COUIC_MAX_TAGS 4096

/* The first indexes of couic_counters; from COUIC_COUNTER_TAGS on lie those of drop, then those of ignore. Each packet
 * updates one of them, so what was dropped is the sum of drop's, and what passed is the sum of all others. */
#define COUIC_COUNTER_UNLISTED 0  /* passed: no entry covers it */
#define COUIC_COUNTER_NOT_IP 1	  /* passed: neither IPv4 nor IPv6 */
#define COUIC_COUNTER_MALFORMED 2 /* passed to the kernel, which discards it: too short for what it announces */
#define COUIC_COUNTER_TAGS 8

/* An element of couic_counters, one per CPU. Bytes are those of the frame. */
struct couic_counter {
	__u64 packets;
	__u64 bytes;
};

/* What a trie holds for an entry. */
struct couic_rule {
	__u32 counter; /* index into couic_counters */
	__u32 slot;    /* index into couic_hits */
};

/* An element of couic_hits: the packets that an entry decided, over all CPUs. */
struct couic_hit {
	__u64 packets;
	__u64 last; /* CLOCK_MONOTONIC in nanoseconds, at the kernel's tick; 0 for never */
};

struct couic_key4 {
	__u32 length; /* of the prefix, in bits */
	__u8 address[4];
};

struct couic_key6 {
	__u32 length;
	__u8 address[16];
};

#endif
