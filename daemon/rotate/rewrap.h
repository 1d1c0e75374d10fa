/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_REWRAP_H
#define CLAVIGERD_REWRAP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * After a rotation the active server wraps every data key and index key under
 * the generation that is current, and the network name's TLS keys too. What is
 * done shows in the rows themselves, so whoever is active goes on where the
 * last one stopped.
 */
#define REWRAP_PAGE 1000 /* keys read at once, and written at once */
#define REWRAP_SLICE 48	 /* ... and rewrapped between two turns of the loop */
#define REWRAP_SQL_MS 10000
#define REWRAP_RETRY_MS 1000
#define REWRAP_MEET_MS 5000 /* members of the last server come by then */
#define REWRAP_ODD_MS 60000 /* after an answer that no server of ours gives */

enum rewrap_state {
	REWRAP_IS_IDLE, /* this server does not do it: it is not active */
	REWRAP_IS_RUNNING,
	REWRAP_IS_DONE,
	REWRAP_IS_TO_COME, /* the generation is published, not current yet */
	/* before that, and after it, when re-encryption is asked for */
	REWRAP_IS_MAKING_KEYS,
	REWRAP_IS_REENCRYPTING
};

struct rewrap_progress {
	enum rewrap_state state;
	uint32_t generation;  /* under which all are wrapped then */
	uint64_t total, left; /* keys, applications that get one, or secrets */
	uint64_t damaged;     /* keys that do not open, and stay as they are */
	uint64_t reencrypted, not_reencrypted; /* records */
	char why[160]; /* it cannot go on at the moment, "": it does */
};

struct keeper;
struct rewrap;
int rewrap_new(struct keeper *k, struct rewrap **ret);
void rewrap_free(struct rewrap **w);
/* Whatever decides whether there is something to do may have changed. */
void rewrap_wake(struct keeper *k);
void rewrap_progress(const struct keeper *k, struct rewrap_progress *ret);

#endif
