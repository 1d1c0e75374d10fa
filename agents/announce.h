/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_ANNOUNCE_H
#define CLAVIGER_ANNOUNCE_H

#include <stdbool.h>
#include <stdint.h>
#include "agents/rtnl.h"

struct announce {
	uint8_t family;
	uint8_t ip[16];
	struct rtnl_link link;
	unsigned count, interval_ms;
};

/* Tell the neighbours where the address is now: a gratuitous ARP request and
 * reply, or an unsolicited neighbour advertisement, `count` times. In the
 * background a detached child does it (closing a packet socket waits for the
 * kernel, some 14 ms); it ends early when the address leaves the link, so that
 * nothing is announced after a stop. 0, or a negative errno. */
int announce_start(const struct announce *a, bool background);
/* The same without a child: 0, or the first error. */
int announce_run(const struct announce *a);
/* Does anybody hear it? Not on loopback, nor where there is no ARP. */
bool announce_is_possible(const struct rtnl_link *l);

/* Does another host have the address? Asks three times within about a second.
 * 0: nobody answers, 1: somebody, his hardware address in ret_hw[6]. */
int announce_probe(const struct announce *a, uint8_t *ret_hw);

/* One packet, as it goes on the wire; for the tests. ARP: 28 bytes. */
void announce_arp(const struct announce *a, bool is_reply, uint8_t *ret);
/* ICMPv6: 32 bytes, checksum left to the kernel. */
void announce_na(const struct announce *a, bool is_router, uint8_t *ret);

#endif
