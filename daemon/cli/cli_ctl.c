/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <unistd.h>
#include "daemon/cli/cli.h"

int
cli_ctl(const struct cli *c, enum ctl_op op, const void *body, size_t len,
    struct cli_reply *reply, int timeout_ms)
{
	char path[320];
	pid_t pid;
	int fd, r;

	reply->len = 0;
	snprintf(path, sizeof(path), "%s/control.sock", c->config.run_dir);
	r = ctl_connect(path, CLI_TIMEOUT_MS, &fd, &pid);
	if (r != CLV_OK)
		return r;
	r = ctl_call(fd, op, body, len, reply->body, sizeof(reply->body),
	    &reply->len, timeout_ms);
	close(fd);
	return r;
}

int
cli_ctl_status(const struct cli *c, struct ctl_status *ret)
{
	struct cli_reply reply;
	int r = cli_ctl(c, CTL_STATUS, NULL, 0, &reply, CLI_TIMEOUT_MS);

	if (r != CLV_OK)
		return r;
	if (reply.len != sizeof(*ret))
		return CLV_E_PROTOCOL;
	memcpy(ret, reply.body, sizeof(*ret));
	/* A daemon of ours ends its texts; another version might not. */
	ret->node[sizeof(ret->node) - 1] = '\0';
	ret->system_pk[sizeof(ret->system_pk) - 1] = '\0';
	ret->network_name[sizeof(ret->network_name) - 1] = '\0';
	ret->address[sizeof(ret->address) - 1] = '\0';
	ret->reason[sizeof(ret->reason) - 1] = '\0';
	return CLV_OK;
}
