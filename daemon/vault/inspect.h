/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_INSPECT_H
#define CLAVIGERD_INSPECT_H

#include "daemon/member/member.h"
#include "daemon/vault/vault.h"

/*
 * What `claviger doctor` asks of one application: its keys, its index and all
 * its records are read anew from the database and held against the manifest,
 * against the counter that this host has seen, and against the index that the
 * vault has verified, if it has one. It says which rows are wrong, where the
 * vault only says that some are.
 *
 * In parts: each next one is asked for, and costs no more than one page of
 * rows, so that nobody else waits for longer.
 */
#define INSPECT_PART_MAX 100 /* findings in one part */

struct inspect;

struct inspect_part {
	int result; /* when not CLV_OK it has ended */
	const char *text;
	bool more;
	uint64_t done, total; /* records; total 0: not known yet */
	uint32_t count;
	/* count x (str kind, str subject, str text), borrowed until fn returns;
	 * kinds are in claviger(1) */
	const struct clv_buf *findings;
};
typedef void (*inspect_fn)(void *arg, const struct inspect_part *p);

/* One at a time: CLV_E_BUSY. Freed before the vault is. */
int inspect_new(struct vault *v, const char *app, struct inspect **ret);
/* What is under way is not told any more. NULL is ignored. */
void inspect_free(struct inspect **i);
/* fn is called exactly once, at once or later; it may free the inspection. */
void inspect_next(struct inspect *i, inspect_fn fn, void *arg);

#endif
