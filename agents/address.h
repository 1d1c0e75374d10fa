/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_ADDRESS_H
#define CLAVIGER_ADDRESS_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include "agents/rtnl.h"
#include "ocf/ocf.h"

/*
 * The floating address, which both agents carry. An address on any link, with
 * any prefix length, is ours: nobody else may have it on this host.
 */
struct address {
	bool carried; /* ip is set */
	uint8_t family;
	uint8_t ip[16];
	char text[INET6_ADDRSTRLEN]; /* as the administrator writes it */
	char nic[128];		/* or an alternative name; "": by the route */
	int prefix;		/* -1: by the route */
	uint8_t broadcast[4];	/* IPv4 */
	char broadcast_rule;	/* '+' host bits set, '-' reset, '=' given */
	char iflabel[IFNAMSIZ]; /* what follows the colon */
	bool nodad, noprefixroute, check_link_status;
	unsigned arp_count, arp_interval_ms;
	bool arp_bg;
};

/* So many places of one address are looked at. */
#define ADDRESS_PLACES_MAX 16

enum address_state {
	ADDRESS_NOT_CARRIED,
	ADDRESS_ABSENT,
	ADDRESS_RIGHT,
	ADDRESS_WRONG /* on another link, not usable, on a link that is down */
};

/* From the parameters. OCF_SUCCESS, or OCF_ERR_CONFIGURED with the reason
 * given; in an action that is not strict a wrong value counts as not set, and
 * the result is OCF_SUCCESS. */
int address_read(const struct ocf *o, struct address *ret);

/* Is this a clone of a kind that cannot be? OCF_SUCCESS or
 * OCF_ERR_CONFIGURED. */
int address_refuse_globally_unique(const struct ocf *o);

/* Look; why[OCF_REASON_MAX] says what is wrong. A negative errno when the
 * kernel does not tell. */
int address_look(const struct address *a, char *why);

/* Would a start have a link to put it on? why[OCF_REASON_MAX] says what is in
 * the way. True also when that cannot be said. */
bool address_can_start(const struct address *a, char *why);

/* OCF_SUCCESS, or the exit code with the reason given. */
int address_start(const struct ocf *o, const struct address *a);
/* Remove it from all links, make sure, and reset its connections. Success as
 * well when it was not there. */
int address_stop(const struct ocf *o, const struct address *a);
/* Look at the host: is there the link, does another host have the address? */
int address_validate(const struct ocf *o, const struct address *a);

/* address_place.c. The link and prefix length that the address belongs on:
 * OCF_SUCCESS or the exit code with the reason given. */
int address_place(const struct ocf *o, const struct address *a, int fd,
    struct rtnl_link *ret_link, uint8_t *ret_prefix);
/* Can this one of the places where it is stay? */
bool address_is_right(
    const struct address *a, const struct rtnl_addr *at, int ifindex);
/* address_remove.c. Remove one, and keep the secondary addresses that the
 * kernel would remove with it. 0 or a negative errno. */
int address_remove(int fd, const struct rtnl_addr *a);

#endif
