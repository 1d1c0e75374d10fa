/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "agents/address.h"

/* Each reader: false when the value is wrong, and then `why` says so. */

static bool
read_ip(const struct ocf *o, struct address *a, char *why)
{
	const char *s = ocf_get(o, "ip");

	if (*s == '\0')
		return true;
	a->family = strchr(s, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(a->family, s, a->ip) != 1) {
		snprintf(why, OCF_REASON_MAX,
		    "ip: \"%.50s\" is not an IPv4 or IPv6 address", s);
		return false;
	}
	if ((a->family == AF_INET && a->ip[0] >= 224) ||
	    (a->family == AF_INET6 && a->ip[0] == 0xff) ||
	    memcmp(a->ip, (uint8_t[16]){0}, rtnl_ip_len(a->family)) == 0) {
		snprintf(why, OCF_REASON_MAX,
		    "ip: %.50s is not an address of one host", s);
		return false;
	}
	memcpy(a->text, s, strlen(s)); /* shorter, or it had not parsed */
	a->carried = true;
	return true;
}

static bool
is_name(const char *s)
{
	const char *p;

	for (p = s; *p != '\0'; p++)
		if (*p <= ' ' || *p == '/' || *p == '\x7f')
			return false;
	return strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

static bool
read_nic(const struct ocf *o, struct address *a, char *why)
{
	const char *s = ocf_get(o, "nic"), *colon = strchr(s, ':');
	const char *label = colon != NULL ? colon + 1 : ocf_get(o, "iflabel");
	size_t len = colon != NULL ? (size_t)(colon - s) : strlen(s);

	if (len >= sizeof(a->nic) || !is_name(s)) {
		snprintf(why, OCF_REASON_MAX,
		    "nic: \"%.40s\" is not the name of an interface", s);
		return false;
	}
	memcpy(a->nic, s, len);
	if (strlen(label) >= sizeof(a->iflabel) || !is_name(label) ||
	    (*label != '\0' && len + 1 + strlen(label) >= IFNAMSIZ)) {
		snprintf(why, OCF_REASON_MAX,
		    "iflabel: \"%.40s\" with the interface's name and a colon "
		    "is longer than 15 characters",
		    label);
		return false;
	}
	memcpy(a->iflabel, label, strlen(label));
	return true;
}

/* 255.255.255.0 -> 24; -1: has a gap. */
static int
mask_prefix(const uint8_t mask[4])
{
	uint32_t m = (uint32_t)mask[0] << 24 | (uint32_t)mask[1] << 16 |
		     (uint32_t)mask[2] << 8 | mask[3];
	int n = 0;

	for (; m & 0x80000000u; m <<= 1)
		n++;
	return m == 0 ? n : -1;
}

static bool
read_prefix(const struct ocf *o, struct address *a, char *why)
{
	const char *s = ocf_get(o, "cidr_netmask");
	long max = a->family == AF_INET6 ? 128 : 32, v;
	uint8_t mask[4];

	a->prefix = -1;
	if (*s == '\0')
		return true;
	if (ocf_parse_int(s, 1, max, &v)) {
		a->prefix = (int)v;
		return true;
	}
	if (a->family == AF_INET && strchr(s, '.') != NULL &&
	    inet_pton(AF_INET, s, mask) == 1 && mask_prefix(mask) > 0) {
		a->prefix = mask_prefix(mask);
		return true;
	}
	snprintf(why, OCF_REASON_MAX,
	    "cidr_netmask: \"%.40s\" is not a prefix length from 1 to %ld", s,
	    max);
	return false;
}

static bool
read_broadcast(const struct ocf *o, struct address *a, char *why)
{
	const char *s = ocf_get(o, "broadcast");

	a->broadcast_rule = '+';
	if (*s == '\0' || a->family != AF_INET)
		return true;
	if (strcmp(s, "+") == 0 || strcmp(s, "-") == 0) {
		a->broadcast_rule = *s;
		return true;
	}
	if (inet_pton(AF_INET, s, a->broadcast) == 1) {
		a->broadcast_rule = '=';
		return true;
	}
	snprintf(why, OCF_REASON_MAX,
	    "broadcast: \"%.40s\" is neither an IPv4 address nor + or -", s);
	return false;
}

static bool
check_link_local(const struct ocf *o, struct address *a, char *why)
{
	if (a->family != AF_INET6 || a->ip[0] != 0xfe ||
	    (a->ip[1] & 0xc0) != 0x80 || a->nic[0] != '\0')
		return true;
	snprintf(why, OCF_REASON_MAX,
	    "nic: the link-local address %s needs an interface", a->text);
	return false;
}

int
address_read(const struct ocf *o, struct address *ret)
{
	static bool (*const readers[])(
	    const struct ocf *, struct address *, char *) = {
	    read_ip, read_nic, read_prefix, read_broadcast, check_link_local};
	char why[OCF_REASON_MAX];
	size_t i;

	memset(ret, 0, sizeof(*ret));
	ret->nodad = ocf_get_bool(o, "nodad");
	ret->noprefixroute = ocf_get_bool(o, "noprefixroute");
	ret->check_link_status = ocf_get_bool(o, "check_link_status");
	ret->arp_count = (unsigned)ocf_get_int(o, "arp_count");
	ret->arp_interval_ms = (unsigned)ocf_get_int(o, "arp_interval");
	ret->arp_bg = ocf_get_bool(o, "arp_bg");
	for (i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		if (readers[i](o, ret, why))
			continue;
		if (o->action->strict)
			return ocf_fail(o, OCF_ERR_CONFIGURED, "%s", why);
		ocf_log(LOG_WARNING, "%s: %s", o->action->name, why);
	}
	return OCF_SUCCESS;
}

int
address_refuse_globally_unique(const struct ocf *o)
{
	const char *s = ocf_meta("globally_unique"), *n;
	bool unique;
	long max;

	if (s != NULL && ocf_parse_bool(s, &unique) && unique)
		return ocf_fail(o, OCF_ERR_CONFIGURED,
		    "a globally-unique clone cannot hold one address: set "
		    "globally-unique=false");
	n = ocf_meta("clone_node_max");
	if (n != NULL && ocf_parse_int(n, 0, 1000000, &max) && max > 1)
		return ocf_fail(o, OCF_ERR_CONFIGURED,
		    "clone-node-max is %ld: set it to 1", max);
	return OCF_SUCCESS;
}
