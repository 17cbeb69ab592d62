/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * IPv6 packets that keep the link alive: neighbour and router discovery (RFC 4861), multicast listener discovery (RFC 2710,
 * 3590, 3810) and DHCPv6 on the link (RFC 8415). Drop rules do not apply to them: a list with fe80::/10 or ::/0 would
 * otherwise take the machine off the network.
 *
 * No router forwards them: they have a hop limit of 255, or a source that is valid only on the link. A packet that its RFC
 * calls invalid is treated as any other, so that resembling one of them does not let a packet through.
 */
#ifndef COUIC_LINK_BPF_H
#define COUIC_LINK_BPF_H

#define MAX_OPTION_HEADERS 2 /* before a neighbour discovery message */
#define DHCP6_CLIENT 546
#define DHCP6_SERVER 547
#define DHCP6_SHORTEST 12 /* UDP header, type, transaction */

struct icmp6_header {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 specific;
	__u8 target[16]; /* in neighbour discovery messages from 135 on */
};

struct option_header {
	__u8 next;
	__u8 length; /* in 8 octets, not counting the first 8 */
	__u8 options[6];
};

struct udp_header {
	__be16 source;
	__be16 destination;
	__be16 length;
	__be16 checksum;
};

/* Half of an IPv6 address: one load; by the member, which is aligned to a byte, it would be eight. */
static __always_inline __u64 half(const struct in6_addr *address, int which)
{
	return bpf_be64_to_cpu(((const __be64 *)address)[which]);
}

static __always_inline int is_link_local(__u64 high)
{
	return high >> 54 == 0xfe80 >> 6;
}

static __always_inline int is_multicast(__u64 high)
{
	return high >> 56 == 0xff;
}

/* Whether keeps_link() is worth a call. */
static __always_inline int may_keep_link(const struct ipv6hdr *ip)
{
	__u64 high = half(&ip->saddr, 0);

	return ip->hop_limit == 255 || is_link_local(high) || !(high | half(&ip->saddr, 1));
}

/* The shortest valid ICMPv6 message, in octets. From type 135 on it includes the target. */
static __always_inline __u32 shortest_discovery(__u8 type)
{
	return type == 133 ? 8 : type == 134 ? 16 : 24;
}

/* Options headers may precede the message; a fragmented one is invalid (RFC 6980). */
static __always_inline int is_discovery(struct ipv6hdr *ip, void *end)
{
	__u64 high = half(&ip->saddr, 0);
	__u64 low = half(&ip->saddr, 1);
	__u8 next = ip->nexthdr;
	__u32 before = 0;

#pragma unroll
	for (int i = 0; i < MAX_OPTION_HEADERS; i++) {
		struct option_header *option = (void *)(ip + 1) + before;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_DSTOPTS)
			break;
		if ((void *)(option + 1) > end)
			return 0;
		next = option->next;
		before += ((__u32)option->length + 1) * 8;
	}

	struct icmp6_header *icmp = (void *)(ip + 1) + before;

	if (next != IPPROTO_ICMPV6 || (void *)&icmp->target > end || icmp->code)
		return 0;
	if (icmp->type < 133 || icmp->type > 137)
		return 0;

	__u32 shortest = shortest_discovery(icmp->type);

	if ((void *)icmp + shortest > end || bpf_ntohs(ip->payload_len) < before + shortest)
		return 0;
	if (is_link_local(high))
		return 1;
	if (icmp->type == 134 || icmp->type == 137 || is_multicast(high))
		return 0;
	if (high)
		return 1;

	/* A node without an address uses the unspecified source: it may only solicit, and only the owner of its future address. */
	if (low || icmp->type == 136)
		return 0;
	return icmp->type == 133 || (half(&ip->daddr, 0) == 0xff02000000000000 && half(&ip->daddr, 1) >> 24 == 0x1ff);
}

/* A query, a report of either version, or a done. Apart from padding, router alert is the only option of its header. */
static __always_inline int is_listener_discovery(struct ipv6hdr *ip, void *end)
{
	struct option_header *option = (void *)(ip + 1);
	struct icmp6_header *icmp = (void *)(option + 1);

	if (ip->hop_limit != 1 || (void *)&icmp->target > end || option->next != IPPROTO_ICMPV6 || option->length || icmp->code)
		return 0;
	if (!is_multicast(half(&ip->daddr, 0)))
		return 0;

	/* Router alert is option 5 of 2 octets, 0 for listener discovery; padding of 2 octets is 00 00 or 01 00. */
	__u64 header = bpf_be64_to_cpu(*(__be64 *)option);
	__u32 first = header >> 32 & 0xffff;
	int alert_first = first == 0x0502 && !(header >> 16 & 0xffff) && !(header & 0xfeff);
	int alert_last = !(first & 0xfeff) && (__u32)header == 0x05020000;

	if (!alert_first && !alert_last)
		return 0;
	if (icmp->type == 143)
		return bpf_ntohs(ip->payload_len) >= 16;
	if (icmp->type < 130 || icmp->type > 132)
		return 0;
	if (icmp->type == 130 && !is_link_local(half(&ip->saddr, 0)))
		return 0;
	return (void *)(icmp + 1) <= end && bpf_ntohs(ip->payload_len) >= sizeof(*option) + sizeof(*icmp);
}

/* Between a client and a server or relay on the same link. */
static __always_inline int is_dhcp6(struct ipv6hdr *ip, void *end)
{
	struct udp_header *udp = (void *)(ip + 1);

	if ((void *)udp + DHCP6_SHORTEST > end || !is_link_local(half(&ip->saddr, 0)))
		return 0;

	__u32 length = bpf_ntohs(udp->length);

	if (length < DHCP6_SHORTEST || length > bpf_ntohs(ip->payload_len))
		return 0;
	if (udp->source == bpf_htons(DHCP6_SERVER) && udp->destination == bpf_htons(DHCP6_CLIENT))
		return !is_multicast(half(&ip->daddr, 0));
	if (udp->source != bpf_htons(DHCP6_CLIENT) || udp->destination != bpf_htons(DHCP6_SERVER))
		return 0;
	return !is_multicast(half(&ip->daddr, 0)) ||
	       (half(&ip->daddr, 0) == 0xff02000000000000 && half(&ip->daddr, 1) == 0x0000000000010002);
}

GLOBAL keeps_link(struct xdp_md *ctx, __u32 offset)
{
	void *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ip = (void *)(long)ctx->data + (offset & MAX_IP_OFFSET);

	if ((void *)(ip + 1) > end)
		return 0;
	if (ip->nexthdr == IPPROTO_UDP)
		return is_dhcp6(ip, end);
	if (ip->hop_limit == 255)
		return is_discovery(ip, end);
	if (ip->nexthdr != IPPROTO_HOPOPTS)
		return 0;
	if (!is_link_local(half(&ip->saddr, 0)) && (half(&ip->saddr, 0) | half(&ip->saddr, 1)))
		return 0;
	return is_listener_discovery(ip, end);
}

#endif
