// The least that a server can do for single additions and deletions: it receives a request, writes a rule into a longest-prefix
// trie or takes it out, and sends a constant answer. It checks nothing, knows no client and keeps neither rules nor log. As
// couic does, it takes the requests of eight connections together: one call of bpf() for their additions, one for their
// deletions, and then the answers.
//
//   _floor SOCKET        needs CAP_BPF; ends with a signal
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define GROUP 8
#define DEPTH 64 // requests of a connection that are received at once, at most

struct key {
	uint32_t length;
	uint32_t address;
};

struct connection {
	int fd;
	size_t length;
	char input[16384];
	char output[DEPTH * 256];
	size_t answers;
};

struct batch {
	struct key keys[GROUP * DEPTH];
	uint32_t values[GROUP * DEPTH];
	uint32_t count;
};

static const char created[] = "HTTP/1.1 201 Created\r\ncontent-length: 74\r\ncontent-type: application/json\r\n\r\n"
			      "{\"creation\":1700000000,\"cidr\":\"10.0.0.1/32\",\"tag\":\"bench\",\"expiration\":0}\n";
static const char deleted[] = "HTTP/1.1 204 No Content\r\n\r\n";
static struct batch additions, deletions;
static int trie;

// A batch ends at a key that is not there, which the load generator may ask for where it has very many requests on their way; and
// where the kernel has no memory at hand, which it has a moment later.
static void write_batch(int command, struct batch *batch)
{
	for (uint32_t done = 0; done < batch->count;) {
		union bpf_attr attr;
		memset(&attr, 0, sizeof attr);
		attr.batch.keys = (uint64_t)(uintptr_t)(batch->keys + done);
		attr.batch.values = command == BPF_MAP_UPDATE_BATCH ? (uint64_t)(uintptr_t)(batch->values + done) : 0;
		attr.batch.count = batch->count - done;
		attr.batch.map_fd = (uint32_t)trie;
		long error = syscall(SYS_bpf, command, &attr, sizeof attr);
		int missing = error && errno == ENOENT;
		if (error && !missing && errno != ENOMEM) {
			perror("bpf");
			exit(1);
		}

		done += attr.batch.count + (uint32_t)missing;
	}

	batch->count = 0;
}

// Takes the complete requests in the buffer. An address is at a fixed position after a constant text.
static void take(struct connection *c)
{
	char *at = c->input, *end = c->input + c->length, *head;
	while (c->answers + sizeof created < sizeof c->output && (head = memmem(at, (size_t)(end - at), "\r\n\r\n", 4))) {
		int adds = *at == 'P';
		char *address = adds ? head + sizeof "\r\n\r\n{\"cidr\":\"" - 1 : at + sizeof "DELETE /v1/drop/" - 1;
		char *next = head + 4;
		if (adds && !(next = memchr(next, '}', (size_t)(end - next))))
			break;

		next += adds;
		uint32_t value = 0, part = 0;
		for (; *address != '/'; address++) {
			if (*address == '.') {
				value = value << 8 | part;
				part = 0;
			} else {
				part = part * 10 + (uint32_t)(*address - '0');
			}
		}

		struct batch *batch = adds ? &additions : &deletions;
		batch->keys[batch->count] = (struct key){ 32, htonl(value << 8 | part) };
		batch->values[batch->count++] = 1;
		memcpy(c->output + c->answers, adds ? created : deleted, adds ? sizeof created - 1 : sizeof deleted - 1);
		c->answers += adds ? sizeof created - 1 : sizeof deleted - 1;
		at = next;
	}

	c->length = (size_t)(end - at);
	memmove(c->input, at, c->length);
}

static void answer(struct connection **group, int count)
{
	write_batch(BPF_MAP_UPDATE_BATCH, &additions);
	write_batch(BPF_MAP_DELETE_BATCH, &deletions);
	for (int i = 0; i < count; i++) {
		if (send(group[i]->fd, group[i]->output, group[i]->answers, MSG_NOSIGNAL) < 0 && errno != EPIPE) {
			perror("send");
			exit(1);
		}

		group[i]->answers = 0;
	}
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: _floor SOCKET\n");
		return 2;
	}

	union bpf_attr create;
	memset(&create, 0, sizeof create);
	create.map_type = BPF_MAP_TYPE_LPM_TRIE;
	create.key_size = sizeof(struct key);
	create.value_size = sizeof(uint32_t);
	create.max_entries = 1 << 20;
	create.map_flags = BPF_F_NO_PREALLOC;
	trie = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &create, sizeof create);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), poll = epoll_create1(0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
	if (trie < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 128) < 0) {
		perror("_floor");
		return 1;
	}

	struct epoll_event event = { .events = EPOLLIN }, events[64];
	epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
	struct connection *group[GROUP];
	for (int joined = 0;;) {
		int ready = epoll_wait(poll, events, 64, -1);
		for (int i = 0; i < ready; i++) {
			struct connection *c = events[i].data.ptr;
			if (!c) {
				c = calloc(1, sizeof *c);
				c->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
				event.data.ptr = c;
				epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event);
				continue;
			}

			ssize_t n = recv(c->fd, c->input + c->length, sizeof c->input - c->length, 0);
			if (n <= 0) {
				close(c->fd);
				free(c);
				continue;
			}

			c->length += (size_t)n;
			take(c);
			if (c->answers)
				group[joined++] = c;
			if (joined == GROUP) {
				answer(group, joined);
				joined = 0;
			}
		}

		answer(group, joined);
		joined = 0;
	}
}
