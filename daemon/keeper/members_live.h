/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_MEMBERS_LIVE_H
#define CLAVIGERD_MEMBERS_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <claviger/list.h>

/* Live: heard within two refresh intervals. */
#define MEMBERS_LIVE_MS 120000

/*
 * What members say of themselves when they fetch, by name: in memory of the
 * active server alone, and complete one refresh interval after a takeover.
 * No more than there are enrolled hosts. Times are the loop's.
 */
struct member_live {
	char name[CLV_NAME_MAX];
	uint64_t heard_ms;
	uint32_t generation; /* newest of which it has keys */
	uint64_t list_version;
	/* over which connection, whose numbers only grow */
	uint64_t conn;	   /* the newest one */
	unsigned returns;  /* so often by an older one since */
	uint64_t twice_ms; /* by both in turn: when last, or 0 */
	/* its own certificate: party_cert.c */
	uint8_t thumb[32];   /* that it came with last; zeros: not yet */
	uint64_t next_ms;    /* since when it comes with the next one, or 0 */
	uint64_t changed_ms; /* when it last had it changed, or 0, */
	uint64_t due_ms;     /* and what it has left of that */
	/* an administrator asks for another one instead of these */
	uint8_t wish;	    /* enum party_wish, */
	uint64_t wished_ms; /* and since when */
	uint8_t instead[2][32];
};

struct members_live;
int members_live_new(struct members_live **ret);
void members_live_free(struct members_live **m);
/* CLV_E_NOMEM */
int members_live_heard(struct members_live *m, const struct member_live *said);
const struct member_live *members_live_find(
    const struct members_live *m, const char *name); /* NULL: never heard */
/* The next in order of names after `after` ("" : the first), NULL at the end.
 * Borrowed, like the above, until the next change. */
const struct member_live *members_live_next(
    const struct members_live *m, const char *after);
/* Forget those that are not enrolled any more. */
void members_live_sweep(struct members_live *m, const struct clv_list *list);

bool members_live_is(const struct member_live *e, uint64_t now_ms);
/* It comes over that connection. A host has one at a time: who goes on with an
 * older one, time and again, is two hosts of one identity. True: that is new.
 */
bool members_live_comes(
    struct member_live *said, uint64_t conn, uint64_t now_ms);
bool members_live_is_twice(const struct member_live *e, uint64_t now_ms);
/* Who has this name in the list in force, which is sorted; NULL: nobody. At
 * each request one of very many is looked for. */
const struct clv_list_member *members_live_party(
    const struct clv_list *list, const char *name);
/* How many live, and how many there could be. */
size_t members_live_count(const struct members_live *m, uint64_t now_ms);
size_t members_live_enrolled(const struct clv_list *list);
/* Names, joined by ", ", of the live ones that do not have this list and
 * generation yet: only they are waited for. Returns how many, also those whose
 * names found no room. */
unsigned members_live_late(const struct members_live *m, uint64_t now_ms,
    uint64_t version, uint32_t generation, char *names, size_t cap);

#endif
