/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Which rule covers an address: the tables in front of a trie, in the order in which an address meets them, and the
 * trie.
 *
 * find4() and find6() return the rule of the longest prefix that covers an address, 0 for none, and where its hit is if
 * it lies beside the address. Tables only ever shorten the way: a trie holds all rules of its policy and family, and
 * whatever a table cannot say is asked there. User space changes the tables while packets look into them. Every word is
 * stored and loaded whole; a rule is published in the trie, then in the table that holds it, then in the bits that lead
 * there, and retracted in reverse.
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

/* The bucket of a host's n-th choice: a fraction of the hash, so that any number of buckets will do. */
static __always_inline __u32 bucket(__u32 hash, int choice, __u32 buckets)
{
	hash += choice * 0x9e3779b9;
	hash ^= hash >> 15;
	hash *= 0x85ebca6b;
	hash ^= hash >> 13;
	return ((__u64)hash * buckets) >> 32;
}

static __always_inline __u32 trie4(void *trie, __u32 address)
{
	struct couic_key4 key = { .length = 32 };
	__be32 network = bpf_htonl(address);

	__builtin_memcpy(key.address, &network, sizeof(network));

	__u32 *rule = bpf_map_lookup_elem(trie, &key);

	return rule ? *rule & COUIC_NODE_RULE : 0;
}

static __always_inline __u32 trie6(void *trie, __u64 high, __u64 low)
{
	struct couic_key6 key = { .length = 128 };
	__be64 network[2] = { bpf_cpu_to_be64(high), bpf_cpu_to_be64(low) };

	__builtin_memcpy(key.address, network, sizeof(network));

	__u32 *rule = bpf_map_lookup_elem(trie, &key);

	return rule ? *rule & COUIC_RULE6 : 0;
}

/* The longest prefix of /31 or less, from the tree. */
static __always_inline __u32 prefix4(const volatile struct couic_tables4 *tables, __u32 address)
{
	__u32 block = address >> (32 - tables->top_bits);
	struct couic_line *line = line_at(tables->top + (block >> 4));
	__u32 node = line ? LOAD(line->nodes[block & 15]) : 0;

#pragma unroll
	for (int below = 12; below >= 0; below -= 4) {
		if (below >= 32 - (int)tables->top_bits)
			continue;
		if (!(node & COUIC_NODE_LINE))
			break;
		line = line_at(tables->inner + (node & ~COUIC_NODE_LINE));
		node = line ? LOAD(line->nodes[(address >> below) & 15]) : 0;
	}
	return node;
}

static __always_inline __u32 find4(enum couic_policy policy, void *trie, __u32 address, __u64 **hit)
{
	const volatile struct couic_tables4 *tables = &tables4[policy];
	__u64 elsewhere = 0;

	if (!bit(tables->wide, address >> (32 - COUIC_BITS4_WIDE)) || !bit(tables->narrow, address >> (32 - COUIC_BITS4_NARROW)))
		return 0;

#pragma unroll
	for (int choice = 0; choice < COUIC_PROBES; choice++) {
		__u32 first = tables->hosts + COUIC_BUCKET_LINES * bucket(address, choice, tables->buckets);
		struct couic_line *line = line_at(first);
		__u64 found = 0, place = 0;

		if (!line)
			return 0;
			/* Without branches: which of the seven it is cannot be foreseen, and to guess wrongly costs
			 * more than all of it. */
#pragma unroll
		for (int i = 0; i < COUIC_HOSTS4; i++) {
			__u64 word = LOAD(line->words[i]);
			__u64 equal = 0 - ((((__u64)(__u32)word ^ address) - 1) >> 63);

			found |= (word >> 32) & equal;
			place |= i & equal;
		}
		if (found) {
			line = count_hits ? line_at(first + 1) : NULL;
			/* The compiler knows that it is below seven and drops the mask; verifiers up to Linux 6.1 do not know. */
			asm volatile("" : "+r"(place));
			if (line)
				*hit = &line->words[place & 7];
			return found;
		}
		if (choice == 0)
			elsewhere = LOAD(line->words[COUIC_HOSTS4]);
		if (!(__u32)elsewhere)
			break;
	}

	__u32 node = elsewhere >> 32 ? COUIC_NODE_TRIE : prefix4(tables, address);

	return node == COUIC_NODE_TRIE ? trie4(trie, address) : node & COUIC_NODE_RULE;
}

static __always_inline __u32 hash6(__u64 bits)
{
	bits *= 0x9e3779b97f4a7c15;
	return bits >> 32;
}

/* Two bits, as in a Bloom filter: one in a thousand sources that are not listed gets past them when the table is full.
 */
static __always_inline int narrow6(__u32 table, __u32 hash)
{
	return bit(table, hash >> (32 - COUIC_BITS6_NARROW)) && bit(table, (hash * 0x85ebca6b) >> (32 - COUIC_BITS6_NARROW));
}

static __always_inline int maybe6(const volatile struct couic_tables6 *tables, __u64 high)
{
	__u32 wide = hash6(high >> 32);

	if (bit(tables->brief, high >> (64 - COUIC_BITS6_SHORT)))
		return 1;
	if (!bit(tables->wide, wide >> (32 - COUIC_BITS6_WIDE)))
		return 0;
	return narrow6(tables->narrow, hash6(high >> 16)) || narrow6(tables->narrow, ~wide);
}

static __always_inline __u32 find6(enum couic_policy policy, void *trie, __u64 high, __u64 low, __u64 **hit)
{
	const volatile struct couic_tables6 *tables = &tables6[policy];

	if (!maybe6(tables, high))
		return 0;

	__u32 hash = hash6(high ^ (low * 0xff51afd7ed558ccd) ^ (low >> 29));
	__u32 state = 0;

#pragma unroll
	for (int choice = 0; choice < COUIC_PROBES; choice++) {
		__u32 first = tables->hosts + COUIC_BUCKET_LINES * bucket(hash, choice, tables->buckets);
		struct couic_line *addresses = line_at(first);
		struct couic_line *rules = line_at(first + 1);

		if (!addresses || !rules)
			return 0;

		__u32 before = LOAD(rules->nodes[COUIC_HOSTS6_STATE]);
#pragma unroll
		for (int i = 0; i < COUIC_HOSTS6; i++) {
			__u32 rule = LOAD(rules->nodes[i]);

			if (!rule || LOAD(addresses->words[2 * i]) != high || LOAD(addresses->words[2 * i + 1]) != low)
				continue;
			/* Three words are no atom: if the bucket has changed meanwhile, the trie knows. */
			if ((before & 1) || (__u16)before != (__u16)LOAD(rules->nodes[COUIC_HOSTS6_STATE]))
				return trie6(trie, high, low);
			*hit = &rules->words[COUIC_HOSTS6_HITS + i];
			return rule;
		}
		if (choice == 0)
			state = before;
		if (!(state >> 16))
			break;
	}
	/* Not among the hosts, or one that found no place: the trie knows it with the shorter prefixes. */
	return trie6(trie, high, low);
}

#endif
