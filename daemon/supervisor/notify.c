/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <claviger/result.h>
#include "daemon/supervisor/process.h"

/* sd_notify(3), "Notes": a datagram to the AF_UNIX address in NOTIFY_SOCKET,
 * a path or, after '@', a name in the abstract namespace. */
static int
notify_address(const char *text, struct sockaddr_un *sa, socklen_t *ret_len)
{
	size_t len = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || len < 2 ||
	    len >= sizeof(sa->sun_path))
		return CLV_E_INVALID;
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	memcpy(sa->sun_path, text, len);
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (text[0] == '@')
		sa->sun_path[0] = '\0';
	else
		*ret_len += 1;
	return CLV_OK;
}

int
notify_send(const char *state)
{
	const char *text = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa;
	socklen_t len;
	ssize_t n;
	int fd, rc;

	if (text == NULL || text[0] == '\0')
		return CLV_OK;
	if ((rc = notify_address(text, &sa, &len)) != CLV_OK)
		return rc;
	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
		return CLV_E_SYSTEM;
	n = sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
	    (const struct sockaddr *)&sa, len);
	rc = n == (ssize_t)strlen(state) ? CLV_OK : CLV_E_SYSTEM;
	close(fd);
	return rc;
}
