/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <string.h>

#include "agents/dns.h"
#include "agents/mss.h"

static int
refuse_promoted_max(const struct ocf *o)
{
	static const char *const names[] = {
	    "promoted_max", "promoted_node_max", "master_max"};
	/* While another node serves, a second promotion is no reason to stop
	 * that one, which 6 would do: 2 holds for this node alone. */
	int rc = strcmp(o->action->name, "promote") == 0 ? OCF_ERR_ARGS
							 : OCF_ERR_CONFIGURED;
	const char *s;
	size_t i;
	long n;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		s = ocf_meta(names[i]);
		if (s != NULL && (!ocf_parse_int(s, 0, 100000, &n) || n != 1))
			return ocf_fail(o, rc,
			    "there is one active master secret server: "
			    "promoted-max must be 1, not %.20s",
			    s);
	}
	return OCF_SUCCESS;
}

static int
check_paths(const struct ocf *o)
{
	static const char *const names[] = {"binary", "config", "socket"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (ocf_get(o, names[i])[0] != '/')
			return ocf_fail(o, OCF_ERR_CONFIGURED,
			    "%s: \"%.60s\" is not an absolute path", names[i],
			    ocf_get(o, names[i]));
	return OCF_SUCCESS;
}

int
mss_check(struct ocf *o)
{
	struct address a;
	int rc = refuse_promoted_max(o);

	if (rc == OCF_SUCCESS)
		rc = address_refuse_globally_unique(o);
	if (rc == OCF_SUCCESS)
		rc = check_paths(o);
	if (rc == OCF_SUCCESS)
		rc = address_read(o, &a);
	return rc == OCF_SUCCESS ? dns_read(o, &a) : rc;
}

int
mss_validate(struct ocf *o)
{
	struct mss m;
	int rc;

	if (o->level < 10)
		return OCF_SUCCESS;
	mss_read(o, &m);
	if (!server_is_installed(o, &m.server))
		return OCF_ERR_INSTALLED;
	rc = address_validate(o, &m.address);
	return rc == OCF_SUCCESS ? dns_validate(o, &m.address) : rc;
}
