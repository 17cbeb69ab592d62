/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The baseline: two tries for every packet and tag counters in an LRU map, as in couic 1.x, after a draw.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#ifndef WITHOUT_DRAW /* a test gives it packets of its own */
#include "draw.h"
#endif

struct key4 {
	__u32 length;
	__u8 address[4];
};

struct key6 {
	__u32 length;
	__u8 address[16];
};

struct counter {
	__u64 packets;
	__u64 bytes;
};

#define TRIE(name, key_type)                                                                                                     \
	struct {                                                                                                                 \
		__uint(type, BPF_MAP_TYPE_LPM_TRIE);                                                                             \
		__type(key, struct key_type);                                                                                    \
		__type(value, __u32);                                                                                            \
		__uint(max_entries, 1 << 20);                                                                                    \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                                                            \
	} name SEC(".maps")

TRIE(drop4, key4);
TRIE(drop6, key6);
TRIE(ignore4, key4);
TRIE(ignore6, key6);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct counter);
	__uint(max_entries, 5);
} actions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__type(key, __u32);
	__type(value, struct counter);
	__uint(max_entries, 64);
} tags SEC(".maps");

static __always_inline void add(struct counter *counter, struct xdp_md *ctx)
{
	counter->packets++;
	counter->bytes += ctx->data_end - ctx->data;
}

static __always_inline int count(struct xdp_md *ctx, const __u32 *tag, __u32 action)
{
	struct counter *counter = bpf_map_lookup_elem(&actions, &action);

	if (counter)
		add(counter, ctx);
	if (!tag)
		return action;

	__u32 key = *tag;

	counter = bpf_map_lookup_elem(&tags, &key);
	if (counter) {
		add(counter, ctx);
	} else {
		struct counter first = { 1, ctx->data_end - ctx->data };

		bpf_map_update_elem(&tags, &key, &first, BPF_ANY);
	}
	return action;
}

static __always_inline int decide(struct xdp_md *ctx, void *ignore, void *drop, const void *key)
{
	__u32 *tag = bpf_map_lookup_elem(ignore, key);

	if (tag)
		return count(ctx, tag, XDP_PASS);
	tag = bpf_map_lookup_elem(drop, key);
	return count(ctx, tag, tag ? XDP_DROP : XDP_PASS);
}

SEC("xdp")
int two_tries_xdp(struct xdp_md *ctx)
{
#ifndef WITHOUT_DRAW
	draw(ctx);
#endif

	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = (void *)(long)ctx->data;
	void *at = ethernet + 1;

	if (at > end)
		return count(ctx, NULL, XDP_PASS);

	__be16 protocol = ethernet->h_proto;

#pragma unroll
	for (int i = 0; i < 2; i++) {
		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if (at + 4 > end)
			return count(ctx, NULL, XDP_PASS);
		protocol = *(__be16 *)(at + 2);
		at += 4;
	}
	if (protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = at;
		struct key4 key = { .length = 32 };

		if ((void *)(ip + 1) > end)
			return count(ctx, NULL, XDP_PASS);
		__builtin_memcpy(key.address, &ip->saddr, 4);
		return decide(ctx, &ignore4, &drop4, &key);
	}
	if (protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = at;
		struct key6 key = { .length = 128 };

		if ((void *)(ip + 1) > end)
			return count(ctx, NULL, XDP_PASS);
		__builtin_memcpy(key.address, &ip->saddr, 16);
		return decide(ctx, &ignore6, &drop6, &key);
	}
	return count(ctx, NULL, XDP_PASS);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
