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

/* address_find.c. The link and prefix length that the address belongs on:
 * OCF_SUCCESS or the exit code with the reason given. */
int address_place(const struct ocf *o, const struct address *a, int fd,
    struct rtnl_link *ret_link, uint8_t *ret_prefix);
/* Can this one of the places where it is stay? */
bool address_is_right(
    const struct address *a, const struct rtnl_addr *at, int ifindex);
/* address_remove.c. Remove one, and keep the secondary addresses that the
 * kernel would remove with it. 0 or a negative errno. */
int address_remove(int fd, const struct rtnl_addr *a);

/* The parameters of the address, for an agent's table. */
#define ADDRESS_PARAMS(ip_required, ip_text) \
	{.name = "ip", \
	    .type = OCF_STRING, \
	    .required = ip_required, \
	    .group = "address", \
	    .shortdesc = "IPv4 or IPv6 address", \
	    .longdesc = ip_text}, \
	    {.name = "nic", \
		.type = OCF_STRING, \
		.shortdesc = "Network interface", \
		.longdesc = \
		    "The interface that carries the address, by its name or " \
		    "an alternative name. Without it the interface is the " \
		    "one whose directly connected network has the address. " \
		    "It is needed for a link-local IPv6 address.\n\n" \
		    "The form eth0:label is understood as in IPaddr2; use " \
		    "iflabel instead."}, \
	    {.name = "cidr_netmask", \
		.type = OCF_STRING, \
		.shortdesc = "Prefix length", \
		.longdesc = \
		    "The length of the network prefix, for example 24. " \
		    "Without it, it is that of the connected network. A " \
		    "dotted mask is understood for IPv4."}, \
	    {.name = "broadcast", \
		.type = OCF_STRING, \
		.shortdesc = "Broadcast address", \
		.longdesc = \
		    "IPv4 only: the broadcast address, or + to set or - to " \
		    "reset all host bits of the prefix. Without it, as +."}, \
	    {.name = "iflabel", \
		.type = OCF_STRING, \
		.shortdesc = "Interface label", \
		.longdesc = \
		    "IPv4 only: a label that is shown behind the name of " \
		    "the interface, as in eth0:label; with it at most 15 " \
		    "characters."}, \
	    {.name = "arp_count", \
		.type = OCF_INTEGER, \
		.def = "5", \
		.min = 1, \
		.max = 1000, \
		.reloadable = true, \
		.shortdesc = "Number of announcements", \
		.longdesc = \
		    "How often the neighbours are told where the address " \
		    "is now: each time a gratuitous ARP request and reply " \
		    "for IPv4, an unsolicited neighbour advertisement for " \
		    "IPv6. The first goes out at once."}, \
	    {.name = "arp_interval", \
		.type = OCF_INTEGER, \
		.def = "200", \
		.min = 1, \
		.max = 60000, \
		.reloadable = true, \
		.shortdesc = "Milliseconds between announcements", \
		.longdesc = "The time from one announcement to the next, " \
			    "in milliseconds."}, \
	    {.name = "arp_bg", \
		.type = OCF_BOOLEAN, \
		.def = "true", \
		.reloadable = true, \
		.shortdesc = "Announce in the background", \
		.longdesc = \
		    "Whether the announcements are sent in the background. " \
		    "They end by themselves when the address is stopped."}, \
	    {.name = "nodad", \
		.type = OCF_BOOLEAN, \
		.def = "true", \
		.shortdesc = "No duplicate address detection", \
		.longdesc = \
		    "IPv6 only: use the address at once. Membership and " \
		    "fencing make sure that no other node has it. With " \
		    "false a start waits for the kernel's duplicate address " \
		    "detection, one to two seconds, and fails if another " \
		    "host answers. (In IPaddr2 the default is false.)"}, \
	    {.name = "noprefixroute", \
		.type = OCF_BOOLEAN, \
		.def = "false", \
		.shortdesc = "No route for the prefix", \
		.longdesc = "Do not make a route for the network of the " \
			    "address (see noprefixroute in ip-address(8))."}, \
	{ \
		.name = "check_link_status", .type = OCF_BOOLEAN, \
		.def = "true", .reloadable = true, \
		.shortdesc = "Check that the link is up", \
		.longdesc = "Whether an interface without a carrier is a " \
			    "failure of the address." \
	}

#endif
