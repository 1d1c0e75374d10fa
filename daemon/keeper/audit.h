/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_AUDIT_H
#define CLAVIGERD_AUDIT_H

#include <stdbool.h>
#include <stdint.h>
#include "daemon/keeper/audit_row.h"

/*
 * The audit trail, as a server node's keeper writes it. What happened is queued
 * and logged at once, and written to the database in order, in batches of which
 * one is under way: nobody ever waits for it. While the database is away the
 * queue grows up to AUDIT_QUEUE_MAX; what comes then is counted, and the next
 * row says how many were lost. The number and hash of the newest row are kept
 * in a checked file and told to the other server nodes, so that an end that was
 * cut off is missed. What is found wrong is logged, told to on_event, and
 * recorded in the trail; the service goes on.
 */
#define AUDIT_QUEUE_MAX 8192
#define AUDIT_BATCH_MAX 128
#define AUDIT_LOOK_MS 60000   /* is it all there? of the active server */
#define AUDIT_KEEP_MS 1000    /* until the newest row is on disk */
#define AUDIT_DRAIN_MS 500    /* what is queued when the daemon ends */
#define AUDIT_REFUSED_MAX 20  /* rows of what was refused, at once, */
#define AUDIT_REFUSED_MS 3000 /* and then one in so long */

struct keeper;
struct db_result;
struct loop_timer;
struct audit_entry;

enum audit_state {
	AUDIT_FINE = 0,
	AUDIT_NOT_WRITTEN = 1, /* the database does not take it, or is away */
	AUDIT_BROKEN = 2       /* it was tampered with, or set back */
};

struct audit {
	struct audit_entry *first, *last;
	uint64_t queued;
	uint64_t written;     /* by this process */
	uint64_t lost;	      /* ... and could not be kept, */
	uint64_t lost_unsaid; /* of which no row says so yet */
	bool busy;	      /* a statement is under way */
	bool known;	      /* `at` is the newest row there */
	bool compared;	      /* what was on disk, with what is there */
	unsigned others;      /* times in a row that it was not */
	struct audit_head at;
	uint64_t next;		/* number of the next row */
	struct audit_head seen; /* the highest that any server node has seen */
	bool dirty;		/* and it is not on disk */
	uint64_t looked_ms;
	/* the batch under way, or whose outcome is not known */
	struct clv_buf batch;
	uint64_t batch_n, batch_last, batch_first;
	struct audit_head batch_head;
	struct loop_timer *keep;
	bool ending; /* what is queued now is all */
	struct loop_timer *drain;
	/* what is wrong */
	char failing[160]; /* why nothing is written, "" when it is */
	char broken[160];
	uint64_t told_there, told_seen;
	uint64_t refused_ms; /* the bucket of refusals: when it was filled, */
	unsigned refused_left;
	uint64_t refused_more; /* and how many found it empty */
	void *grants;	       /* tsearch(3): who has got which keys */
};

/* audit.c. What is on disk. */
void audit_init(struct keeper *k);
void audit_fini(struct keeper *k);
struct audit_note {
	const char *who, *operation, *object;
	int result;
	uint64_t epoch; /* 0: the one that is served */
	const char *text;
};
void audit_note(struct keeper *k, const struct audit_note *n);
/* What anybody can cause is bounded. */
void audit_refused(struct keeper *k, const struct audit_note *n);
void audit_wake(struct keeper *k); /* there may be something to do */
/* True: it ends later, by keeper_end(). */
bool audit_drain(struct keeper *k, int status);
enum audit_state audit_state(const struct keeper *k, const char **ret_why);
/* CTL_AUDIT */
void audit_format(const struct keeper *k, struct clv_buf *b);

/* audit_head.c: the newest row, and who remembers it. */
void audit_head_load(struct keeper *k);
void audit_head_keep(struct keeper *k); /* soon */
void audit_head_save(struct keeper *k); /* now */
/* This node has seen that row. */
void audit_head_learn(struct keeper *k, const struct audit_head *h);
/* Another server node has. Not before what this node has seen itself was
 * compared: a higher number may be of a trail that was set back. */
void audit_head_hear(struct keeper *k, const struct audit_head *h);
void audit_head_tell(struct keeper *k); /* the other server nodes */
/* What the database has, by GET_AUDIT_HEAD: CLV_OK and *ret_newest; what is
 * amiss was told. CLV_E_AGAIN: later; CLV_E_FULL: nothing can be put behind it.
 */
int audit_head_judge(
    struct keeper *k, const struct db_result *r, struct audit_head *ret_newest);

/* audit_what.c: what is recorded. */
struct admin_origin;
struct clv_rd;
/* Who that is, as a row names him. */
void audit_who(const struct admin_origin *from, char ret[static AUDIT_WHO_MAX]);
/* Name of an administrative operation, NULL: it only asks. */
const char *audit_admin_name(uint8_t op);
/* args: the request after op and id. */
void audit_admin(struct keeper *k, const char *who, uint8_t op,
    const struct clv_rd *args, int result, const char *text, uint64_t epoch);
/* A member got its keys: recorded the first time, and when it gets others. */
void audit_grant(struct keeper *k, const char *name,
    const uint8_t box_pk[static 32], const char *scope);

#endif
