/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/supervisor/process.h"

enum link_word
link_hear(int fd, struct link_config *ret)
{
	ssize_t n = recv(fd, ret, sizeof(*ret), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return LINK_SILENT;
	if (n == sizeof(*ret) && ret->op == LINK_RELOAD)
		return LINK_SAYS_CONFIG;
	if (n != sizeof(struct link_msg))
		return LINK_IS_GONE;
	return ret->op == LINK_END ? LINK_SAYS_END : LINK_SILENT;
}

void
link_send_config(int fd, const struct config *c)
{
	struct link_config m = {.op = LINK_RELOAD, .c = *c};

	if (fd >= 0)
		send(fd, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT);
}
