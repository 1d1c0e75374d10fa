/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "daemon/cli/escrow/cli_restore.h"

/*
 * claviger restore --older: no copy is left of a generation that was seen. An
 * older one never becomes current again, for hosts have seen a newer one: a new
 * generation does, above all that was seen, and the lost ones are destroyed.
 * What is wrapped under these is said before anything is changed.
 */
#define PAGE 200

static bool
holds(const struct clv_keyring *k, uint32_t number)
{
	for (size_t i = 0; i < clv_keyring_count(k); i++)
		if (clv_keyring_number(k, i) == number)
			return true;
	return false;
}

/* ---- generations ---- */

static void
see(struct restore *s, uint32_t number)
{
	if (number > s->seen_generation)
		s->seen_generation = number;
}

/* The list that is older may name one that the newer one has dropped. */
static void
find_given_up(struct restore *s)
{
	const struct clv_list *list = restore_newest_list(s);
	const struct clv_list *both[] = {s->list, s->there};

	see(s, s->seen.generation);
	see(s, clv_keyring_newest(s->keyring));
	for (size_t l = 0; l < 2; l++)
		for (size_t i = 0;
		     both[l] != NULL && i < both[l]->generation_count; i++)
			see(s, both[l]->generations[i].number);
	for (size_t i = 0; i < list->generation_count; i++) {
		const struct clv_list_generation *g = &list->generations[i];

		if (g->state != CLV_GEN_DESTROYED &&
		    !holds(s->keyring, g->number))
			s->given_up[s->given_up_count++] = g->number;
	}
	/* Where no list is left that names it. */
	if (s->seen.generation > clv_keyring_newest(s->keyring) &&
	    clv_list_generation(list, s->seen.generation) == NULL)
		s->given_up[s->given_up_count++] = s->seen.generation;
}

/* ---- applications ---- */

static struct restore_lost *
find_app(struct restore *s, const char *app)
{
	struct restore_lost *more;

	for (size_t i = 0; i < s->lost_count; i++)
		if (strcmp(s->lost[i].app, app) == 0)
			return &s->lost[i];
	more = reallocarray(s->lost, s->lost_count + 1, sizeof(*more));
	if (more == NULL)
		return NULL;
	s->lost = more;
	more = &more[s->lost_count++];
	memset(more, 0, sizeof(*more));
	memcpy(more->app, app, sizeof(more->app));
	return more;
}

struct place { /* of a key, in the order in which pages come */
	uint64_t generation, version;
	char app[CLV_NAME_MAX];
};

static int
take_key(struct restore *s, size_t i, struct place *at)
{
	struct restore_lost *lost;
	size_t len;
	const char *app = clv_store_get(s->db, i, 0, &len);

	if (len >= sizeof(at->app))
		return CLV_E_FORMAT;
	memset(at->app, 0, sizeof(at->app));
	memcpy(at->app, app, len);
	at->version = clv_store_get_u64(s->db, i, 1);
	at->generation = clv_store_get_u64(s->db, i, 2);
	if (clv_name_check(at->app) != CLV_OK)
		return CLV_E_FORMAT;
	if (holds(s->keyring, (uint32_t)at->generation))
		return CLV_OK;
	lost = find_app(s, at->app);
	if (lost == NULL)
		return CLV_E_NOMEM;
	lost->whole |= at->version == 0;
	lost->keys++;
	return CLV_OK;
}

static int
take_page(struct cli *c, struct restore *s, struct place *at, bool *ret_more)
{
	uint8_t b[4][8];
	const struct clv_param p[5] = {
	    clv_param_u64(INT64_MAX, b[0]),
	    clv_param_u64(at->generation, b[1]),
	    {at->app, strlen(at->app)},
	    clv_param_u64(at->version, b[2]),
	    clv_param_u64(PAGE, b[3]),
	};
	int r = cli_db_run(c, s->db, CLV_STMT_GET_OLD_KEYS, p, 5);
	size_t rows = r == CLV_OK ? clv_store_rows(s->db) : 0;

	for (size_t i = 0; r == CLV_OK && i < rows; i++) {
		r = take_key(s, i, at);
		if (r != CLV_OK)
			r = cli_fail(c, r, "claviger doctor",
			    "the database's data keys are not what a server "
			    "wrote: %s",
			    clv_result_text(r));
	}
	*ret_more = rows == PAGE;
	return r;
}

static int
find_lost(struct cli *c, struct restore *s)
{
	struct place at = {0};
	bool more = true;
	int r = CLV_OK;

	while (r == CLV_OK && more)
		r = take_page(c, s, &at, &more);
	return r;
}

/* ---- may it be? ---- */

/* Of this node, where no daemon has it: what it holds is kept. */
static void
open_own(struct restore *s)
{
	uint8_t buf[8];
	const struct clv_param p = clv_param_u64(s->number, buf);
	const void *row;
	size_t len;

	if (s->had != NULL || s->number == 0 ||
	    clv_store_run(s->db, CLV_STMT_GET_ESCROW, &p, 1, CLI_TIMEOUT_MS) !=
		CLV_OK ||
	    clv_store_rows(s->db) == 0)
		return;
	row = clv_store_get(s->db, 0, 0, &len);
	(void)clv_escrow_open(row, len, s->pk, s->host.id, s->number, &s->had);
}

static int
check_place(struct cli *c, const struct restore *s)
{
	if (s->there == NULL)
		return cli_fail(c, CLV_E_DATABASE_AWAY,
		    "claviger doctor; then repeat the command",
		    "--older writes to the database, which has no list of this "
		    "system, or cannot be asked");
	if (s->holder != 0)
		return cli_fail(c, CLV_E_BUSY,
		    "claviger status; end that server if it is meant",
		    "node number %u is active, and has what this copy lacks",
		    s->holder);
	return CLV_OK;
}

static int
check_backup(struct cli *c, struct restore *s)
{
	const char *backup = cli_opt(c, "backup");
	int r;

	if (backup == NULL)
		return cli_fail(c, CLV_E_USAGE, "claviger restore --help",
		    "--older makes a new generation: --backup says where its "
		    "backup goes");
	r = cli_backup_path(c, backup);
	return r == CLV_OK
		   ? cli_backup_where(c, backup, s->where, sizeof(s->where))
		   : r;
}

int
restore_older_look(struct cli *c, struct restore *s)
{
	int r = check_place(c, s);

	if (r != CLV_OK)
		return r;
	find_given_up(s);
	if (s->given_up_count == 0)
		return cli_fail(c, CLV_E_USAGE, "leave --older away",
		    "this copy has all generations that were seen");
	if (s->seen_generation == UINT32_MAX)
		return cli_fail(c, CLV_E_FULL, "claviger doctor",
		    "no generation can follow on number %u",
		    s->seen_generation);
	open_own(s);
	r = find_lost(c, s);
	if (r == CLV_OK && cli_opt(c, "dry-run") == NULL)
		r = check_backup(c, s);
	return r;
}

/* ---- saying so ---- */

static void
numbers(const struct restore *s, char *dst, size_t cap)
{
	size_t at = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < s->given_up_count && at < cap; i++)
		at += (size_t)snprintf(dst + at, cap - at, "%s%u",
		    i > 0 ? " " : "", s->given_up[i]);
}

static bool
is_newer(const struct restore *s, uint64_t generation)
{
	return generation > clv_keyring_newest(s->keyring);
}

/* Of the nodes of the list, by number, and the recovery recipient. */
static void
find_copies(
    const struct restore *s, uint64_t newest[static CLV_ESCROW_RECOVERY + 1])
{
	if (clv_store_run(
		s->db, CLV_STMT_GET_ESCROWS, NULL, 0, CLI_TIMEOUT_MS) != CLV_OK)
		return;
	for (size_t i = 0; i < clv_store_rows(s->db); i++) {
		uint64_t number = clv_store_get_u64(s->db, i, 0);

		if (number <= CLV_ESCROW_RECOVERY)
			newest[number] = clv_store_get_u64(s->db, i, 1);
	}
}

static void
say_proven(const struct restore *s, const struct clv_list_node *n, FILE *f)
{
	struct clv_escrow_about about;
	uint8_t buf[8];
	const struct clv_param p = clv_param_u64(n->number, buf);
	char date[CLI_DATE];
	const void *row;
	size_t len;

	if (clv_store_run(s->db, CLV_STMT_GET_ESCROW, &p, 1, CLI_TIMEOUT_MS) !=
		CLV_OK ||
	    clv_store_rows(s->db) == 0)
		return;
	row = clv_store_get(s->db, 0, 0, &len);
	if (clv_escrow_check(row, len, s->pk, n->number, n->party.box_pk,
		&about) == CLV_OK &&
	    about.proven_s != 0)
		fprintf(f, ", which has opened it on %s",
		    cli_date((int64_t)about.proven_s, date));
}

/* Somebody may have it after all. */
static void
say_copies(const struct restore *s, FILE *f)
{
	const struct clv_list *list = restore_newest_list(s);
	uint64_t newest[CLV_ESCROW_RECOVERY + 1] = {0};

	find_copies(s, newest);
	for (size_t i = 0; i < list->node_count; i++) {
		const struct clv_list_node *n = &list->nodes[i];

		if (n->revoked || n->number == s->number ||
		    !is_newer(s, newest[n->number]))
			continue;
		fprintf(f, "not lost, if        the identity of %s is left",
		    n->party.name);
		say_proven(s, n, f);
		fputc('\n', f);
	}
	if (is_newer(s, newest[CLV_ESCROW_RECOVERY]))
		fputs("not lost, if        the shares are left: claviger "
		      "recovery combine\n",
		    f);
}

static void
say_own(const struct restore *s, FILE *f)
{
	if (s->had != NULL && is_newer(s, clv_keyring_newest(s->had)))
		fprintf(f,
		    "not lost            this node's own copy opens: without "
		    "this command\n"
		    "                    it goes on with generation %u\n",
		    clv_keyring_newest(s->had));
}

void
restore_older_say(struct cli *c, const struct restore *s, FILE *f)
{
	char given_up[512];

	if (cli_opt(c, "json") != NULL && f == stdout)
		return;
	numbers(s, given_up, sizeof(given_up));
	fprintf(f, "given up            generation %s, for ever\n", given_up);
	fprintf(
	    f, "new                 generation %u\n", s->seen_generation + 1);
	for (size_t i = 0; i < s->lost_count; i++) {
		const struct restore_lost *l = &s->lost[i];

		fprintf(f,
		    "lost                application %s: %" PRIu64 " key%s%s\n",
		    l->app, l->keys, l->keys == 1 ? "" : "s",
		    l->whole ? ", and with its index all of it" : "");
	}
	if (s->lost_count == 0)
		fputs("lost                nothing that the database has\n", f);
	say_own(s, f);
	say_copies(s, f);
}

void
restore_older_json(const struct restore *s, struct cli_json *j)
{
	cli_json_array(j, "given_up");
	for (size_t i = 0; i < s->given_up_count; i++)
		cli_json_u64_push(j, "given_up", s->given_up[i]);
	cli_json_u64(j, "new_generation", s->seen_generation + 1);
	cli_json_array(j, "lost");
	for (size_t i = 0; i < s->lost_count; i++) {
		struct cli_json *o = cli_json_push(j, "lost");

		cli_json_str(o, "application", s->lost[i].app);
		cli_json_u64(o, "keys", s->lost[i].keys);
		cli_json_bool(o, "whole", s->lost[i].whole);
	}
}

int
restore_older_confirm(struct cli *c, const struct restore *s)
{
	uint32_t newest = s->given_up[s->given_up_count - 1];
	char want[16];

	restore_older_say(c, s, stderr);
	if (cli_opt(c, "yes") != NULL)
		return CLV_OK;
	if (!isatty(STDIN_FILENO))
		return cli_fail(c, CLV_E_DENIED, "repeat it with --yes",
		    "generation %u is not given up without being asked",
		    newest);
	snprintf(want, sizeof(want), "%u", newest);
	fprintf(stderr, "Type %s, its number, to give it up: ", want);
	return cli_typed(c, want, "changed");
}
