/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_DNS_HELPER_H
#define CLAVIGER_DNS_HELPER_H

#include <stdbool.h>
#include <sys/socket.h>

/*
 * Between the agents, the command claviger and the program dns-update, which
 * alone links a DNS library. One run registers or looks at one name.
 */
#define DNS_HELPER CLV_PKGLIBEXECDIR "/dns-update"

/* Its exit statuses. */
enum dns_status {
	DNS_OK = 0,
	DNS_DIFFERS = 1, /* DNS says something else */
	DNS_REFUSED = 2, /* the server does not do it for us */
	DNS_SILENT = 3,	 /* nobody answers: not known */
	DNS_USAGE = 4	 /* the arguments or the key file */
};

/* How long a registration may take, with all its attempts; and a look. */
#define DNS_REGISTER_S 10
#define DNS_CHECK_S 3

/* dns_text.c. ADDRESS, ADDRESS4:PORT or [ADDRESS6]:PORT; no host name, since
 * nothing here may wait for another DNS server. */
bool dns_server_parse(
    const char *s, struct sockaddr_storage *ret, socklen_t *ret_len);
/* Labels of letters, digits, hyphens and underscores, two at least. */
bool dns_is_full_name(const char *s);

#endif
