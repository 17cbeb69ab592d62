// Load generator for bench/api and bench/tls: one thread, N connections to a Unix socket (with -DTLS: by TLS to a port of 127.0.0.1), D requests in flight on each, all answers
// timed. Prints one line: requests per second, p50, p99, p99.9 in microseconds, and the answers that were not 201 or 204.
//
//   apiload SOCKET TOKEN CONNECTIONS DEPTH SECONDS KIND
//
// KIND is "add" (POST /v1/drop), "churn" (each address added, then deleted: the table stays small) or "constant" (the same
// POST again and again, for a peer that answers a constant 201).
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "_answers.h"

#ifdef TLS
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#endif

#define MAX_DEPTH 64
#define BUCKETS 2000000 // of 100 ns: up to 200 ms

struct connection {
	int fd;
	int in_flight;
	uint64_t sent[MAX_DEPTH]; // a ring of departure times
	int head;
	size_t length;
	char input[65536];
#ifdef TLS
	SSL *tls;
#endif
};

static uint32_t histogram[BUCKETS + 1];
static const char *token, *kind;
static uint32_t next_address;
static uint64_t done, wrong;

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int write_request(char *out, size_t room)
{
	uint32_t n = next_address++;
	int deletes = 0;
	if (strcmp(kind, "churn") == 0) {
		// Blocks of 1024 additions, then their deletions: what is deleted was answered long before.
		deletes = (n >> 10) & 1;
		n = ((n >> 11) << 10) | (n & 1023);
	}

	char cidr[32];
	snprintf(cidr, sizeof cidr, "10.%u.%u.%u", (n >> 16) & 255, (n >> 8) & 255, n & 255);
	if (deletes)
		return snprintf(out, room, "DELETE /v1/drop/%s/32 HTTP/1.1\r\nHost: couic\r\nAuthorization: Bearer %s\r\n\r\n", cidr, token);

	char body[128];
	int length = snprintf(body, sizeof body, "{\"cidr\":\"%s/32\",\"tag\":\"bench\",\"expiration\":0}", cidr);
	return snprintf(out, room,
			"POST /v1/drop HTTP/1.1\r\nHost: couic\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
			"Content-Length: %d\r\n\r\n%s",
			token, length, body);
}

#ifdef TLS
static void transmit(struct connection *c, const char *bytes, size_t length)
{
	if (SSL_write(c->tls, bytes, (int)length) != (int)length) {
		fprintf(stderr, "apiload: TLS write failed\n");
		exit(1);
	}
}

static ssize_t take(struct connection *c, char *into, size_t room)
{
	int n = SSL_read(c->tls, into, (int)room);
	if (n > 0)
		return n;
	errno = EAGAIN;
	return SSL_get_error(c->tls, n) == SSL_ERROR_WANT_READ ? -1 : 0;
}

static int more_waits(struct connection *c) { return SSL_has_pending(c->tls); }

static void open_connection(struct connection *c, const char *port)
{
	static SSL_CTX *context;
	if (!context)
		context = SSL_CTX_new(TLS_client_method());
	int yes = 1;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	c->tls = SSL_new(context);
	if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0 || !SSL_set_fd(c->tls, c->fd) || SSL_connect(c->tls) != 1) {
		fprintf(stderr, "apiload: no TLS at port %s\n", port);
		exit(1);
	}

	fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
}
#else
static void transmit(struct connection *c, const char *bytes, size_t length) { send_whole(c->fd, bytes, length); }

static ssize_t take(struct connection *c, char *into, size_t room) { return recv(c->fd, into, room, MSG_DONTWAIT); }

static int more_waits(struct connection *c)
{
	(void)c;
	return 0;
}

static void open_connection(struct connection *c, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0) {
		perror(path);
		exit(1);
	}
}
#endif

static void send_more(struct connection *c, int depth)
{
	char out[MAX_DEPTH * 512];
	int length = 0;
	uint64_t at = now_ns();
	while (c->in_flight < depth) {
		length += write_request(out + length, sizeof out - (size_t)length);
		c->sent[(c->head + c->in_flight++) % MAX_DEPTH] = at;
	}

	transmit(c, out, (size_t)length);
}

static void receive(struct connection *c, int depth)
{
	ssize_t n = take(c, c->input + c->length, sizeof c->input - c->length);
	if (n <= 0) {
		if (n < 0 && errno == EAGAIN)
			return;
		fprintf(stderr, "apiload: connection ended\n");
		exit(1);
	}

	c->length += (size_t)n;
	uint64_t at = now_ns();
	size_t used = 0, answer;
	int status;
	while ((answer = whole_answer(c->input + used, c->length - used, &status)) > 0) {
		uint64_t bucket = (at - c->sent[c->head]) / 100;
		histogram[bucket < BUCKETS ? bucket : BUCKETS]++;
		c->head = (c->head + 1) % MAX_DEPTH;
		c->in_flight--;
		used += answer;
		done++;
		wrong += status != 201 && status != 204;
	}

	memmove(c->input, c->input + used, c->length - used);
	c->length -= used;
	if (c->in_flight <= depth / 2)
		send_more(c, depth);
}

static double percentile(double share)
{
	uint64_t wanted = (uint64_t)((double)done * share), seen = 0;
	for (int i = 0; i <= BUCKETS; i++)
		if ((seen += histogram[i]) > wanted)
			return i / 10.0;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 7) {
		fprintf(stderr, "usage: apiload SOCKET TOKEN CONNECTIONS DEPTH SECONDS add|churn|constant\n");
		return 2;
	}

	token = argv[2];
	kind = argv[6];
	int count = atoi(argv[3]), depth = atoi(argv[4]);
	double seconds = atof(argv[5]);
	if (depth < 1 || depth > MAX_DEPTH)
		return 2;

	// Another part of 10.0.0.0/8 in each run: entries that the last run left do not interfere.
	next_address = (uint32_t)(now_ns() / 1000000 % 16384) << 11;
	int poll = epoll_create1(0);
	struct connection *all = calloc((size_t)count, sizeof *all);
	for (int i = 0; i < count; i++) {
		open_connection(&all[i], argv[1]);
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
		epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event);
	}

	uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9);
	for (int i = 0; i < count; i++)
		send_more(&all[i], depth);

	struct epoll_event events[256];
	while (now_ns() < end) {
		int n = epoll_wait(poll, events, 256, 1000);
		if (n == 0) {
			fprintf(stderr, "apiload: no answer for a second\n");
			return 1;
		}

		for (int i = 0; i < n; i++)
			do
				receive(events[i].data.ptr, depth);
			while (more_waits(events[i].data.ptr));
	}

	double elapsed = (double)(now_ns() - start) / 1e9;
	printf("%.0f %.1f %.1f %.1f %llu\n", (double)done / elapsed, percentile(0.5), percentile(0.99), percentile(0.999),
	       (unsigned long long)wrong);
	return 0;
}
