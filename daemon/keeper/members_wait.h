/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_MEMBERS_WAIT_H
#define CLAVIGERD_MEMBERS_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#define MEMBERS_WAIT_MS 120000
#define MEMBERS_WAIT_LOOK_MS 200
/* So long after a takeover each live member has come: an interval of a refresh
 * with its jitter. */
#define MEMBERS_MEET_MS 66000

/*
 * The live members are to have the keys of a generation; those that do not have
 * them in time are named, and not waited for any more by this server.
 */
struct members_wait {
	uint32_t generation; /* 0: none */
	uint64_t epoch, until_ms;
	bool over;
	char why[160];	/* it is not over */
	char late[512]; /* names, joined by ", ", when it was over */
};

struct keeper;
/* Is it over? meet_ms: so long after a takeover it is not known who lives. */
bool members_wait(struct keeper *k, uint32_t generation, uint64_t meet_ms);
/* NULL: not waited for here. */
const struct members_wait *members_wait_find(
    const struct keeper *k, uint32_t generation);

#endif
