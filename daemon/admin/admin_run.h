/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_ADMIN_RUN_H
#define CLAVIGERD_ADMIN_RUN_H

#include "daemon/admin/admin_ops.h"
#include "daemon/api/authorize.h"
#include "daemon/keeper/keeper.h"

/* One administrative operation under way: what the files that carry it out
 * share, and nobody else knows. */

#define ADMIN_DEADLINE_MS 20000
#define ADMIN_TICK_MS 20
#define ADMIN_RETRY_MS 500
#define ADMIN_DROP_MS 1000 /* deleting secrets, before it is told how far */

enum admin_step {
	ADMIN_STEP_HELLO,   /* borrowing: what does the database say now */
	ADMIN_STEP_OTHER,   /* a statement or the witness is under way */
	ADMIN_STEP_RETRY,   /* outcome unknown: the same write again */
	ADMIN_STEP_HOLDERS, /* rotation: who has the new generation */
	ADMIN_STEP_PEERS    /* written: who has the list on disk */
};

struct admin {
	struct keeper *k;
	uintptr_t serial; /* which of all: what is under way for one that has
			   * ended must not be taken for the next one's */
	struct admin_origin from;
	char who[AUDIT_WHO_MAX]; /* for the audit trail */
	bool is_root;		 /* or else, copied: */
	struct auth_caller caller;
	enum admin_step step;
	uint8_t op;
	uint8_t id[16];
	uint8_t args[ADMIN_REQUEST_MAX];
	size_t args_len;
	struct admin_change change;
	bool holds[CLV_LIST_NODES_MAX + 1];
	bool borrowed;
	bool doubt;  /* a write of ours may have landed, */
	int refused; /* though its repetition was refused */
	uint64_t epoch;
	uint64_t hellos; /* seen when it began */
	uint64_t until_ms;
	uint64_t step_until_ms;
	struct clv_buf blob;
	struct loop_timer *timer;
	void (*again)(struct admin *a); /* ADMIN_STEP_RETRY */
	/* GENERATION_DESTROY */
	struct refs *refs;
	unsigned refs_step;
	uint64_t fill;		   /* ROLLBACK: the version that is put now */
	struct rollback *rollback; /* ROLLBACK_APP */
	/* APP_ADD, APP_REMOVE */
	char app[CLV_NAME_MAX];
	uint64_t counter;	/* that its manifest begins with */
	bool leftovers;		/* of one that no list names: deleted first */
	uint64_t drop_until_ms; /* then say how much is left; 0: not begun */
	/* how it ended */
	int result;
	bool waited; /* for the peers */
	char said[ADMIN_TEXT_MAX];
};

/* admin.c */
/* Ask the database on behalf of the operation; no timer is left that would
 * end it, for a statement always answers. */
void admin_call(struct admin *a, enum clv_stmt stmt, const struct clv_param *p,
    size_t n, db_fn fn);
/* A result of the database for the operation under way, or NULL when that
 * operation has ended meanwhile. */
struct admin *admin_still(struct keeper *k, void *arg);
/* Look again in every_ms; this step may take for_ms from when it began. */
void admin_wait(
    struct admin *a, enum admin_step step, uint64_t for_ms, uint64_t every_ms);
/* Frees a, at once or later. text may be NULL: the change's own. */
void admin_end(struct admin *a, int result, const char *text);

/* admin_borrow.c: an epoch for this operation, then the change. */
void admin_borrow(struct admin *a);

/* admin_change.c: the epoch is there. */
void admin_change_begin(struct admin *a);
/* All that it needs to know is known. */
void admin_change_build(struct admin *a);

/* admin_write.c */
void admin_write_list(struct admin *a);
/* The record of a backup: all that BACKUP_DONE writes, else the list after. */
void admin_write_backup(
    struct admin *a, uint32_t generation, const char *where);

/* admin_keys.c */
/* APP_ADD: the application's keys, then the list. */
void admin_keys_init(struct admin *a);
/* APP_REMOVE: its keys and secrets; then wait for the peers, or end. */
void admin_keys_drop(struct admin *a);
/* ... of an application that the list does not name. */
void admin_keys_drop_leftovers(struct admin *a);
/* The id of its second write. */
void admin_keys_drop_id(const struct admin *a, uint8_t ret[static 16]);

/* admin_cert.c: the certificate's row, then the change. */
void admin_cert_begin(struct admin *a);
/* admin_rollback.c: may it be accepted now? Then the list, under each version
 * that the database lacks. */
int admin_rollback_refusal(const struct keeper *k, char *why, size_t cap);
void admin_rollback_write(struct admin *a);

/* admin_rollback_app.c */
void admin_rollback_app(struct admin *a);
void admin_rollback_free(struct keeper *k, struct rollback **rollback);

/* admin_generation.c: what refers to the generations, then the change. */
void admin_generation_begin(struct admin *a);
void admin_generation_drop_copies(struct admin *a);

#endif
