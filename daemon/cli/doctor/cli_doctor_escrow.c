/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "daemon/cli/doctor/cli_doctor.h"
#include "daemon/keeper/coverage.h"
#include "daemon/keeper/keeper.h"

/* Who can open the master secret, by a connection of our own: sealed copies,
 * and the records of backups. */

#define COLUMNS 3 /* at most, of what is asked */

/* As the keeper has the answer. */
static int
take(struct doctor *d, unsigned step)
{
	size_t rows = clv_store_rows(d->store);
	size_t columns = clv_store_columns(d->store);
	struct db_field fields[COVERAGE_BACKUPS_MAX * COLUMNS];
	struct db_result r = {.fields = fields, .rows = rows};

	if (columns > COLUMNS || rows > COVERAGE_BACKUPS_MAX)
		return CLV_E_PROTOCOL;
	r.columns = columns;
	for (size_t i = 0; i < rows * columns; i++)
		fields[i].p = clv_store_get(
		    d->store, i / columns, i % columns, &fields[i].len);
	coverage_take(d->coverage, step, d->list, d->pk, &r);
	return CLV_OK;
}

static int
fill(struct doctor *d)
{
	enum clv_stmt stmt;
	uint8_t number[8];
	struct clv_param p;
	uint64_t node;
	int r = coverage_new(d->list, &d->coverage);

	for (unsigned step = 0;
	     r == CLV_OK && coverage_stmt(d->coverage, step, &stmt, &node);
	     step++) {
		p = clv_param_u64(node, number);
		r = clv_store_run(
		    d->store, stmt, &p, node != 0, CLI_TIMEOUT_MS);
		if (r == CLV_OK)
			r = take(d, step);
	}
	for (size_t i = 0; r == CLV_OK && i < d->coverage->count; i++)
		cli_printable(d->coverage->copies[i].holder);
	return r;
}

/* Read once, for three checks. */
static bool
need(struct doctor *d)
{
	int r = CLV_OK;

	if (d->coverage == NULL)
		r = fill(d);
	if (r == CLV_OK)
		return true;
	coverage_free(&d->coverage);
	doctor_found(d, "", "look into PostgreSQL's log",
	    "the sealed copies cannot be read: %s", clv_result_text(r));
	return false;
}

static void
say(void *arg, const char *subject, const char *next, const char *text)
{
	doctor_found(arg, subject, next, "%s", text);
}

/* This node's own copy was opened: what is wrong with that is known better. */
static void
say_of_others(
    void *arg, const char *subject, const char *next, const char *text)
{
	struct doctor *d = arg;

	if (d->keyring_result == CLV_OK || d->id == NULL ||
	    strcmp(subject, d->id->name) != 0)
		say(arg, subject, next, text);
}

static void
check_own_copy(struct doctor *d, const struct clv_list_node *node)
{
	int r = d->keyring_result;

	if (r == CLV_E_STALE)
		doctor_found(d, node->party.name, NULL,
		    "this node's copy is of generation %u, which is not the "
		    "current one",
		    clv_keyring_newest(d->keyring));
	else if (r == CLV_E_NOT_FOUND)
		doctor_found(d, node->party.name,
		    "claviger restore FILE on this node",
		    node->sealed ? "its sealed copy is missing"
				 : "it has no copy yet (escrow policy manual)");
	else if (r != CLV_OK)
		doctor_found(d, node->party.name,
		    r == CLV_E_SIGNATURE
			? "find out who changed the database; then claviger "
			  "restore FILE on this node"
			: NULL,
		    "this node's copy does not open: %s", clv_result_text(r));
}

void
doctor_escrow(struct doctor *d)
{
	const struct clv_list_node *node;
	unsigned n = 0;

	if (d->id == NULL)
		doctor_found(d, "", "claviger doctor --only files",
		    "this node's identity cannot be used: %s",
		    clv_result_text(d->keyring_result));
	else if ((node = clv_list_node_by_name(d->list, d->id->name)) != NULL &&
		 !node->revoked)
		check_own_copy(d, node);
	if (!need(d))
		return;
	(void)coverage_judge_kind(d->coverage, COVERAGE_NODE, say_of_others, d);
	for (size_t i = 0; i < d->coverage->count; i++)
		n += d->coverage->copies[i].kind == COVERAGE_NODE;
	doctor_note(d, "%u: this node's opens, the others are signed", n);
}

static const struct coverage_copy *
newest(const struct coverage *c, enum coverage_kind kind)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->copies[i].kind == kind && c->copies[i].result == CLV_OK)
			return &c->copies[i];
	return NULL;
}

void
doctor_recovery(struct doctor *d)
{
	const struct coverage_copy *copy;

	if (!need(d))
		return;
	(void)coverage_judge_kind(d->coverage, COVERAGE_RECOVERY, say, d);
	copy = newest(d->coverage, COVERAGE_RECOVERY);
	if (copy != NULL)
		doctor_note(d,
		    "signed, for %s; that it opens only its holders can show",
		    copy->holder);
	else
		doctor_note(d, "no recovery recipient is set");
}

/* Twice the time, for a place may have been full once. */
static void
check_schedule(struct doctor *d, uint64_t age_s)
{
	const struct config *c = &d->c->config;
	bool wanted = c->backup_to[0] != '\0' || c->backup_command[0] != '\0';
	char age[32];

	if (!wanted || (int64_t)age_s <= 2 * (int64_t)c->backup_interval)
		return;
	doctor_found(d, "",
	    "systemctl status claviger-backup.timer on the active server; "
	    "claviger backup --scheduled there says why not",
	    "backups are to be written on a schedule, and the newest one is "
	    "%s old",
	    cli_age_text(age_s, age, sizeof(age)));
}

void
doctor_backups(struct doctor *d)
{
	const struct coverage_copy *copy;
	char age[32];

	if (!need(d))
		return;
	(void)coverage_judge_kind(d->coverage, COVERAGE_BACKUP, say, d);
	copy = newest(d->coverage, COVERAGE_BACKUP);
	if (copy == NULL) {
		doctor_note(d, "none is recorded");
		return;
	}
	check_schedule(d, d->coverage->now_s - copy->sealed_s);
	doctor_note(d, "the newest is %s old, at %.100s",
	    cli_age_text(d->coverage->now_s > copy->sealed_s
			     ? d->coverage->now_s - copy->sealed_s
			     : 0,
		age, sizeof(age)),
	    copy->holder);
}
