/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Which rule covers an address. A lookup goes through the length summary, the coarse and the fine filter, one exact match
 * per prefix length, longest first, and the LPM trie.
 *
 * find4() and search6() return the rule of the longest prefix that covers an address, 0 for none, and count its hit where the
 * statistics lie beside the prefix. The trie holds all rules of its policy and family; the tables before it only shorten the
 * lookup, and whatever they cannot answer falls back to the trie. User space changes the tables while packets read them.
 * Every word is stored and loaded whole; a rule is published in the trie, then in its bucket, then in the length set and the
 * filters that lead there, and retracted in reverse order.
 */
#ifndef COUIC_TABLES_BPF_H
#define COUIC_TABLES_BPF_H

enum couic_policy { COUIC_DROP, COUIC_IGNORE, COUIC_POLICIES };

const volatile struct couic_tables4 tables4[COUIC_POLICIES];
const volatile struct couic_tables6 tables6[COUIC_POLICIES];

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct couic_cache_line);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
} couic_lines SEC(".maps");

#define LOAD(place) (*(volatile typeof(place) *)&(place))

static __always_inline struct couic_cache_line *cache_line_at(__u32 index)
{
	return bpf_map_lookup_elem(&couic_lines, &index);
}

static __always_inline int bit(__u32 table, __u32 index)
{
	struct couic_cache_line *line = cache_line_at(table + (index >> 9));

	return line && (LOAD(line->words[(index >> 6) & 7]) >> (index & 63)) & 1;
}

/* The bucket of a key's n-th choice: the hash scaled to the number of buckets, which need not be a power of two. */
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

/* exact4() and exact6() return it for a prefix that is in no bucket but may be in the trie. */
#define OVERFLOW (1ull << COUIC_RULE_LENGTH_SHIFT)

static __always_inline void count_hit(__u64 *hit)
{
	if (count_hits) {
		__u64 now = (coarse_clock ? bpf_ktime_get_coarse_ns() : bpf_ktime_get_ns()) >> COUIC_TICK_SHIFT;

		*hit = ((*hit + 1) & ((1ull << COUIC_HIT_SHIFT) - 1)) | now << COUIC_HIT_SHIFT;
	}
}

/* Index of the one set bit of four, without branches: it is unpredictable, and a misprediction costs more than the formula. */
#define SLOT_OF(equal) (((equal) >> 1) - ((equal) >> 3))

GLOBAL exact4(__u64 key, __u32 rules, __u32 buckets)
{
	__u64 state = 0;

#pragma unroll
	for (int choice = 0; choice < COUIC_PROBES; choice++) {
		__u32 at = rules + bucket(key, choice, buckets);
		struct couic_cache_line *line = cache_line_at(at);
		__u64 equal = 0;

		if (!line)
			return 0;
#pragma unroll
		for (int i = 0; i < COUIC_SLOTS; i++)
			equal |= ((((LOAD(line->words[2 * i]) ^ key) & COUIC_KEY4) - 1) >> 63) << i;
		if (equal) {
			__u64 slot = SLOT_OF(equal);

			/* The compiler would drop the mask as redundant; verifiers up to Linux 6.1 need it. */
			asm volatile("" : "+r"(slot));
			slot &= COUIC_SLOTS - 1;

			__u64 word = LOAD(line->words[2 * slot]);

			/* The rule was removed in between: the packet is treated as if it had arrived later. */
			if ((word & COUIC_KEY4) != key)
				return 0;
			count_hit(&line->words[2 * slot + 1]);
			return (word >> COUIC_RULE4_SHIFT) & COUIC_RULE;
		}
		if (choice == 0)
			state = LOAD(line->words[0]);
		if (!(state >> COUIC_DISPLACED4_SHIFT & 1))
			break;
	}
	return state >> COUIC_OVERFLOW4_SHIFT ? OVERFLOW : 0;
}

/* The size of the smallest block in a set of lengths. The branch for hosts lets the processor speculate: it reads their bucket
 * while the set is still being loaded. */
static __always_inline __u64 smallest(__u64 lengths)
{
	__u64 size = 1;

	asm volatile("" : "+r"(size));
	return lengths & 1 ? size : lengths & -lengths;
}

/* As smallest(), for later lengths, which are never a host: without a branch, which the verifier would follow per length. */
#define NEXT(lengths) ((lengths) & -(lengths))

/* Whether all rules have one length: then the length set need not be read. */
#define IS_SINGLE(lengths) (!((lengths) & ((lengths)-1)))

/* search4() and search6() for each policy, defined where the tries are. */
__u64 search4_drop(__u32 address, __u64 lengths);
__u64 search4_ignore(__u32 address, __u64 lengths);
__u64 search6_drop(__u64 high, __u64 low, __u64 longer, __u64 shorter, int has_short_prefix);
__u64 search6_ignore(__u64 high, __u64 low, __u64 longer, __u64 shorter, int has_short_prefix);

static __always_inline __u32 find4(enum couic_policy policy, __u32 address)
{
	const volatile struct couic_tables4 *tables = &tables4[policy];
	struct couic_cache_line *line = cache_line_at(0);
	__u64 lengths = line ? LOAD(line->words[COUIC_LENGTH_SUMMARY4 + policy]) : 0;

	if (!lengths)
		return 0;
	if (!bit(tables->coarse_filter, address >> (32 - COUIC_BITS4_COARSE)) ||
	    !bit(tables->fine_filter, address >> (32 - COUIC_BITS4_FINE)))
		return 0;

	/* Only hosts, as in most lists: their bucket answers without a further call, unless it has overflowed into the trie. */
	if (lengths == 1) {
		__u64 found = exact4((__u64)address << 1 | 1, tables->rules, tables->buckets);

		if (found != OVERFLOW)
			return found & COUIC_RULE;
	}
	return policy == COUIC_DROP ? search4_drop(address, lengths) : search4_ignore(address, lengths);
}

/* The lookup after the filters: the lengths, longest first, and then the trie, which is called at one place. */
static __always_inline __u64 search4(enum couic_policy policy, void *trie, __u32 address, __u64 lengths)
{
	const volatile struct couic_tables4 *tables = &tables4[policy];
	struct couic_cache_line *line;

	if (!IS_SINGLE(lengths)) {
		line = cache_line_at(tables->lengths + (address >> 19));
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
		if (found == OVERFLOW)
			break;
	}

	__u32 value = trie4(trie, address);
	__u32 known = value & COUIC_RULE;

	/* The longest match. If the prefix also has a slot, its hits are counted there. */
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

/* A Bloom filter with two bits in one cache line: with a full table, one in about seventy unlisted sources is a false positive. */
static __always_inline int fine_filter6(__u32 table, __u32 hash)
{
	struct couic_cache_line *line = cache_line_at(table + (hash >> (32 - COUIC_BITS6_FINE + 9)));
	__u32 other = hash * 0x85ebca6b;

	if (!line)
		return 0;
	return LOAD(line->words[(hash >> (32 - COUIC_BITS6_FINE + 6)) & 7]) >> ((hash >> (32 - COUIC_BITS6_FINE)) & 63) &
	       LOAD(line->words[other >> 29]) >> ((other >> 23) & 63) & 1;
}

static __always_inline int maybe6(const volatile struct couic_tables6 *tables, __u64 high, __u64 shorter, int *has_short_prefix)
{
	__u32 coarse = hash6(high >> 32);

	*has_short_prefix = (shorter & COUIC_LENGTH_SUMMARY6_SHORT_PREFIX) &&
			    bit(tables->short_prefix_filter, high >> (64 - COUIC_BITS6_SHORT_PREFIX));
	if (*has_short_prefix)
		return 1;
	if (!bit(tables->coarse_filter, coarse >> (32 - COUIC_BITS6_COARSE)))
		return 0;
	return fine_filter6(tables->fine_filter, hash6(high >> 16)) ||
	       ((shorter & COUIC_LENGTH_SUMMARY6_SPARSE) && fine_filter6(tables->fine_filter, ~coarse));
}

/* As exact4(). The kind is already shifted into place. */
GLOBAL exact6(__u64 high, __u64 low, __u32 kind, __u32 rules, __u32 buckets)
{
	__u64 key = high ^ (low * 0xff51afd7ed558ccd) ^ (low >> 29);
	__u32 state = 0;

#pragma unroll
	for (int choice = 0; choice < COUIC_PROBES; choice++) {
		__u32 at = rules + COUIC_BUCKET6_LINES * bucket(key, choice, buckets);
		struct couic_cache_line *addresses = cache_line_at(at);
		struct couic_cache_line *line = cache_line_at(at + 1);
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

			/* The three words are not read atomically: if the sequence number changed, fall back to the trie. */
			if ((before & 1) || before != LOAD(line->halves[COUIC_BUCKET6_STATE]))
				return OVERFLOW;
			if (rule)
				count_hit(&line->words[COUIC_BUCKET6_HITS + slot]);
			return rule;
		}
		if (choice == 0)
			state = before;
		if (!(state & COUIC_DISPLACED6))
			break;
	}
	return state & COUIC_OVERFLOW6 ? OVERFLOW : 0;
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
	int has_short_prefix;
};

/* Whether a rule of the policy may cover the address. */
static __always_inline int near6(enum couic_policy policy, __u64 high, struct lengths6 *lengths)
{
	struct couic_cache_line *line = cache_line_at(0);

	lengths->longer = line ? LOAD(line->words[COUIC_LENGTH_SUMMARY6 + 2 * policy]) : 0;
	lengths->shorter = line ? LOAD(line->words[COUIC_LENGTH_SUMMARY6 + 2 * policy + 1]) : 0;
	return (lengths->longer | lengths->shorter) &&
	       maybe6(&tables6[policy], high, lengths->shorter, &lengths->has_short_prefix);
}

static __always_inline __u64 search6(enum couic_policy policy, void *trie, __u64 high, __u64 low, __u64 longer, __u64 shorter,
				     int has_short_prefix)
{
	const volatile struct couic_tables6 *tables = &tables6[policy];
	struct couic_cache_line *line;

	if (shorter || !IS_SINGLE(longer)) {
		/* Four pairs of words per line. */
		__u32 block = hash6(high >> 32) >> (32 - COUIC_BITS6_COARSE);

		line = cache_line_at(tables->lengths + (block >> 2));
		longer = line ? LOAD(line->words[(block & 3) * 2]) : 0;
		shorter = line ? LOAD(line->words[(block & 3) * 2 + 1]) : 0;
	}

#pragma clang loop unroll(disable)
	for (int i = 0; i <= COUIC_MAX_LENGTHS; i++) {
		if (!(longer | shorter))
			return has_short_prefix ? trie6(trie, high, low) & COUIC_RULE : 0;

		__u64 size = i ? NEXT(longer ? longer : shorter) : smallest(longer ? longer : shorter);
		__u64 found = probe6(tables, high, low, longer != 0, size);

		if (found & COUIC_RULE)
			return found & COUIC_RULE;
		if (longer)
			longer ^= size;
		else
			shorter ^= size;
		if (found == OVERFLOW)
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
