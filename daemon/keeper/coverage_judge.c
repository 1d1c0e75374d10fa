/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>

#include <claviger/result.h>

#include "daemon/keeper/coverage.h"

/* Is that enough? */

#define RESTORE_THERE \
	"start clavigerd on that node, or claviger restore FILE there"
#define WHO_CHANGED "find out who changed the database; then "

struct judge {
	const struct coverage *c;
	coverage_say say;
	void *arg;
	unsigned found;
};

static void __attribute__((format(printf, 4, 5))) found(struct judge *j,
    const char *subject, const char *next, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	j->found++;
	if (j->say != NULL)
		j->say(j->arg, subject, next, text);
}

bool
coverage_is_old(uint64_t now_s, uint64_t sealed_s, uint64_t proven_s)
{
	uint64_t last = proven_s > sealed_s ? proven_s : sealed_s;

	return now_s > last && now_s - last > COVERAGE_PROOF_MAX_S;
}

#define CLOCKS_S 300 /* so far may nodes' clocks be apart */

bool
coverage_is_proven(uint64_t asked_s, const struct coverage_copy *was,
    const struct coverage_copy *now)
{
	return was->result == CLV_OK && now->result == CLV_OK &&
	       now->proven_s > was->proven_s &&
	       now->proven_s + CLOCKS_S >= asked_s;
}

/* What the policy does not ask for is not missed; what is forged is found. */
static bool
waives(const struct judge *j, enum clv_escrow_policy what)
{
	return (j->c->policy & what) != 0;
}

/* The system's copy, or none: is there too little of it? */
static void
miss_node(struct judge *j, const struct coverage_copy *copy)
{
	uint32_t current = coverage_current(j->c);

	if (copy->result == CLV_E_NOT_FOUND)
		found(j, copy->holder, RESTORE_THERE, "it has no sealed copy");
	else if (!coverage_holds(copy, j->c, current))
		found(j, copy->holder, RESTORE_THERE,
		    "its copy is without generation %u, which is current",
		    current);
	else if (!coverage_is_old(j->c->now_s, copy->sealed_s, copy->proven_s))
		return;
	else if (copy->proven_s == 0)
		found(j, copy->holder, "start clavigerd on that node",
		    "it has never opened its copy");
	else
		found(j, copy->holder, "start clavigerd on that node",
		    "it has not opened its copy for %u days",
		    (unsigned)((j->c->now_s - copy->proven_s) / 86400));
}

static void
judge_node(struct judge *j, const struct coverage_copy *copy)
{
	if (copy->result != CLV_OK && copy->result != CLV_E_NOT_FOUND)
		found(j, copy->holder,
		    WHO_CHANGED "claviger restore FILE on that node",
		    "its copy is not one that the system made for it: %s",
		    clv_result_text(copy->result));
	else if (!waives(j, CLV_ESCROW_NO_NODES))
		miss_node(j, copy);
}

static void
judge_recovery(struct judge *j, const struct coverage_copy *copy)
{
	uint32_t current = coverage_current(j->c);

	if (copy->result == CLV_E_NOT_FOUND)
		found(j, "recovery copy",
		    "claviger recovery recipient, with the same recipient, "
		    "writes it anew",
		    "it is missing");
	else if (copy->result != CLV_OK)
		found(j, "recovery copy",
		    WHO_CHANGED "claviger recovery recipient, with the same "
				"recipient, writes it anew",
		    "it is not one that the system made for this recipient: "
		    "%s",
		    clv_result_text(copy->result));
	else if (!coverage_holds(copy, j->c, current))
		found(j, "recovery copy",
		    "claviger recovery recipient, with the same recipient, "
		    "writes it anew",
		    "it is without generation %u, which is current", current);
}

static void
judge_backup(struct judge *j, const struct coverage_copy *copy)
{
	if (copy->result != CLV_OK)
		found(j, "backups", WHO_CHANGED "claviger backup FILE",
		    "the record of one is forged: %s",
		    clv_result_text(copy->result));
}

/* Whatever becomes of the nodes: a backup, or what the shares open. */
static void
judge_outside(struct judge *j)
{
	uint32_t current = coverage_current(j->c);

	for (size_t i = 0; i < j->c->count; i++)
		if (j->c->copies[i].kind != COVERAGE_NODE &&
		    coverage_holds(&j->c->copies[i], j->c, current))
			return;
	found(j, "outside", "claviger backup FILE",
	    "no backup or recovery copy holds generation %u, which is current: "
	    "if all server nodes are lost, so is the secret",
	    current);
}

unsigned
coverage_judge_kind(const struct coverage *c, enum coverage_kind kind,
    coverage_say say, void *arg)
{
	struct judge j = {.c = c, .say = say, .arg = arg};

	for (size_t i = 0; i < c->count; i++) {
		if (c->copies[i].kind != kind)
			continue;
		switch (kind) {
		case COVERAGE_NODE: judge_node(&j, &c->copies[i]); break;
		case COVERAGE_RECOVERY:
			judge_recovery(&j, &c->copies[i]);
			break;
		case COVERAGE_BACKUP: judge_backup(&j, &c->copies[i]); break;
		}
	}
	if (kind == COVERAGE_BACKUP && !waives(&j, CLV_ESCROW_NO_OUTSIDE))
		judge_outside(&j);
	return j.found;
}

unsigned
coverage_judge(const struct coverage *c, coverage_say say, void *arg)
{
	return coverage_judge_kind(c, COVERAGE_NODE, say, arg) +
	       coverage_judge_kind(c, COVERAGE_RECOVERY, say, arg) +
	       coverage_judge_kind(c, COVERAGE_BACKUP, say, arg);
}
