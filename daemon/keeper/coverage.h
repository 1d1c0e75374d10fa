/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_COVERAGE_H
#define CLAVIGERD_COVERAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <claviger/buf.h>
#include <claviger/list.h>
#include <claviger/store.h>
#include "daemon/base/record.h"

/*
 * Who can open the master secret: each sealed copy and each record of a backup
 * in the database, what the system has signed of it, and whether that is as
 * much as the policy asks for. The keeper reads it, one statement after the
 * other; the command prints it. Nothing is opened here.
 */
#define COVERAGE_BACKUPS_MAX 32 /* as many as the database gives */
#define COVERAGE_COPIES_MAX (CLV_LIST_NODES_MAX + COVERAGE_BACKUPS_MAX)
/* A copy that its node did not open for so long counts no more: it is opened
 * once a day. */
#define COVERAGE_PROOF_MAX_S (3u * 24u * 3600u)

enum coverage_kind {
	COVERAGE_NODE = 1,     /* sealed copy of a server node */
	COVERAGE_RECOVERY = 2, /* of the recovery recipient */
	COVERAGE_BACKUP = 3    /* what was recorded of one */
};

struct coverage_copy {
	enum coverage_kind kind;
	uint8_t node;
	/* the node's name, the recipient, or where the backup was written */
	char holder[RECORD_WHERE_MAX];
	bool live;	/* a node that can open it now, when it is asked */
	int result;	/* CLV_OK: the system's; else why it is not, or none */
	uint64_t holds; /* bit i: generations[i] */
	uint64_t sealed_s, proven_s; /* as in struct clv_escrow_about */
};

struct coverage {
	uint8_t policy; /* enum clv_escrow_policy */
	uint64_t now_s;
	size_t generation_count;
	struct {
		uint32_t number;
		uint8_t state; /* enum clv_generation_state */
	} generations[CLV_GENERATIONS_MAX];
	size_t count;
	struct coverage_copy copies[COVERAGE_COPIES_MAX];
};

/* For whom there should be a copy, by the list; none is known yet. */
int coverage_new(const struct clv_list *list, struct coverage **ret);
void coverage_free(struct coverage **c);

/* What to ask the database next, and with which parameter, if any; false when
 * all is known. Steps count from 0. */
bool coverage_stmt(const struct coverage *c, unsigned step, enum clv_stmt *ret,
    uint64_t *ret_node);
struct db_result;
void coverage_take(struct coverage *c, unsigned step,
    const struct clv_list *list, const uint8_t pk[static CLV_SIGN_PK_LEN],
    const struct db_result *r);

/* As the answer to ADMIN_ESCROW: admin.h. */
void coverage_format(const struct coverage *c, struct clv_buf *b);
int coverage_parse(const void *p, size_t len, struct coverage **ret);

bool coverage_holds(const struct coverage_copy *copy, const struct coverage *c,
    uint32_t number);
uint32_t coverage_current(const struct coverage *c);

/* coverage_policy.c: the setting escrow_policy; words of a list's that was
 * checked are known. */
#define COVERAGE_POLICY_VALUES \
	"auto or manual, and ,nodes ,outside or ,none behind it"
bool coverage_policy_parse(const char *words, uint8_t *ret);
const char *coverage_policy_words(uint8_t policy);

/* coverage_judge.c. When was it known last that the node of that copy can open
 * it: is that too long ago? What was sealed a short while ago need not have
 * been opened yet. */
bool coverage_is_old(uint64_t now_s, uint64_t sealed_s, uint64_t proven_s);
/* A node was asked to open its copy at asked_s: has it, since its row `was`? A
 * row of another day may be shown before, or after. */
bool coverage_is_proven(uint64_t asked_s, const struct coverage_copy *was,
    const struct coverage_copy *now);
/* What is wrong or lacking: by name, with what to do. Returns how many. */
typedef void (*coverage_say)(
    void *arg, const char *subject, const char *next, const char *text);
unsigned coverage_judge(const struct coverage *c, coverage_say say, void *arg);
/* Of one kind; backups: also whether anything is outside of the nodes. */
unsigned coverage_judge_kind(const struct coverage *c, enum coverage_kind kind,
    coverage_say say, void *arg);

#endif
