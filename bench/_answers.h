// What the load generators of this folder share: sending a request whole, and finding the end of an answer.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

static void send_whole(int fd, const char *bytes, size_t length)
{
	for (size_t sent = 0; sent < length;) {
		ssize_t n = send(fd, bytes + sent, length - sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			perror("send");
			exit(1);
		}

		sent += (size_t)n;
	}
}

// The length of the first whole answer in the buffer, 0 when there is none yet.
static size_t whole_answer(const char *text, size_t length, int *status)
{
	const char *end = memmem(text, length, "\r\n\r\n", 4);
	if (!end)
		return 0;

	*status = atoi(text + 9);
	size_t head = (size_t)(end - text) + 4, body = 0;
	for (const char *line = text; line < end; line = (const char *)memchr(line, '\n', (size_t)(end + 2 - line)) + 1)
		if (strncasecmp(line, "content-length:", 15) == 0)
			body = strtoul(line + 15, NULL, 10);

	return length >= head + body ? head + body : 0;
}
