// The least that a program can do to fill a longest-prefix trie: BPF_MAP_UPDATE_BATCH in a loop, keys ready in memory.
// Prints the seconds that the loop took.
//
//   _batchload < KEYS        IPv4 addresses of hosts, four bytes each in network order
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCH 4096

struct key {
	uint32_t length;
	uint32_t address;
};

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(void)
{
	size_t room = 1 << 16, count = 0;
	struct key *keys = malloc(room * sizeof *keys);
	uint32_t address;
	while (fread(&address, sizeof address, 1, stdin) == 1) {
		if (count == room)
			keys = realloc(keys, (room *= 2) * sizeof *keys);
		keys[count++] = (struct key){ 32, address };
	}

	uint32_t *values = calloc(count, sizeof *values);
	union bpf_attr create;
	memset(&create, 0, sizeof create);
	create.map_type = BPF_MAP_TYPE_LPM_TRIE;
	create.key_size = sizeof(struct key);
	create.value_size = sizeof *values;
	create.max_entries = (uint32_t)count;
	create.map_flags = BPF_F_NO_PREALLOC;
	int map = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &create, sizeof create);
	if (map < 0) {
		perror("bpf: create map");
		return 1;
	}

	double begin = now();
	for (size_t done = 0; done < count;) {
		union bpf_attr update;
		memset(&update, 0, sizeof update);
		update.batch.keys = (uint64_t)(uintptr_t)(keys + done);
		update.batch.values = (uint64_t)(uintptr_t)(values + done);
		update.batch.count = (uint32_t)(count - done < BATCH ? count - done : BATCH);
		update.batch.map_fd = (uint32_t)map;
		if (syscall(SYS_bpf, BPF_MAP_UPDATE_BATCH, &update, sizeof update) != 0) {
			perror("bpf: update batch");
			return 1;
		}

		done += update.batch.count;
	}

	printf("%.6f\n", now() - begin);
	return 0;
}
