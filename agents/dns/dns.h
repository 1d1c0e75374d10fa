/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_DNS_DNS_H
#define CLAVIGER_DNS_DNS_H

#include <ldns/ldns.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "agents/dns_helper.h"

#define DNS_WHY_MAX 256

/* A TSIG key, as ldns takes it. Wiped by whoever holds it. */
struct dns_key {
	char name[256];
	char algorithm[16]; /* with its dot */
	char secret[512];   /* base64 */
};

/* One server, and how long there is for all that is asked of it. */
struct dns {
	struct sockaddr_storage server;
	socklen_t server_len;
	const char *server_text;
	const struct dns_key *key; /* borrowed */
	int64_t deadline_ms;	   /* as ocf_now_ms() counts */
	char why[DNS_WHY_MAX];	   /* of the last failure */
};

/* Results of all that follows: DNS_OK, or another status of
 * agents/dns_helper.h with the reason in why. */
int dns_fail(char *why, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* key.c: a file in the syntax of BIND's keys, that only its owner can read. */
int dns_key_load(const char *path, struct dns_key *ret, char *why);

/* talk.c: send q signed, over TCP, and take the answer only if it is signed
 * too; one that says that the key is wrong cannot be. Caller frees. */
int dns_talk(struct dns *d, ldns_pkt *q, ldns_pkt **ret);
int64_t dns_now_ms(void);

/* name.c: what is to be in DNS. */
struct dns_name {
	const char *name;  /* as it was given */
	ldns_rdf *owner;   /* the name */
	ldns_rdf *address; /* A or AAAA */
	ldns_rdf *reverse; /* the name of the PTR */
	ldns_rr_type type; /* A or AAAA */
	const char *address_text;
	uint32_t ttl;
};
int dns_name_init(const char *name, const char *address, uint32_t ttl,
    struct dns_name *ret, char *why);
void dns_name_fini(struct dns_name *n);
/* Replace the addresses of this kind, and the other kind stays. */
int dns_register_name(struct dns *d, const struct dns_name *n);
int dns_register_pointer(struct dns *d, const struct dns_name *n);
/* DNS_DIFFERS when there is not this address alone. */
int dns_check_name(struct dns *d, const struct dns_name *n);
int dns_check_pointer(struct dns *d, const struct dns_name *n);
/* Does the server know the key, and has it the zone of the name? */
int dns_check_zone(struct dns *d, const struct dns_name *n);

#endif
