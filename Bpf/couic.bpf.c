/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The XDP program: finds the IP header, looks the address up in `ignore`, then in `drop`, and counts each packet once.
 *
 * It returns XDP_DROP for a listed packet, and for a frame with more VLAN tags than it parses, because the kernel would remove
 * all of them. It returns XDP_PASS for every other frame, malformed ones included: the kernel discards those.
 *
 * For the verifier: every loop is bounded or unrolled, every access follows a comparison with data_end, and no helper writes
 * to the packet. Features are constants in .rodata, so the verifier removes the code of those that are off.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "couic.h"

static __always_inline int filter(struct xdp_md *ctx);

/* The kernel enters a program at its first instruction, so this function comes before those that it calls. */
SEC("xdp")
int couic_xdp(struct xdp_md *ctx)
{
#ifdef BEFORE_FILTER /* the benchmark gives each packet another source */
	BEFORE_FILTER(ctx);
#endif
	return filter(ctx);
}

const volatile __u8 match_source = 1;
const volatile __u8 match_destination = 0;
const volatile __u8 count_hits = 1;
const volatile __u8 coarse_clock = 1;  /* Linux 5.11 */
const volatile __u8 has_ethernet = 1;  /* 0: packets begin with the IP header */
const volatile __u8 in_fragments = 0;  /* a frame may lie in several buffers (Linux 5.18); headers are in the first */
const volatile __u32 counters_end = 0; /* number of elements of couic_counters */

/* The verifier checks a global function once, for any arguments, and an inlined one on each path that leads to it. */
#define GLOBAL SEC("xdp") __attribute__((noinline)) __u64

#include "frame.bpf.h"
#include "link.bpf.h"
#include "tables.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct couic_key4);
	__type(value, __u32);
	__uint(max_entries, (COUIC_MAX_DROP_ENTRIES * COUIC_HEADROOM));
	__uint(map_flags, BPF_F_NO_PREALLOC);
} couic_ipv4_drop SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct couic_key6);
	__type(value, __u32);
	__uint(max_entries, (COUIC_MAX_DROP_ENTRIES * COUIC_HEADROOM));
	__uint(map_flags, BPF_F_NO_PREALLOC);
} couic_ipv6_drop SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct couic_key4);
	__type(value, __u32);
	__uint(max_entries, (COUIC_MAX_IGNORE_ENTRIES * COUIC_HEADROOM));
	__uint(map_flags, BPF_F_NO_PREALLOC);
} couic_ipv4_ignore SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct couic_key6);
	__type(value, __u32);
	__uint(max_entries, (COUIC_MAX_IGNORE_ENTRIES * COUIC_HEADROOM));
	__uint(map_flags, BPF_F_NO_PREALLOC);
} couic_ipv6_ignore SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct couic_counter);
	__uint(max_entries, COUIC_COUNTER_TAGS + 2 * (COUIC_MAX_TAGS + 2));
} couic_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct couic_overflow_stats);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
} couic_records SEC(".maps");

GLOBAL search4_ignore(__u32 address, __u64 lengths)
{
	return search4(COUIC_IGNORE, &couic_ipv4_ignore, address, lengths);
}
GLOBAL search4_drop(__u32 address, __u64 lengths)
{
	return search4(COUIC_DROP, &couic_ipv4_drop, address, lengths);
}
GLOBAL search6_ignore(__u64 high, __u64 low, __u64 longer, __u64 shorter, int has_short_prefix)
{
	return search6(COUIC_IGNORE, &couic_ipv6_ignore, high, low, longer, shorter, has_short_prefix);
}
GLOBAL search6_drop(__u64 high, __u64 low, __u64 longer, __u64 shorter, int has_short_prefix)
{
	return search6(COUIC_DROP, &couic_ipv6_drop, high, low, longer, shorter, has_short_prefix);
}

static __always_inline int count(struct xdp_md *ctx, __u32 index, int verdict)
{
	struct couic_counter *counter = bpf_map_lookup_elem(&couic_counters, &index);

	if (counter) {
		counter->packets++;
		counter->bytes += in_fragments ? bpf_xdp_get_buff_len(ctx) : ctx->data_end - ctx->data;
	}
	return verdict;
}

static __always_inline int count_rule(struct xdp_md *ctx, __u32 rule, int verdict)
{
	if (rule >= counters_end) {
		__u32 index = rule - counters_end;
		struct couic_overflow_stats *record = bpf_map_lookup_elem(&couic_records, &index);

		if (!record)
			return verdict;
		count_hit(&record->hit);
		rule = record->counter;
	}
	return count(ctx, rule, verdict);
}

static __always_inline int filter4(struct xdp_md *ctx, void *header, void *end)
{
	struct iphdr *ip = header;
	__u32 rule = 0;

	if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5 || header + ip->ihl * 4 > end)
		return count(ctx, COUIC_COUNTER_MALFORMED, XDP_PASS);

	__u32 source = bpf_ntohl(ip->saddr);
	__u32 destination = bpf_ntohl(ip->daddr);

	if (match_source)
		rule = find4(COUIC_IGNORE, source);
	if (match_destination && !rule)
		rule = find4(COUIC_IGNORE, destination);
	if (rule)
		return count_rule(ctx, rule, XDP_PASS);

	if (match_source)
		rule = find4(COUIC_DROP, source);
	if (match_destination && !rule)
		rule = find4(COUIC_DROP, destination);
	if (rule)
		return count_rule(ctx, rule, XDP_DROP);

	return count(ctx, COUIC_COUNTER_UNLISTED, XDP_PASS);
}

static __always_inline __u32 ignore6(const struct in6_addr *address)
{
	struct lengths6 lengths;

	if (!near6(COUIC_IGNORE, half(address, 0), &lengths))
		return 0;
	return search6_ignore(half(address, 0), half(address, 1), lengths.longer, lengths.shorter, lengths.has_short_prefix);
}

/* The check for packets that keep the link alive precedes the search, which counts a hit, and follows the filters, where most
 * lookups end. */
static __always_inline __u32 drop6(struct xdp_md *ctx, struct ipv6hdr *ip, const struct in6_addr *address)
{
	struct lengths6 lengths;

	if (!near6(COUIC_DROP, half(address, 0), &lengths))
		return 0;
	if (may_keep_link(ip) && keeps_link(ctx, (void *)ip - (void *)(long)ctx->data))
		return 0;
	return search6_drop(half(address, 0), half(address, 1), lengths.longer, lengths.shorter, lengths.has_short_prefix);
}

static __always_inline int filter6(struct xdp_md *ctx, void *header, void *end)
{
	struct ipv6hdr *ip = header;
	__u32 rule = 0;

	if ((void *)(ip + 1) > end || ip->version != 6)
		return count(ctx, COUIC_COUNTER_MALFORMED, XDP_PASS);

	if (match_source)
		rule = ignore6(&ip->saddr);
	if (match_destination && !rule)
		rule = ignore6(&ip->daddr);
	if (rule)
		return count_rule(ctx, rule, XDP_PASS);

	if (match_source)
		rule = drop6(ctx, ip, &ip->saddr);
	if (match_destination && !rule)
		rule = drop6(ctx, ip, &ip->daddr);
	if (rule)
		return count_rule(ctx, rule, XDP_DROP);

	return count(ctx, COUIC_COUNTER_UNLISTED, XDP_PASS);
}

static __always_inline int filter_ip(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	void *at = (void *)(long)ctx->data;
	struct iphdr *ip = at;

	if (at + 1 > end)
		return count(ctx, COUIC_COUNTER_MALFORMED, XDP_PASS);
	if (ip->version == 4)
		return filter4(ctx, at, end);
	if (ip->version == 6)
		return filter6(ctx, at, end);
	return count(ctx, COUIC_COUNTER_NOT_IP, XDP_PASS);
}

static __always_inline int filter_ethernet(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	void *start = (void *)(long)ctx->data;
	void *at = start + sizeof(struct ethhdr);

	if (at > end)
		return count(ctx, COUIC_COUNTER_MALFORMED, XDP_PASS);

	/* One load; by struct ethhdr, which is aligned to a byte, it would be two. */
	__be16 protocol = *(__be16 *)(at - sizeof(protocol));

	/* The common case comes first. */
	if (protocol != bpf_htons(ETH_P_IP) && protocol != bpf_htons(ETH_P_IPV6)) {
		if (is_vlan(protocol)) {
			struct vlan_header *vlan = at;

			if ((void *)(vlan + 1) > end)
				return count(ctx, COUIC_COUNTER_MALFORMED, XDP_PASS);
			at = vlan + 1;
			protocol = vlan->protocol;
		}
		if (is_vlan(protocol) || protocol == bpf_htons(ETH_P_PPP_SES)) {
			__u64 inner = inner_header(ctx);

			if (inner == INNER_TOO_DEEP)
				return count(ctx, COUIC_COUNTER_TOO_MANY_TAGS, XDP_DROP);
			if (inner == INNER_MALFORMED)
				return count(ctx, COUIC_COUNTER_MALFORMED, XDP_PASS);
			at = start + ((inner >> INNER_OFFSET_SHIFT) & MAX_IP_OFFSET);
			protocol = inner;
		}
	}

	if (protocol == bpf_htons(ETH_P_IP))
		return filter4(ctx, at, end);
	if (protocol == bpf_htons(ETH_P_IPV6))
		return filter6(ctx, at, end);
	return count(ctx, COUIC_COUNTER_NOT_IP, XDP_PASS);
}

static __always_inline int filter(struct xdp_md *ctx)
{
	return has_ethernet ? filter_ethernet(ctx) : filter_ip(ctx);
}

/* Only programs under a licence compatible with the kernel's may call bpf_ktime_get_coarse_ns(). */
char LICENSE[] SEC("license") = "Dual MIT/GPL";
