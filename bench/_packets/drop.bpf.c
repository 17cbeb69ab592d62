/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The ceiling: drops every packet and looks at none.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int drop_xdp(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
