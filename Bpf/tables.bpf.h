/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Which rule covers an address: the tables in front of a trie, in the order in which an address meets them, and the
 * trie.
 *
 * find4() and search6() return the rule of the longest prefix that covers an address, 0 for none, and count its hit if that
 * lies beside the prefix. Bits say whether a rule is near the address at all, a set says which lengths to look for, and
 * each length is one exact match, the longest first. Tables only ever shorten the way: a trie holds all rules of its policy
 * and family, and whatever a table cannot say is asked there. User space changes the tables while packets look into them.
 * Every word is stored and loaded whole; a rule is published in the trie, then in its bucket, then in the set and the bits
 * that lead there, and retracted in reverse.
 */
#ifndef COUIC_TABLES_BPF_H
#define COUIC_TABLES_BPF_H

enum couic_policy { COUIC_DROP, COUIC_IGNORE, COUIC_POLICIES };

const volatile struct couic_tables4 tables4[COUIC_POLICIES];
const volatile struct couic_tables6 tables6[COUIC_POLICIES];

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct couic_line);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
} couic_lines SEC(".maps");

#define LOAD(place) (*(volatile typeof(place) *)&(place))

static __always_inline struct couic_line *line_at(__u32 index)
{
	return bpf_map_lookup_elem(&couic_lines, &index);
}

static __always_inline int bit(__u32 table, __u32 index)
{
	struct couic_line *line = line_at(table + (index >> 9));

	return line && (LOAD(line->words[(index >> 6) & 7]) >> (index & 63)) & 1;
}

/* The bucket of a key's n-th choice: a fraction of the hash, so that any number of buckets will do. */
static __always_inline __u32 bucket(__u64 key, int choice, __u32 buckets)
{
	key *= choice == 0 ? 0x9e3779b97f4a7c15 : choice == 1 ? 0xc2b2ae3d27d4eb4f : 0xff51afd7ed558ccd;
	return ((key >> 32) * buckets) >> 32;
}

static __always_inline __u32 trie4(void *trie, __u32 address)
{
	struct couic_key4 key = { .length = 32 };
	__be32 network = bpf_htonl(address);

	__builtin_memcpy(key.address, &network, sizeof(network));

	__u32 *value = bpf_map_lookup_elem(trie, &key);

	return value ? *value : 0;
}

static __always_inline __u32 trie6(void *trie, __u64 high, __u64 low)
{
	struct couic_key6 key = { .length = 128 };
	__be64 network[2] = { bpf_cpu_to_be64(high), bpf_cpu_to_be64(low) };

	__builtin_memcpy(key.address, network, sizeof(network));

	__u32 *value = bpf_map_lookup_elem(trie, &key);

	return value ? *value : 0;
}

/* What exact4() and exact6() return for a prefix that they have not: whether the trie may have it. */
#define IN_TRIE (1ull << COUIC_RULE_LENGTH_SHIFT)

static __always_inline void count_hit(__u64 *hit)
{
	if (count_hits) {
		__u64 now = (coarse_clock ? bpf_ktime_get_coarse_ns() : bpf_ktime_get_ns()) >> COUIC_TICK_SHIFT;

		*hit = ((*hit + 1) & ((1ull << COUIC_HIT_SHIFT) - 1)) | now << COUIC_HIT_SHIFT;
	}
}

/* Which of four equals, without branches: which it is cannot be foreseen, and to guess wrongly costs more than all of it. */
#define SLOT_OF(equal) (((equal) >> 1) - ((equal) >> 3))

GLOBAL exact4(__u64 key, __u32 rules, __u32 buckets)
{
	__u64 state = 0;

#pragma unroll
	for (int choice = 0; choice < COUIC_PROBES; choice++) {
		__u32 at = rules + bucket(key, choice, buckets);
		struct couic_line *line = line_at(at);
		__u64 equal = 0;

		if (!line)
			return 0;
#pragma unroll
		for (int i = 0; i < COUIC_SLOTS; i++)
			equal |= ((((LOAD(line->words[2 * i]) ^ key) & COUIC_KEY4) - 1) >> 63) << i;
		if (equal) {
			__u64 slot = SLOT_OF(equal);

			/* The compiler knows that it is below four and drops the mask; verifiers up to Linux 6.1 do not know. */
			asm volatile("" : "+r"(slot));
			slot &= COUIC_SLOTS - 1;

			__u64 word = LOAD(line->words[2 * slot]);

			/* It may have been removed since: then it is as if the packet had come a moment later. */
			if ((word & COUIC_KEY4) != key)
				return 0;
			count_hit(&line->words[2 * slot + 1]);
			return (word >> COUIC_RULE4_SHIFT) & COUIC_RULE;
		}
		if (choice == 0)
			state = LOAD(line->words[0]);
		if (!(state >> COUIC_ELSEWHERE4_SHIFT & 1))
			break;
	}
	return state >> COUIC_IN_TRIE4_SHIFT ? IN_TRIE : 0;
}

/* The size of the smallest block in a set of lengths. A branch for hosts and not one formula for all: so where hosts are
 * expected, the processor reads their bucket while the set is still on its way. */
static __always_inline __u64 smallest(__u64 lengths)
{
	__u64 size = 1;

	asm volatile("" : "+r"(size));
	return lengths & 1 ? size : lengths & -lengths;
}

/* The same after the first, which is never a host: without a branch, which the verifier would follow for each length. */
#define NEXT(lengths) ((lengths) & -(lengths))

/* Where all rules have one length, nothing needs to be read to know it. */
#define IS_SINGLE(lengths) (!((lengths) & ((lengths)-1)))

/* search4() and search6() for each policy, defined where the tries are. */
__u64 search4_drop(__u32 address, __u64 lengths);
__u64 search4_ignore(__u32 address, __u64 lengths);
__u64 search6_drop(__u64 high, __u64 low, __u64 longer, __u64 shorter, int brief);
__u64 search6_ignore(__u64 high, __u64 low, __u64 longer, __u64 shorter, int brief);

static __always_inline __u32 find4(enum couic_policy policy, __u32 address)
{
	const volatile struct couic_tables4 *tables = &tables4[policy];
	struct couic_line *line = line_at(0);
	__u64 lengths = line ? LOAD(line->words[COUIC_SUMMARY4 + policy]) : 0;

	if (!lengths)
		return 0;
	if (!bit(tables->wide, address >> (32 - COUIC_BITS4_WIDE)) || !bit(tables->narrow, address >> (32 - COUIC_BITS4_NARROW)))
		return 0;

	/* Only hosts, as in most lists: their bucket answers, with one call less, unless it has overflowed into the trie. */
	if (lengths == 1) {
		__u64 found = exact4((__u64)address << 1 | 1, tables->rules, tables->buckets);

		if (found != IN_TRIE)
			return found & COUIC_RULE;
	}
	return policy == COUIC_DROP ? search4_drop(address, lengths) : search4_ignore(address, lengths);
}

/* What follows the bit tables: the lengths, longest first, and then the trie, for which there is one place after the loop. */
static __always_inline __u64 search4(enum couic_policy policy, void *trie, __u32 address, __u64 lengths)
{
	const volatile struct couic_tables4 *tables = &tables4[policy];
	struct couic_line *line;

	if (!IS_SINGLE(lengths)) {
		line = line_at(tables->lengths + (address >> 19));
		lengths = line ? LOAD(line->words[(address >> 16) & 7]) : 0;
	}

#pragma clang loop unroll(disable)
	for (int i = 0; i <= COUIC_MAX_LENGTHS; i++) {
		if (!lengths)
			return 0;

		__u64 size = i ? NEXT(lengths) : smallest(lengths);
		__u64 found = exact4(((__u64)address << 1 & -(size << 1)) | size, tables->rules, tables->buckets);

		if (found & COUIC_RULE)
			return found & COUIC_RULE;
		lengths ^= size;
		if (found == IN_TRIE)
			break;
	}

	__u32 value = trie4(trie, address);
	__u32 known = value & COUIC_RULE;

	/* The longest of all; it is not counted in the trie if it has a place of its own. */
	if (!known || known >= counters_end)
		return known;

	__u64 size = 1ull << ((32 - (value >> COUIC_RULE_LENGTH_SHIFT)) & 63);
	__u64 found = exact4(((__u64)address << 1 & -(size << 1)) | size, tables->rules, tables->buckets);

	return found & COUIC_RULE ? found & COUIC_RULE : known;
}

static __always_inline __u32 hash6(__u64 bits)
{
	bits *= 0x9e3779b97f4a7c15;
	return bits >> 32;
}

/* Two bits, as in a Bloom filter, of one line: one in some seventy sources that are not listed gets past them when the table
 * is full. */
static __always_inline int narrow6(__u32 table, __u32 hash)
{
	struct couic_line *line = line_at(table + (hash >> (32 - COUIC_BITS6_NARROW + 9)));
	__u32 other = hash * 0x85ebca6b;

	if (!line)
		return 0;
	return LOAD(line->words[(hash >> (32 - COUIC_BITS6_NARROW + 6)) & 7]) >> ((hash >> (32 - COUIC_BITS6_NARROW)) & 63) &
	       LOAD(line->words[other >> 29]) >> ((other >> 23) & 63) & 1;
}

static __always_inline int maybe6(const volatile struct couic_tables6 *tables, __u64 high, __u64 shorter, int *brief)
{
	__u32 wide = hash6(high >> 32);

	*brief = (shorter & COUIC_SUMMARY6_BRIEF) && bit(tables->brief, high >> (64 - COUIC_BITS6_SHORT));
	if (*brief)
		return 1;
	if (!bit(tables->wide, wide >> (32 - COUIC_BITS6_WIDE)))
		return 0;
	return narrow6(tables->narrow, hash6(high >> 16)) ||
	       ((shorter & COUIC_SUMMARY6_SPARSE) && narrow6(tables->narrow, ~wide));
}

/* As exact4(). The kind is already shifted to where it stands. */
GLOBAL exact6(__u64 high, __u64 low, __u32 kind, __u32 rules, __u32 buckets)
{
	__u64 key = high ^ (low * 0xff51afd7ed558ccd) ^ (low >> 29);
	__u32 state = 0;

#pragma unroll
	for (int choice = 0; choice < COUIC_PROBES; choice++) {
		__u32 at = rules + COUIC_BUCKET6_LINES * bucket(key, choice, buckets);
		struct couic_line *addresses = line_at(at);
		struct couic_line *line = line_at(at + 1);
		__u64 equal = 0;

		if (!addresses || !line)
			return 0;

		__u32 before = LOAD(line->halves[COUIC_BUCKET6_STATE]);
#pragma unroll
		for (int i = 0; i < COUIC_SLOTS; i++) {
			__u64 different = (LOAD(addresses->words[2 * i]) ^ high) | (LOAD(addresses->words[2 * i + 1]) ^ low);

			different |= different >> 32;
			different = (__u32)different | ((LOAD(line->halves[i]) & ~COUIC_RULE) ^ kind);
			equal |= ((different - 1) >> 63) << i;
		}
		if (equal) {
			__u64 slot = SLOT_OF(equal);

			asm volatile("" : "+r"(slot)); /* as in exact4() */
			slot &= COUIC_SLOTS - 1;

			__u32 rule = LOAD(line->halves[slot]) & COUIC_RULE;

			/* Three words are no atom: if the bucket has changed meanwhile, the trie knows. */
			if ((before & 1) || before != LOAD(line->halves[COUIC_BUCKET6_STATE]))
				return IN_TRIE;
			if (rule)
				count_hit(&line->words[COUIC_BUCKET6_HITS + slot]);
			return rule;
		}
		if (choice == 0)
			state = before;
		if (!(state & COUIC_ELSEWHERE6))
			break;
	}
	return state & COUIC_IN_TRIE6 ? IN_TRIE : 0;
}

static __always_inline __u64 probe6(const volatile struct couic_tables6 *tables, __u64 high, __u64 low, int is_longer, __u64 size)
{
	__u64 key_high = is_longer ? high : high & -size;
	__u64 key_low = is_longer ? (low & -size) | size >> 1 : size;
	__u32 kind = !is_longer ? COUIC_KIND_SHORT : size == 1 ? COUIC_KIND_HOST : COUIC_KIND_LONG;

	return exact6(key_high, key_low, kind << COUIC_KIND_SHIFT, tables->rules, tables->buckets);
}

/* The lengths that rules near an address may have. */
struct lengths6 {
	__u64 longer;
	__u64 shorter;
	int brief;
};

/* Whether a rule of the policy may cover the address. */
static __always_inline int near6(enum couic_policy policy, __u64 high, struct lengths6 *lengths)
{
	struct couic_line *line = line_at(0);

	lengths->longer = line ? LOAD(line->words[COUIC_SUMMARY6 + 2 * policy]) : 0;
	lengths->shorter = line ? LOAD(line->words[COUIC_SUMMARY6 + 2 * policy + 1]) : 0;
	return (lengths->longer | lengths->shorter) && maybe6(&tables6[policy], high, lengths->shorter, &lengths->brief);
}

static __always_inline __u64 search6(enum couic_policy policy, void *trie, __u64 high, __u64 low, __u64 longer, __u64 shorter,
				     int brief)
{
	const volatile struct couic_tables6 *tables = &tables6[policy];
	struct couic_line *line;

	if (shorter || !IS_SINGLE(longer)) {
		/* Four pairs of words a line. */
		__u32 block = hash6(high >> 32) >> (32 - COUIC_BITS6_WIDE);

		line = line_at(tables->lengths + (block >> 2));
		longer = line ? LOAD(line->words[(block & 3) * 2]) : 0;
		shorter = line ? LOAD(line->words[(block & 3) * 2 + 1]) : 0;
	}

#pragma clang loop unroll(disable)
	for (int i = 0; i <= COUIC_MAX_LENGTHS; i++) {
		if (!(longer | shorter))
			return brief ? trie6(trie, high, low) & COUIC_RULE : 0;

		__u64 size = i ? NEXT(longer ? longer : shorter) : smallest(longer ? longer : shorter);
		__u64 found = probe6(tables, high, low, longer != 0, size);

		if (found & COUIC_RULE)
			return found & COUIC_RULE;
		if (longer)
			longer ^= size;
		else
			shorter ^= size;
		if (found == IN_TRIE)
			break;
	}

	__u32 value = trie6(trie, high, low);
	__u32 length = value >> COUIC_RULE_LENGTH_SHIFT;
	__u32 known = value & COUIC_RULE;

	if (!known || known >= counters_end)
		return known;

	__u64 found = probe6(tables, high, low, length > 64, 1ull << (((length > 64 ? 128 : 64) - length) & 63));

	return found & COUIC_RULE ? found & COUIC_RULE : known;
}

#endif
