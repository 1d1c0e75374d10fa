/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_HEADS_CLAIMS_H
#define CLAVIGERD_HEADS_CLAIMS_H

#include <stddef.h>
#include <stdint.h>
#include <claviger/list.h>
#include <claviger/manifest.h>

/*
 * What members say that they have seen of applications, as long as it is
 * higher than what this server knows, or another link. One for each
 * application, by name: the highest.
 */
struct heads_claim {
	char app[CLV_NAME_MAX];
	char by[CLV_NAME_MAX];
	struct clv_head head;
	uint64_t look; /* of heads_watch.c, that was under way or over */
};

struct heads_claims {
	struct heads_claim *of;
	size_t n;
};

void heads_claims_fini(struct heads_claims *c);
/* Of an application that has one, what is not higher counts only if the same
 * host says it. CLV_E_EXISTS: nothing new. CLV_E_NOMEM. */
int heads_claims_put(struct heads_claims *c, const struct heads_claim *said);
/* NULL: none. Borrowed, like the next, until there is a change. */
const struct heads_claim *heads_claims_find(
    const struct heads_claims *c, const char *app);
/* In order of names after `after`; NULL at the end. */
const struct heads_claim *heads_claims_next(
    const struct heads_claims *c, const char *after);
void heads_claims_drop(struct heads_claims *c, const char *app);
/* Forget those of applications and hosts that are not there any more. */
void heads_claims_sweep(struct heads_claims *c, const struct clv_list *list);

#endif
