/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <claviger/result.h>
#include "agents/mss.h"

void
mss_read(const struct ocf *o, struct mss *ret)
{
	address_read(o, &ret->address);
	ret->server.binary = ocf_get(o, "binary");
	ret->server.config = ocf_get(o, "config");
	ret->server.socket = ocf_get(o, "socket");
}

int
mss_fail(const struct ocf *o, const char *what, int result, const char *reason)
{
	int rc = result == CLV_E_NO_SERVER ? OCF_NOT_RUNNING : OCF_ERR_GENERIC;

	return ocf_fail(o, rc, "%s: %s", what,
	    reason != NULL && *reason != '\0' ? reason
					      : clv_result_text(result));
}

bool
mss_is_other_address(const struct address *a, const struct ctl_status *st)
{
	uint8_t ip[16];

	if (!a->carried || st->address[0] == '\0')
		return false;
	return inet_pton(a->family, st->address, ip) != 1 ||
	       memcmp(ip, a->ip, rtnl_ip_len(a->family)) != 0;
}

bool
mss_has_use_for_address(const struct mss *m, enum mt_daemon daemon,
    enum address_state address, const struct ctl_status *st, char *why)
{
	if (mss_is_other_address(&m->address, st)) {
		snprintf(why, OCF_REASON_MAX,
		    "ip is %s, but the system's address is %s", m->address.text,
		    st->address);
		return false;
	}
	return daemon != MT_STANDBY || address != ADDRESS_ABSENT ||
	       address_can_start(&m->address, why);
}

bool
mss_is_driven_by_other(const struct ctl_status *st)
{
	const char *us = getenv("OCF_RESOURCE_INSTANCE");
	size_t len = us != NULL ? (size_t)(strchrnul(us, ':') - us) : 0;

	return len > 0 && st->role != CTL_ROLE_OFF && st->resource[0] != '\0' &&
	       (strlen(st->resource) != len ||
		   strncmp(st->resource, us, len) != 0);
}
