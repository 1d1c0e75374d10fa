/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_PUBLISH_H
#define CLAVIGERD_PUBLISH_H

#include <claviger/list.h>

/*
 * A published generation is handed out, and nothing is wrapped under it yet.
 * The active server makes it current once the live members have it, or have
 * had their time; whoever is active next goes on.
 */
#define PUBLISH_RETRY_MS 1000

struct publish {
	struct loop_timer *timer;
	bool writing;
	char why[160]; /* the last try failed */
};

/* NULL: none is. */
const struct clv_list_generation *publish_find(const struct clv_list *list);

struct keeper;
/* Whatever decides whether there is something to do may have changed. */
void publish_wake(struct keeper *k);
void publish_fini(struct keeper *k);

#endif
