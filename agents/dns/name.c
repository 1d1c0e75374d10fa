/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/dns/dns.h"

static int
no_memory(char *why)
{
	return dns_fail(why, DNS_SILENT, "out of memory");
}

int
dns_name_init(const char *name, const char *address, uint32_t ttl,
    struct dns_name *ret, char *why)
{
	bool v6 = strchr(address, ':') != NULL;

	*ret = (struct dns_name){.name = name,
	    .address_text = address,
	    .ttl = ttl,
	    .type = v6 ? LDNS_RR_TYPE_AAAA : LDNS_RR_TYPE_A};
	ret->owner = ldns_dname_new_frm_str(name);
	if (ret->owner == NULL || ldns_dname_label_count(ret->owner) < 2)
		return dns_fail(why, DNS_USAGE,
		    "\"%.100s\" is not a name with its domain", name);
	ret->address = ldns_rdf_new_frm_str(
	    v6 ? LDNS_RDF_TYPE_AAAA : LDNS_RDF_TYPE_A, address);
	if (ret->address == NULL)
		return dns_fail(
		    why, DNS_USAGE, "\"%.60s\" is not an address", address);
	ret->reverse = ldns_rdf_address_reverse(ret->address);
	return ret->reverse != NULL ? DNS_OK : no_memory(why);
}

void
dns_name_fini(struct dns_name *n)
{
	ldns_rdf_deep_free(n->owner);
	ldns_rdf_deep_free(n->address);
	ldns_rdf_deep_free(n->reverse);
	memset(n, 0, sizeof(*n));
}

static int
query(struct dns *d, const ldns_rdf *owner, ldns_rr_type type, ldns_pkt **ret)
{
	ldns_rdf *copy = ldns_rdf_clone(owner);
	ldns_pkt *q = copy != NULL
			  ? ldns_pkt_query_new(copy, type, LDNS_RR_CLASS_IN, 0)
			  : NULL;
	int status;

	if (q == NULL) {
		ldns_rdf_deep_free(copy);
		return no_memory(d->why);
	}
	status = dns_talk(d, q, ret);
	ldns_pkt_free(q);
	return status;
}

/* "secrets.example." for an error text. */
static void
to_text(const ldns_rdf *rdf, char *ret, size_t cap)
{
	char *s = ldns_rdf2str(rdf);

	snprintf(ret, cap, "%s", s != NULL ? s : "?");
	free(s);
}

static int
refused(struct dns *d, const ldns_pkt *answer, const char *what,
    const ldns_rdf *owner)
{
	char *code = ldns_pkt_rcode2str(ldns_pkt_get_rcode(answer));
	char name[100];

	to_text(owner, name, sizeof(name));
	/* It may be able to later. */
	dns_fail(d->why, 0, "the DNS server %.60s: %s of %s: %s",
	    d->server_text, what, name, code != NULL ? code : "refused");
	free(code);
	return ldns_pkt_get_rcode(answer) == LDNS_RCODE_SERVFAIL ? DNS_SILENT
								 : DNS_REFUSED;
}

static bool
is_at(const ldns_rr *rr, ldns_rr_type type, const ldns_rdf *owner)
{
	return ldns_rr_get_type(rr) == type &&
	       ldns_dname_compare(ldns_rr_owner(rr), owner) == 0;
}

/* The zone that the start of authority in it is of. */
static const ldns_rdf *
zone_in(const ldns_rr_list *section, const ldns_rdf *owner)
{
	const ldns_rr *rr;
	size_t i;

	for (i = 0; i < ldns_rr_list_rr_count(section); i++) {
		rr = ldns_rr_list_rr(section, i);
		if (is_at(rr, LDNS_RR_TYPE_SOA, owner) ||
		    (ldns_rr_get_type(rr) == LDNS_RR_TYPE_SOA &&
			ldns_dname_is_subdomain(owner, ldns_rr_owner(rr))))
			return ldns_rr_owner(rr);
	}
	return NULL;
}

static bool
is_alias(const ldns_pkt *answer, const ldns_rdf *owner)
{
	const ldns_rr_list *section = ldns_pkt_answer(answer);
	size_t i;

	for (i = 0; i < ldns_rr_list_rr_count(section); i++)
		if (is_at(
			ldns_rr_list_rr(section, i), LDNS_RR_TYPE_CNAME, owner))
			return true;
	return false;
}

static int
read_zone(struct dns *d, const ldns_pkt *answer, const ldns_rdf *owner,
    ldns_rdf **ret)
{
	const ldns_rdf *zone = NULL;
	char name[100];

	to_text(owner, name, sizeof(name));
	/* An update of it would be taken, and do nothing (RFC 2136,
	 * 3.4.2.2). */
	if (is_alias(answer, owner))
		return dns_fail(d->why, DNS_REFUSED,
		    "%s is an alias (CNAME): remove it, or use another name",
		    name);
	if (ldns_pkt_get_rcode(answer) == LDNS_RCODE_NOERROR ||
	    ldns_pkt_get_rcode(answer) == LDNS_RCODE_NXDOMAIN) {
		zone = zone_in(ldns_pkt_answer(answer), owner);
		if (zone == NULL)
			zone = zone_in(ldns_pkt_authority(answer), owner);
	} else if (ldns_pkt_get_rcode(answer) == LDNS_RCODE_SERVFAIL) {
		return refused(d, answer, "zone", owner);
	}
	if (zone == NULL)
		return dns_fail(d->why, DNS_REFUSED,
		    "the DNS server %.60s has no zone for %s", d->server_text,
		    name);
	*ret = ldns_rdf_clone(zone);
	return *ret != NULL ? DNS_OK : no_memory(d->why);
}

/* Caller frees. */
static int
find_zone(struct dns *d, const ldns_rdf *owner, ldns_rdf **ret)
{
	ldns_pkt *answer = NULL;
	int status = query(d, owner, LDNS_RR_TYPE_SOA, &answer);

	if (status == DNS_OK)
		status = read_zone(d, answer, owner, ret);
	ldns_pkt_free(answer);
	return status;
}

/* NULL without memory. `value` NULL: all records of the type. */
static ldns_rr *
make_rr(const ldns_rdf *owner, ldns_rr_type type, uint32_t ttl,
    const ldns_rdf *value)
{
	ldns_rr *rr = ldns_rr_new();

	if (rr == NULL)
		return NULL;
	ldns_rr_set_owner(rr, ldns_rdf_clone(owner));
	ldns_rr_set_type(rr, type);
	ldns_rr_set_class(
	    rr, value != NULL ? LDNS_RR_CLASS_IN : LDNS_RR_CLASS_ANY);
	ldns_rr_set_ttl(rr, ttl);
	if (value != NULL)
		ldns_rr_push_rdf(rr, ldns_rdf_clone(value));
	return rr;
}

/* RFC 2136, 2.5: the old ones out and the new one in, in one message. */
static ldns_pkt *
make_update(const ldns_rdf *zone, const ldns_rdf *owner, ldns_rr_type type,
    uint32_t ttl, const ldns_rdf *value)
{
	ldns_rr_list *changes = ldns_rr_list_new();
	ldns_pkt *p = NULL;

	if (changes != NULL &&
	    ldns_rr_list_push_rr(changes, make_rr(owner, type, 0, NULL)) &&
	    ldns_rr_list_push_rr(changes, make_rr(owner, type, ttl, value)))
		p = ldns_update_pkt_new(ldns_rdf_clone(zone), LDNS_RR_CLASS_IN,
		    NULL, changes, NULL);
	if (p != NULL)
		ldns_pkt_set_rd(p, false);
	ldns_rr_list_deep_free(changes);
	return p;
}

static int
replace(struct dns *d, const ldns_rdf *owner, ldns_rr_type type, uint32_t ttl,
    const ldns_rdf *value)
{
	ldns_pkt *update = NULL, *answer = NULL;
	ldns_rdf *zone = NULL;
	int status = find_zone(d, owner, &zone);

	if (status != DNS_OK)
		return status;
	update = make_update(zone, owner, type, ttl, value);
	ldns_rdf_deep_free(zone);
	if (update == NULL)
		return no_memory(d->why);
	status = dns_talk(d, update, &answer);
	if (status == DNS_OK &&
	    ldns_pkt_get_rcode(answer) != LDNS_RCODE_NOERROR)
		status = refused(d, answer, "update", owner);
	ldns_pkt_free(update);
	ldns_pkt_free(answer);
	return status;
}

int
dns_register_name(struct dns *d, const struct dns_name *n)
{
	return replace(d, n->owner, n->type, n->ttl, n->address);
}

int
dns_register_pointer(struct dns *d, const struct dns_name *n)
{
	return replace(d, n->reverse, LDNS_RR_TYPE_PTR, n->ttl, n->owner);
}

/* Names in whatever letters. */
static bool
is_same(const ldns_rdf *a, const ldns_rdf *b)
{
	if (ldns_rdf_get_type(a) == LDNS_RDF_TYPE_DNAME &&
	    ldns_rdf_get_type(b) == LDNS_RDF_TYPE_DNAME)
		return ldns_dname_compare(a, b) == 0;
	return ldns_rdf_compare(a, b) == 0;
}

/* Is `want` the only one? What there is goes into ret_found. */
static bool
is_only(const ldns_pkt *answer, const ldns_rdf *owner, ldns_rr_type type,
    const ldns_rdf *want, char *ret_found, size_t cap)
{
	const ldns_rr_list *section = ldns_pkt_answer(answer);
	size_t i, n = 0, used;
	const ldns_rr *rr;
	bool same = false;
	char text[64];

	snprintf(ret_found, cap, "nothing");
	for (i = 0; i < ldns_rr_list_rr_count(section); i++) {
		rr = ldns_rr_list_rr(section, i);
		if (!is_at(rr, type, owner) || ldns_rr_rd_count(rr) != 1)
			continue;
		same = same || is_same(ldns_rr_rdf(rr, 0), want);
		to_text(ldns_rr_rdf(rr, 0), text, sizeof(text));
		used = n == 0 ? 0 : strlen(ret_found);
		snprintf(ret_found + used, cap - used, "%s%s",
		    n == 0 ? "" : ", ", text);
		n++;
	}
	return same && n == 1;
}

static int
compare(struct dns *d, const ldns_rdf *owner, ldns_rr_type type,
    const ldns_rdf *want)
{
	ldns_pkt *answer = NULL;
	char found[100], name[80], wanted[50];
	int status = query(d, owner, type, &answer);

	if (status == DNS_OK &&
	    ldns_pkt_get_rcode(answer) != LDNS_RCODE_NOERROR &&
	    ldns_pkt_get_rcode(answer) != LDNS_RCODE_NXDOMAIN)
		status = refused(d, answer, "query", owner);
	if (status == DNS_OK &&
	    !is_only(answer, owner, type, want, found, sizeof(found))) {
		to_text(owner, name, sizeof(name));
		to_text(want, wanted, sizeof(wanted));
		status = dns_fail(d->why, DNS_DIFFERS,
		    "%s is %s in DNS, not %s", name, found, wanted);
	}
	ldns_pkt_free(answer);
	return status;
}

int
dns_check_name(struct dns *d, const struct dns_name *n)
{
	return compare(d, n->owner, n->type, n->address);
}

int
dns_check_pointer(struct dns *d, const struct dns_name *n)
{
	return compare(d, n->reverse, LDNS_RR_TYPE_PTR, n->owner);
}

int
dns_check_zone(struct dns *d, const struct dns_name *n)
{
	ldns_rdf *zone = NULL;
	int status = find_zone(d, n->owner, &zone);

	ldns_rdf_deep_free(zone);
	return status;
}
