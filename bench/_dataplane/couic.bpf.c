/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The program as it ships, behind a draw.
 */
#define COUIC_WITHOUT_ENTRY
#include "../../Bpf/couic.bpf.c"

#include "draw.h"

SEC("xdp")
int couic_xdp(struct xdp_md *ctx)
{
	draw(ctx);
	return filter(ctx);
}
