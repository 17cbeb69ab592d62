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

/* The kernel's tries are this many times larger than the limits, which the store enforces: a set swap adds before it
 * removes, and below Linux 6.1 a full trie answers ENOSPC also to the replacement of a key that is in it. A trie takes
 * memory only for what is in it. */
#define COUIC_HEADROOM 2

/* Tags with a counter of their own, per policy. Two more counters stand beside them: untagged, and all further tags. */
#define COUIC_MAX_TAGS 4096

/* The first indexes of couic_counters; from COUIC_COUNTER_TAGS on lie those of drop, then those of ignore. Each packet
 * updates one of them, so what was dropped is the sum of drop's and of too many tags, and what passed is that of all others. */
#define COUIC_COUNTER_UNLISTED 0      /* passed: no entry covers it */
#define COUIC_COUNTER_NOT_IP 1	      /* passed: neither IPv4 nor IPv6 */
#define COUIC_COUNTER_MALFORMED 2     /* passed to the kernel, which discards it: too short for what it announces */
#define COUIC_COUNTER_TOO_MANY_TAGS 3 /* dropped: more VLAN tags than the program looks behind */
#define COUIC_COUNTER_TAGS 8

/* An element of couic_counters, one per CPU. Bytes are those of the frame. */
struct couic_counter {
	__u64 packets;
	__u64 bytes;
};

/* What an entry decided: the number of packets (modulo 2^COUIC_HIT_SHIFT) and, above it, when the last one came:
 * CLOCK_MONOTONIC in units of 2^COUIC_TICK_SHIFT ns (2.1 s, and 1.1 years until it starts again). It is added to without
 * an atomic operation, which would cost more than all the rest: where several CPUs count for the same entry in the same
 * moment, some of its packets are missing here. In couic_counters none is. */
#define COUIC_HIT_SHIFT 40
#define COUIC_TICK_SHIFT 31

/* A rule is an index into couic_counters; or, from the number of those on, into couic_records, for entries that found no
 * place in the tables in front of the tries and have their hit there. It is never 0. A trie holds it below the length of
 * its prefix. */
#define COUIC_RULE 0x00ffffff
#define COUIC_RULE_LENGTH_SHIFT 24

struct couic_record {
	__u64 hit;
	__u32 counter; /* index into couic_counters; a change of tag is one store here */
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

/* An element of couic_lines: one cache line. All tables in front of the tries are made of these, so that user space
 * changes them by stores into one mapping. `struct couic_tables4` and `6` say at which line each table begins. */
struct couic_line {
	union {
		__u64 words[8];
		__u32 halves[16];
	};
};

/* A set of prefix lengths: bit n stands for prefixes that leave n bits of the address open, so the lowest bit that is set
 * is the size of the smallest block. IPv4 has one word for each /16, IPv6 two for each hashed /32: of lengths from 128 down
 * to 65, then of those from 64 on. What is not in the set is in no bucket. */

/* Rules of IPv4 by exact prefix, a bucket of one line: four pairs of a word and a hit. The word is the prefix, a one and
 * zeros to 33 bits, and the rule above them; 0 for free. The two highest bits of the first word are the bucket's. */
#define COUIC_SLOTS 4
#define COUIC_KEY4 0x1ffffffffull
#define COUIC_RULE4_SHIFT 33
#define COUIC_ELSEWHERE4_SHIFT 62 /* a prefix whose first choice this was is in another bucket */
#define COUIC_IN_TRIE4_SHIFT 63	  /* one is in the trie alone */

/* Rules of IPv6 by exact prefix, a bucket of two lines: four addresses (high and low half each); in the second line their
 * rules below a kind, 0 for free, a word about the bucket, and their hits. An address is a host's; or that of a prefix
 * longer than /64, then a one and zeros; or the high half of a shorter one and the size of its block. The word is a
 * sequence number, odd while the bucket is being changed, below two bits as those of IPv4. */
#define COUIC_BUCKET6_LINES 2
#define COUIC_BUCKET6_STATE 4 /* among `halves` of the second line */
#define COUIC_BUCKET6_HITS 4  /* the first among `words` of the second line */
#define COUIC_KIND_SHIFT 30
#define COUIC_KIND_HOST 1
#define COUIC_KIND_LONG 2
#define COUIC_KIND_SHORT 3
#define COUIC_ELSEWHERE6 0x40000000
#define COUIC_IN_TRIE6 0x80000000

/* Buckets that a rule may lie in. */
#define COUIC_PROBES 3

/* Lengths that are looked for one by one; an address that may have more is asked of the trie. */
#define COUIC_MAX_LENGTHS 8

/* Bits of an index into the bit tables. */
#define COUIC_BITS4_WIDE 16   /* IPv4 /16; exact */
#define COUIC_BITS4_NARROW 22 /* IPv4 /22; exact */
#define COUIC_BITS6_WIDE 16   /* IPv6 /32; hashed */
#define COUIC_BITS6_NARROW 22 /* IPv6 /48, and /32 for prefixes of /29 to /47; hashed, two bits of a line each */
#define COUIC_BITS6_SHORT 20  /* IPv6 /20, for prefixes up to /28; exact */

/* The first of couic_lines says what there is at all, so that most questions end in the first-level cache: the lengths of
 * all rules, a set for each policy of IPv4, then two for each of IPv6. Here, where no bucket is meant, IPv6 lengths up to /28
 * are in the second set too; ::/0 shares the bit of ::/1. */
#define COUIC_SUMMARY4 0			    /* the first among `words`, then one for each policy */
#define COUIC_SUMMARY6 2			    /* the first, then two for each policy */
#define COUIC_SUMMARY6_BRIEF 0xfffffff000000000ull  /* /0 to /28 */
#define COUIC_SUMMARY6_SPARSE 0x0000000ffffe0000ull /* /29 to /47 */

struct couic_tables4 {
	__u32 wide;
	__u32 narrow;
	__u32 lengths;
	__u32 rules;
	__u32 buckets;
};

struct couic_tables6 {
	__u32 wide;
	__u32 narrow;
	__u32 brief; /* for short prefixes */
	__u32 lengths;
	__u32 rules;
	__u32 buckets;
};

#endif
