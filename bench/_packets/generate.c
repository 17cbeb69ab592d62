// Source of packets for bench/packets: the kernel's test run with live frames sends real frames out of a veth interface, each
// with a source drawn from the rules 1 to RULES (0: from all addresses), from the first CPU. Prints how many packets arrived
// at the other end, by its own counter, in how many nanoseconds out of the middle of the run.
//
//   generate OBJECT FROM TO MAC-OF-TO RULES SECONDS
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "settings.h"

#define BATCH 64 // frames that wait before the kernel delivers them
#define WARM 20000

struct sample {
	uint64_t packets, ns;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static struct sample received(const char *interface)
{
	char line[512];
	struct timespec t;
	struct sample found = {0, 0};
	FILE *file = fopen("/proc/self/net/dev", "r");
	while (file && fgets(line, sizeof line, file)) {
		char *colon = strchr(line, ':');
		if (colon && strncmp(line + strspn(line, " "), interface, strlen(interface)) == 0)
			sscanf(colon + 1, "%*u %lu", &found.packets);
	}

	clock_gettime(CLOCK_MONOTONIC, &t);
	found.ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	fclose(file);
	return found;
}

static int load(const char *path, struct settings settings)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_map *constants = object ? bpf_object__find_map_by_name(object, ".rodata.settings") : NULL;
	if (!constants || bpf_map__set_initial_value(constants, &settings, sizeof settings) || bpf_object__load(object))
		fail(path);
	return bpf_program__fd(bpf_object__find_program_by_name(object, "generate_xdp"));
}

// Ends when it is killed.
static void send_frames(int program, const uint8_t *frame, uint32_t size, const char *interface)
{
	struct xdp_md context = {.data_end = size, .ingress_ifindex = if_nametoindex(interface)};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = size, .ctx_in = &context,
		    .ctx_size_in = sizeof context, .repeat = 1 << 30, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);
	cpu_set_t first = {{1}};
	if (sched_setaffinity(0, sizeof first, &first) || bpf_prog_test_run_opts(program, &options))
		fail("test run");
}

int main(int argc, char **argv)
{
	if (argc != 7) {
		fprintf(stderr, "usage: generate OBJECT FROM TO MAC-OF-TO RULES SECONDS\n");
		return 2;
	}

	uint8_t frame[64] = {
		[6] = 2, [12] = 8, [14] = 0x45, [17] = 50, [22] = 64, [23] = 17, // Ethernet, IPv4, UDP
		[30] = 198, [31] = 18, [33] = 1,				 // to 198.18.0.1, of a network for benchmarks (RFC 2544)
		[35] = 9, [37] = 9, [39] = 30,					 // from and to the port of the discard service
	};
	sscanf(argv[4], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &frame[0], &frame[1], &frame[2], &frame[3], &frame[4], &frame[5]);
	struct settings settings = {.rules = (uint32_t)atoi(argv[5])};
	for (int i = 14; i < 34; i += 2)
		settings.header_sum += (uint32_t)(frame[i] << 8 | frame[i + 1]);
	int program = load(argv[1], settings);

	struct sample before = received(argv[3]), begin, end;
	pid_t sender = fork();
	if (sender == 0)
		send_frames(program, frame, sizeof frame, argv[2]);

	do {
		usleep(1000);
		begin = received(argv[3]);
	} while (begin.packets < before.packets + WARM && waitpid(sender, NULL, WNOHANG) == 0);
	usleep((useconds_t)(atof(argv[6]) * 1e6));
	end = received(argv[3]);
	kill(sender, SIGKILL);
	waitpid(sender, NULL, 0);
	printf("%lu %lu\n", end.packets - begin.packets, end.ns - begin.ns);
	return 0;
}
