// Requests at a constant rate over a Unix socket, each timed from when it was due: one that waits for others counts as late
// as it is. Prints one line: answers, p50, p99 and the longest time in microseconds, answers of an unexpected status.
//
//   _steady SOCKET TOKEN REQUESTS-PER-SECOND SECONDS
//
// In turns of 16: an addition and the deletion of the same host (of 198.18.0.0/15), or once a turn GET /v1/stats. On SIGTERM
// it ends early and prints what it has. It ends after a deletion, so that the next run finds no host of this one.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "_answers.h"

#define MAX_IN_FLIGHT 65536

static uint64_t due[MAX_IN_FLIGHT];
static uint64_t sent, answered, wrong;
static uint32_t *times;
static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static int write_request(char *out, size_t room, const char *token)
{
	uint32_t turn = (uint32_t)(sent % 16), n = (uint32_t)(sent / 2);
	if (turn == 14)
		return snprintf(out, room, "GET /v1/stats HTTP/1.1\r\nHost: c\r\nAuthorization: Bearer %s\r\n\r\n", token);
	if (turn == 15)
		return snprintf(out, room, "GET /v1/drop/198.18.0.0/15 HTTP/1.1\r\nHost: c\r\nAuthorization: Bearer %s\r\n\r\n",
				token);

	char address[32], body[96];
	snprintf(address, sizeof address, "198.%u.%u.%u", 18 + ((n >> 16) & 1), (n >> 8) & 255, n & 255);
	if (turn % 2 == 1)
		return snprintf(out, room, "DELETE /v1/drop/%s/32 HTTP/1.1\r\nHost: c\r\nAuthorization: Bearer %s\r\n\r\n",
				address, token);
	int length = snprintf(body, sizeof body, "{\"cidr\":\"%s/32\",\"tag\":\"steady\",\"expiration\":0}", address);
	return snprintf(out, room,
			"POST /v1/drop HTTP/1.1\r\nHost: c\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
			"Content-Length: %d\r\n\r\n%s",
			token, length, body);
}

static void send_one(int fd, const char *token, uint64_t at)
{
	char out[512];
	int length = write_request(out, sizeof out, token);
	due[sent++ % MAX_IN_FLIGHT] = at;
	send_whole(fd, out, (size_t)length);
}

static void receive(int fd)
{
	static char input[1 << 20];
	static size_t length;
	ssize_t n = recv(fd, input + length, sizeof input - length, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fprintf(stderr, "steady: the connection ended\n");
		exit(1);
	}

	length += (size_t)n;
	uint64_t at = now_ns();
	size_t used = 0, answer;
	int status;
	while ((answer = whole_answer(input + used, length - used, &status)) > 0) {
		uint64_t turn = answered % 16, expected = turn == 14 ? 200 : turn == 15 ? 404 : turn % 2 ? 204 : 201;
		wrong += (uint64_t)status != expected;
		times[answered] = (uint32_t)((at - due[answered % MAX_IN_FLIGHT]) / 100);
		answered++;
		used += answer;
	}

	memmove(input, input + used, length - used);
	length -= used;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: _steady SOCKET TOKEN REQUESTS-PER-SECOND SECONDS\n");
		return 2;
	}

	double rate = atof(argv[3]), seconds = atof(argv[4]);
	times = malloc((size_t)(rate * seconds + 2) * sizeof *times);
	signal(SIGTERM, stop);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		perror(argv[1]);
		return 1;
	}

	uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9), step = (uint64_t)(1e9 / rate), next = start;
	while ((!stopped && now_ns() < end) || sent % 2 == 1 || answered < sent) {
		uint64_t at = now_ns();
		for (; ((!stopped && next < end) || sent % 2 == 1) && next <= at && sent - answered < MAX_IN_FLIGHT; next += step)
			send_one(fd, argv[2], next);

		struct pollfd poll = { .fd = fd, .events = POLLIN };
		uint64_t wait = next > at ? next - at : 0;
		struct timespec patience = { .tv_nsec = (long)(wait < 1000000 ? wait : 1000000) };
		if (ppoll(&poll, 1, &patience, NULL) > 0)
			receive(fd);
		if (sent > answered && now_ns() > due[answered % MAX_IN_FLIGHT] + 60000000000u) {
			fprintf(stderr, "steady: no answer for a minute\n");
			return 1;
		}
	}

	qsort(times, answered, sizeof *times, by_size);
	if (answered == 0)
		return 1;
	printf("%llu %.1f %.1f %.1f %llu\n", (unsigned long long)answered, times[answered / 2] / 10.0,
	       times[answered * 99 / 100] / 10.0, times[answered - 1] / 10.0, (unsigned long long)wrong);
	return 0;
}
