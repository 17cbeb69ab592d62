/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * What drawing and an XDP program that does nothing cost.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "draw.h"

SEC("xdp")
int empty_xdp(struct xdp_md *ctx)
{
	draw(ctx);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
