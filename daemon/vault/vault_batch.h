/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_DAEMON_VAULT_BATCH_H
#define CLAVIGER_DAEMON_VAULT_BATCH_H

#include "daemon/vault/vault_impl.h"

/* Writes that wait (vault_put.c), and the transaction of some of them
 * (vault_batch.c). */

struct vault_put {
	struct vault_put *next;
	char name[VAULT_NAME_MAX];
	uint8_t op_id[CLV_API_ID_LEN];
	uint32_t keep;
	bool deletes;
	uint8_t *value; /* guarded; NULL when it deletes */
	size_t len;
	uint64_t version; /* in the batch that is under way */
	uint64_t until_ms;
	uint8_t hash[32]; /* of the record in that batch */
	vault_fn fn;
	void *arg;
};

/* vault_batch.c */
/* Of all that wait, as far as it fits. On failure they wait as before. */
int vault_batch_begin(struct vault_app *a);
/* Its writers are told; what the database makes of it is not waited for. */
void vault_batch_cancel(struct vault_app *a, int result, const char *text);

/* vault_put.c */
void vault_put_end(
    struct vault_app *a, struct vault_put *p, const struct vault_reply *r);
/* These are no longer in the queue. text: NULL for the result's own. */
void vault_puts_fail(
    struct vault_app *a, struct vault_put *p, int result, const char *text);
/* To the head of the queue, in their order. */
void vault_puts_back(struct vault_app *a, struct vault_put *puts);
/* The next batch, when there is something to write. */
void vault_puts_go(struct vault_app *a);
/* The same, after n writers have just been answered. */
void vault_puts_go_on(struct vault_app *a, unsigned n);

#endif
