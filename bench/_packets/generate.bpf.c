/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Sends the frame that it is run with out of the interface that it is run for, each with another source.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "../_dataplane/draw.h"
#include "settings.h"

const volatile struct settings settings SEC(".rodata.settings");

SEC("xdp")
int generate_xdp(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = (void *)(long)ctx->data + sizeof(struct ethhdr);
	__u32 random = bpf_get_prandom_u32();
	/* From 1 on: the address of number 0 is 0.0.0.0, which an ipset does not take. */
	__u32 source = settings.rules ? mix(1 + (((__u64)random * settings.rules) >> 32)) : random;
	__u32 sum = settings.header_sum + (source >> 16) + (source & 0xffff);

	if ((void *)(ip + 1) > end)
		return XDP_ABORTED;
	ip->saddr = bpf_htonl(source);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = bpf_htons(~sum);
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
