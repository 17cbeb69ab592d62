/* SPDX-License-Identifier: MIT
 *
 * The interface between the XDP program and the daemon: limits, map names, and the layout of the maps.
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

/* The kernel's tries are this many times larger than the limits, which the store enforces: a replacement of sets adds before
 * it removes, and below Linux 6.1 a full trie answers ENOSPC even when an existing key is replaced. A trie takes memory only
 * for the keys that it holds. */
#define COUIC_HEADROOM 2

/* Tags that have a counter, per policy. Two further counters: untagged, and all tags beyond this number. */
#define COUIC_MAX_TAGS 4096

/* The first indexes of couic_counters; the counters of drop start at COUIC_COUNTER_TAGS, those of ignore follow. Each packet
 * updates exactly one. Dropped packets are the sum of drop's counters and of too many tags; all others passed. */
#define COUIC_COUNTER_UNLISTED 0      /* passed: no entry covers it */
#define COUIC_COUNTER_NOT_IP 1	      /* passed: neither IPv4 nor IPv6 */
#define COUIC_COUNTER_MALFORMED 2     /* passed to the kernel, which discards it: shorter than its headers say */
#define COUIC_COUNTER_TOO_MANY_TAGS 3 /* dropped: more VLAN tags than the program parses */
#define COUIC_COUNTER_TAGS 8

/* An element of couic_counters, one per CPU. Bytes are those of the frame. */
struct couic_counter {
	__u64 packets;
	__u64 bytes;
};

/* Hits of an entry: the number of packets (modulo 2^COUIC_HIT_SHIFT) and, above it, the time of the last one: CLOCK_MONOTONIC
 * in units of 2^COUIC_TICK_SHIFT ns (2.1 s; it wraps after 1.1 years). The update is not atomic, because an atomic one would
 * cost more than the rest of the lookup: when several CPUs count one entry at once, some packets are lost here, but none in
 * couic_counters. */
#define COUIC_HIT_SHIFT 40
#define COUIC_TICK_SHIFT 31

/* A rule is an index into couic_counters or, from the number of counters on, into couic_records, which hold the hits of
 * entries without a slot in a bucket. It is never 0. A trie holds it below the length of its prefix. */
#define COUIC_RULE 0x00ffffff
#define COUIC_RULE_LENGTH_SHIFT 24

struct couic_overflow_stats {
	__u64 hit;
	__u32 counter; /* index into couic_counters; a new tag is one store here */
	__u32 unused;
};

struct couic_key4 {
	__u32 length; /* of the prefix, in bits */
	__u8 address[4];
};

struct couic_key6 {
	__u32 length;
	__u8 address[16];
};

/* An element of couic_lines: one cache line. All tables before the tries consist of these, so that user space changes them by
 * stores into one mapping. `struct couic_tables4` and `6` say at which line each table begins. */
struct couic_cache_line {
	union {
		__u64 words[8];
		__u32 halves[16];
	};
};

/* A set of prefix lengths: bit n stands for prefixes with n host bits, so the lowest set bit is the size of the smallest
 * block. IPv4 has one word per /16, IPv6 two per hashed /32: lengths 128 to 65, then 64 and below. A length that is not in
 * the set is in no bucket. */

/* IPv4 rules by exact prefix. A bucket is one line: four slots of a word and a hit. The word is the prefix, a one and zeros to
 * 33 bits, and the rule above them; 0 for a free slot. The two highest bits of the first word belong to the bucket. */
#define COUIC_SLOTS 4
#define COUIC_KEY4 0x1ffffffffull
#define COUIC_RULE4_SHIFT 33
#define COUIC_DISPLACED4_SHIFT 62 /* a prefix with this first choice is in another bucket */
#define COUIC_OVERFLOW4_SHIFT 63  /* a prefix with this first choice is only in the trie */

/* IPv6 rules by exact prefix. A bucket is two lines: four addresses (high and low half each), then their rules below a kind
 * (0 for a free slot), the state of the bucket, and their hits. An address is that of a host; or of a prefix longer than /64,
 * followed by a one and zeros; or the high half of a shorter prefix and the size of its block. The state is a sequence
 * number, odd while the bucket is being changed, below two bits as in IPv4. */
#define COUIC_BUCKET6_LINES 2
#define COUIC_BUCKET6_STATE 4 /* among `halves` of the second line */
#define COUIC_BUCKET6_HITS 4  /* the first among `words` of the second line */
#define COUIC_KIND_SHIFT 30
#define COUIC_KIND_HOST 1
#define COUIC_KIND_LONG 2
#define COUIC_KIND_SHORT 3
#define COUIC_DISPLACED6 0x40000000
#define COUIC_OVERFLOW6 0x80000000

/* Buckets in which a rule may be. */
#define COUIC_PROBES 3

/* Lengths that are probed one by one; an address with more candidates falls back to the trie. */
#define COUIC_MAX_LENGTHS 8

/* Bits of an index into the filters. */
#define COUIC_BITS4_COARSE 16	    /* IPv4 /16; exact */
#define COUIC_BITS4_FINE 22	    /* IPv4 /22; exact */
#define COUIC_BITS6_COARSE 16	    /* IPv6 /32; hashed */
#define COUIC_BITS6_FINE 22	    /* IPv6 /48, and /32 for prefixes of /29 to /47; hashed, two bits of a line each */
#define COUIC_BITS6_SHORT_PREFIX 20 /* IPv6 /20, for prefixes up to /28; exact */

/* The first of couic_lines is the length summary, so that most lookups end in the first-level cache: the lengths of all rules,
 * one set per policy of IPv4, then two per policy of IPv6. Unlike in the length sets, IPv6 lengths up to /28 are in the second
 * set too; ::/0 shares the bit of ::/1. */
#define COUIC_LENGTH_SUMMARY4 0					 /* the first among `words`, then one for each policy */
#define COUIC_LENGTH_SUMMARY6 2					 /* the first, then two for each policy */
#define COUIC_LENGTH_SUMMARY6_SHORT_PREFIX 0xfffffff000000000ull /* /0 to /28 */
#define COUIC_LENGTH_SUMMARY6_SPARSE 0x0000000ffffe0000ull	 /* /29 to /47 */

struct couic_tables4 {
	__u32 coarse_filter;
	__u32 fine_filter;
	__u32 lengths;
	__u32 rules;
	__u32 buckets;
};

struct couic_tables6 {
	__u32 coarse_filter;
	__u32 fine_filter;
	__u32 short_prefix_filter; /* for short prefixes */
	__u32 lengths;
	__u32 rules;
	__u32 buckets;
};

#endif
