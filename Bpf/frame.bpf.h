/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The headers between the Ethernet header and the IP header.
 */
#ifndef COUIC_FRAME_BPF_H
#define COUIC_FRAME_BPF_H

#define MAX_VLAN_TAGS 8

/* A mask for the offset of the IP header: eight tags and a PPPoE header are 54 bytes. */
#define MAX_IP_OFFSET 63

#define PPP_IP 0x0021
#define PPP_IPV6 0x0057

/* inner_header() returns the EtherType and, above it, the offset of the IP header; or one of these. */
#define INNER_OFFSET_SHIFT 16
#define INNER_MALFORMED (~0ull)
#define INNER_TOO_DEEP (~1ull)

struct vlan_header {
	__be16 tag;
	__be16 protocol;
};

/* A PPPoE session header (RFC 2516) and the PPP protocol. */
struct pppoe_header {
	__u8 version;
	__u8 code;
	__be16 session;
	__be16 length;
	__u8 protocol[2];
};

static __always_inline int is_vlan(__be16 protocol)
{
	return protocol == bpf_htons(ETH_P_8021Q) || protocol == bpf_htons(ETH_P_8021AD);
}

/* For frames with several tags or a PPPoE header; others are parsed inline. Linux removes any number of tags with VLAN ID 0. It
 * reads a PPPoE header whatever its version and code, and a PPP protocol of one byte (RFC 1661, 6.5) even where that was not
 * negotiated. */
GLOBAL inner_header(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	void *start = (void *)(long)ctx->data;
	__u32 offset = sizeof(struct ethhdr);

	if (start + offset > end)
		return INNER_MALFORMED;

	__be16 protocol = ((struct ethhdr *)start)->h_proto;

#pragma unroll
	for (int i = 0; i < MAX_VLAN_TAGS; i++) {
		struct vlan_header *vlan = start + offset;

		if (!is_vlan(protocol))
			break;
		if ((void *)(vlan + 1) > end)
			return INNER_MALFORMED;
		protocol = vlan->protocol;
		offset += sizeof(*vlan);
	}
	if (is_vlan(protocol))
		return INNER_TOO_DEEP;

	if (protocol == bpf_htons(ETH_P_PPP_SES)) {
		struct pppoe_header *pppoe = start + offset;

		if ((void *)(pppoe + 1) > end)
			return INNER_MALFORMED;

		__u32 is_short = pppoe->protocol[0] & 1;
		__u32 inner = is_short ? pppoe->protocol[0] : pppoe->protocol[0] << 8 | pppoe->protocol[1];

		offset += sizeof(*pppoe) - is_short;
		protocol = inner == PPP_IP ? bpf_htons(ETH_P_IP) : inner == PPP_IPV6 ? bpf_htons(ETH_P_IPV6) : 0;
	}
	return (__u64)offset << INNER_OFFSET_SHIFT | protocol;
}

#endif
