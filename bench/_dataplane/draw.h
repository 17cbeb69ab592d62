/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Gives each packet of a test run another source, at the same cost in every program. Rule number i has an address that
 * is a mix of i, so that a listed source is drawn without a table that would push others out of the caches. RuleSet.cs
 * draws the same rules. Sources that no rule covers are drawn beforehand and read in sequence.
 */
#ifndef DRAW_H
#define DRAW_H

const volatile __u32 draw_rules;  /* sources of rules below this number; 0: any source */
const volatile __u32 draw_mixed;  /* whether rules have several lengths */
const volatile __u32 draw_given;  /* whether sources are those of draw_sources */
const volatile __u32 draw_offset; /* of the source in the frame */
const volatile __u32 draw_size;	  /* 4 or 16 bytes */

#define DRAW_SOURCES (1 << 18)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, DRAW_SOURCES); /* the first says which one was the last */
} draw_sources SEC(".maps");

static __always_inline __u32 next_source(void)
{
	__u32 index = 0;
	__u32 *last = bpf_map_lookup_elem(&draw_sources, &index);

	if (!last)
		return 0;
	index = *last = *last % (DRAW_SOURCES - 1) + 1;

	__u32 *source = bpf_map_lookup_elem(&draw_sources, &index);

	return source ? *source : 0;
}

static __always_inline __u32 mix(__u32 x)
{
	x ^= x >> 16;
	x *= 0x7feb352d;
	x ^= x >> 15;
	x *= 0x846ca68b;
	x ^= x >> 16;
	return x;
}

static __always_inline __u64 mix64(__u32 i, __u32 salt)
{
	return (__u64)mix(i ^ salt) << 32 | mix(i + salt);
}

static __always_inline __u32 draw4(__u32 random)
{
	__u32 i = ((__u64)random * draw_rules) >> 32;

	if (!draw_rules)
		return random;
	if (!draw_mixed || (i & 3) < 2)
		return mix(i);

	__u32 hosts = ~0u >> ((i & 3) == 2 ? 24 : 16 + ((i >> 2) & 15));

	return (mix(i) & ~hosts) | (random * 0x9e3779b1 & hosts);
}

static __always_inline void draw6(__u32 random, __u64 *high, __u64 *low)
{
	__u32 i = draw_rules ? ((__u64)random * draw_rules) >> 32 : random | 0x80000000;

	*high = (mix64(i, 0x51ed270b) >> 3) | 0x2000000000000000;
	*low = mix64(i, 0x2545f491);
	if (!draw_rules || !draw_mixed || (i & 3) < 2)
		return;
	if ((i & 3) == 2) {
		*low = mix64(random, 0x1b873593);
	} else {
		__u32 length = 32 + ((i >> 2) & 63);

		if (length < 64)
			*high = (*high & ~(~0ull >> length)) | (mix64(random, 0x1b873593) & (~0ull >> length));
		*low = length <= 64 ? mix64(random, 0x85ebca6b)
				    : (*low & ~(~0ull >> (length - 64))) | (mix64(random, 0x85ebca6b) & (~0ull >> (length - 64)));
	}
}

static __always_inline void draw(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	void *source = (void *)(long)ctx->data + draw_offset;
	__u32 random = bpf_get_prandom_u32();

	if (source + 16 > end)
		return;
	if (draw_size == 4) {
		*(__u32 *)source = bpf_htonl(draw_given ? next_source() : draw4(random));
	} else {
		__u64 high, low;

		draw6(random, &high, &low);
		((__u64 *)source)[0] = bpf_cpu_to_be64(high);
		((__u64 *)source)[1] = bpf_cpu_to_be64(low);
	}
}

#endif
