/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_TLSNEXT_H
#define CLAVIGERD_TLSNEXT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The next certificate of the network name is pinned by everybody before it is
 * used, and the one before stays pinned for two refresh intervals after that.
 * How far it is the signed list says, so whoever is active goes on: it switches
 * when every live host has the list that names the next one, and drops the old
 * one when its time is over. Only what is waited for is kept in memory.
 */
#define TLSNEXT_LOOK_MS 200
#define TLSNEXT_RETRY_MS 1000

enum tlsnext_phase { TLSNEXT_NONE, TLSNEXT_NEXT, TLSNEXT_SWITCHED };

struct tlsnext {
	struct loop_timer *timer;
	bool writing;
	/* what this server has seen of the list's second thumbprint */
	enum tlsnext_phase phase;
	uint8_t thumb[32];
	uint64_t epoch;	   /* by which epoch of ours, */
	uint64_t version;  /* of the list that had it first, */
	uint64_t since_ms; /* and when */
	char why[160];	   /* it does not go on yet */
};

struct keeper;
struct clv_list;
enum tlsnext_phase tlsnext_phase(const struct clv_list *list);
/* Whatever decides whether there is something to do may have changed. */
void tlsnext_wake(struct keeper *k);
void tlsnext_fini(struct keeper *k);

#endif
