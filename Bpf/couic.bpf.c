#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "couic.h"
SEC("xdp") int couic_xdp(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}
char LICENSE[] SEC("license") = "GPL";
