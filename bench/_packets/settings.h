/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * Settings that generate.c passes to generate.bpf.c.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

struct settings {
	__u32 rules;	  /* sources of rules 1 to this one; 0: any source */
	__u32 header_sum; /* of the IPv4 header's words but the source and the checksum */
};

#endif
