/* SPDX-License-Identifier: GPL-2.0-only OR MIT
 *
 * The program as shipped, after a draw.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "draw.h"

#define BEFORE_FILTER draw
#include "../../Bpf/couic.bpf.c"
