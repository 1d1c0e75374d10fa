/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_REFS_H
#define CLAVIGERD_REFS_H

#include <stdbool.h>

#include "daemon/keeper/keeper.h"
#include "daemon/base/record.h"

/*
 * What still refers to each generation of the master secret: found out by a
 * few statements, each of whose answers is taken in its turn. No I/O here.
 */
#define REFS_BACKUPS_MAX 32

struct ref { /* of one generation */
	uint32_t number;
	uint8_t state;
	uint64_t keys, indexes; /* wrapped under it */
	uint32_t certificates;	/* of the network name: their keys, too */
	uint32_t copies;	/* sealed copies of which it is the newest */
	uint32_t backups;	/* that hold it: files, which nobody recalls */
	uint32_t members;	/* live ones of which it is the newest */
};

struct refs {
	struct ref of[CLV_GENERATIONS_MAX];
	size_t count;
	bool has_copy[CLV_LIST_NODES_MAX + 1]; /* by node number */
	struct record backups[REFS_BACKUPS_MAX];
	size_t backup_count;
	/* only the active server knows what members hold */
	bool members_known;
};

int refs_new(const struct clv_list *list, struct refs **ret);
void refs_free(struct refs **refs);
/* The statement of each step, from 0 on; false: there is none any more. */
bool refs_stmt(unsigned step, enum clv_stmt *ret);
void refs_take(struct refs *refs, unsigned step, const struct clv_list *list,
    const uint8_t pk[static CLV_SIGN_PK_LEN], const struct db_result *r);
const struct ref *refs_find(const struct refs *refs, uint32_t generation);
struct members_live;
void refs_take_members(
    struct refs *refs, const struct members_live *live, uint64_t now_ms);
/* Is there what would be lost with it? Then what, in words. */
bool refs_why(const struct ref *ref, char *dst, size_t cap);
/* ADMIN_GENERATIONS's answer. */
void refs_format(const struct refs *refs, struct clv_buf *b);
/* u32 n, n x str where: backups that hold it. */
void refs_format_backups(
    const struct refs *refs, uint32_t generation, struct clv_buf *b);

#endif
