/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sodium.h>
#include "daemon/cli/escrow/cli_reminder.h"
#include "daemon/base/system_pin.h"

#define PATIENCE_MS 3000 /* nobody waits longer for a reminder */

/* ---- one is given ---- */

static bool
passphrase_was_typed(const struct cli *c)
{
	return cli_opt(c, "passphrase-file") == NULL &&
	       cli_opt(c, "passphrase-fd") == NULL;
}

static int
from_terminal(struct cli *c, char ret[static REMINDER_TEXT_MAX])
{
	char *line = NULL;
	int r = cli_ask_openly(
	    c, "A reminder of it, kept in the database (empty: none)", &line);

	if (r == CLV_OK && strlen(line) >= REMINDER_TEXT_MAX)
		r = cli_fail(c, CLV_E_INVALID, "begin again with a shorter one",
		    "the reminder is longer than 256 bytes");
	if (r == CLV_OK)
		snprintf(ret, REMINDER_TEXT_MAX, "%s", line);
	clv_guard_put(c->guard, line);
	return r;
}

int
cli_reminder_ask(
    struct cli *c, const char *passphrase, char ret[static REMINDER_TEXT_MAX])
{
	const char *given = cli_opt(c, "reminder");
	char typed[REMINDER_TEXT_MAX] = "", why[256] = "";
	int r = CLV_OK;

	if (given == NULL && passphrase_was_typed(c))
		r = from_terminal(c, typed);
	if (given == NULL)
		given = typed;
	if (r == CLV_OK && given[0] != '\0')
		r = reminder_check(given, passphrase, why);
	if (why[0] != '\0')
		cli_fail(c, r, "give another one, or none",
		    "the reminder is refused: %s", why);
	if (r == CLV_OK)
		snprintf(ret, REMINDER_TEXT_MAX, "%s", given);
	sodium_memzero(typed, sizeof(typed)); /* it may be the passphrase */
	return r;
}

/* ---- in the database ---- */

/* Only a server node may ask, and a bare machine, which becomes one. */
static struct clv_store *
open_database(const struct cli *c)
{
	const char *passfile = c->config.database_passfile;
	struct clv_store *db = NULL;
	char why[256];

	if (geteuid() != 0 || c->config.database[0] == '\0' ||
	    (c->config_result == CLV_OK && c->config.system[0] != '\0' &&
		!config_is_server(&c->config)))
		return NULL;
	if (clv_store_connect(c->config.database,
		passfile[0] != '\0' ? passfile : NULL, CLV_STORE_SERVER,
		PATIENCE_MS, &db, why) != CLV_OK)
		return NULL;
	return db;
}

static int
sign(const struct clv_keyring *k, const char *path, const char *where,
    const char *text, struct reminder *r, struct clv_buf *ret)
{
	int rc = reminder_file(path, r->file);

	if (rc != CLV_OK)
		return rc;
	memcpy(r->system_id, clv_keyring_system_id(k), sizeof(r->system_id));
	r->generation = clv_keyring_newest(k);
	r->time_s = (uint64_t)time(NULL);
	snprintf(r->where, sizeof(r->where), "%s", where);
	snprintf(r->text, sizeof(r->text), "%s", text);
	return reminder_format(r, k, ret);
}

bool
cli_reminder_put(struct cli *c, const struct clv_keyring *k, const char *path,
    const char *where, const char *text)
{
	struct clv_store *db = open_database(c);
	struct reminder r = {.generation = 0};
	struct clv_buf row;
	int rc;

	clv_buf_init(&row);
	rc = db != NULL ? sign(k, path, where, text, &r, &row)
			: CLV_E_DATABASE_AWAY;
	if (rc == CLV_OK) {
		const struct clv_param p[2] = {
		    {r.file, sizeof(r.file)},
		    {row.data, row.len},
		};
		rc =
		    clv_store_run(db, CLV_STMT_PUT_REMINDER, p, 2, PATIENCE_MS);
	}
	if (rc != CLV_OK)
		cli_warn(c,
		    "the backup itself is good; its reminder was not "
		    "kept: %s",
		    clv_result_text(rc));
	clv_buf_fini(&row);
	clv_store_free(&db);
	return rc == CLV_OK;
}

static const uint8_t *
known_key(const struct cli *c, uint8_t pk[static CLV_SIGN_PK_LEN])
{
	if (c->config.system[0] == '\0' ||
	    system_pin_load(&c->config, pk) == CLV_E_CONFIG)
		return NULL;
	return pk;
}

/* A bare machine has none but that of the database. */
static int
get_list(struct cli *c, struct clv_store *db, const uint8_t *key,
    struct clv_list **ret)
{
	uint8_t known[8];
	const struct clv_param p = clv_param_u64(0, known);
	const void *body;
	size_t len;
	int r = cli_list_get(c, ret);

	if (r == CLV_OK || key == NULL)
		return r;
	r = clv_store_run(db, CLV_STMT_GET_LIST, &p, 1, PATIENCE_MS);
	if (r != CLV_OK || clv_store_rows(db) == 0)
		return r != CLV_OK ? r : CLV_E_NOT_FOUND;
	body = clv_store_get(db, 0, 1, &len);
	return clv_list_open(body, len, key, ret);
}

/* Under that key (NULL: whoever signed it), or one that signed before, by the
 * list, if there is one. */
static int
read_reminder(const void *body, size_t len, const uint8_t *key,
    const struct clv_list *list, struct reminder *ret)
{
	size_t n =
	    list != NULL ? list->succession_count - list->has_next_key : 0;
	int r = reminder_parse(body, len, key, ret);

	for (; r == CLV_E_SIGNATURE && n > 0; n--)
		r = reminder_parse(
		    body, len, list->successions[n - 1].old_pk, ret);
	return r;
}

bool
cli_reminder_find(
    struct cli *c, const char *path, struct reminder *ret, bool *ret_proven)
{
	uint8_t pk[CLV_SIGN_PK_LEN], file[REMINDER_FILE_LEN];
	const struct clv_param p = {file, sizeof(file)};
	const uint8_t *key = known_key(c, pk);
	struct clv_list *list = NULL;
	struct clv_store *db;
	bool found = false;
	const void *body;
	size_t len;

	if (reminder_file(path, file) != CLV_OK)
		return false;
	db = open_database(c);
	if (db != NULL)
		(void)get_list(c, db, key, &list);
	if (db != NULL &&
	    clv_store_run(db, CLV_STMT_GET_REMINDERS, &p, 1, PATIENCE_MS) ==
		CLV_OK &&
	    clv_store_rows(db) > 0) {
		body = clv_store_get(db, 0, 1, &len);
		found = read_reminder(body, len, key, list, ret) == CLV_OK &&
			memcmp(ret->file, file, sizeof(file)) == 0;
	}
	clv_list_free(&list);
	clv_store_free(&db);
	*ret_proven = key != NULL;
	return found;
}

void
cli_reminder_show(struct cli *c, const char *path)
{
	struct reminder r;
	bool proven;

	if (!cli_reminder_find(c, path, &r, &proven))
		return;
	fprintf(
	    stderr, "Reminder of its passphrase: %s\n", cli_printable(r.text));
	if (!proven)
		fputs("(Whether the system has signed that is not known: give "
		      "--system to have it checked.)\n",
		    stderr);
}

/* ---- all of them ---- */

static void
print_one(struct cli_json *j, struct reminder *r, uint64_t age_s)
{
	struct cli_json *o;
	char age[32];

	cli_printable(r->where);
	cli_printable(r->text);
	if (j == NULL) {
		printf("  %s, %s ago: %s\n", r->where,
		    cli_age_text(age_s, age, sizeof(age)), r->text);
		return;
	}
	o = cli_json_push(j, "reminders");
	cli_json_str(o, "backup", r->where);
	cli_json_u64(o, "generation", r->generation);
	cli_json_u64(o, "age_s", age_s);
	cli_json_str(o, "reminder", r->text);
}

static void
print_rows(struct clv_store *db, const uint8_t *pk, const struct clv_list *list,
    struct cli_json *j)
{
	struct reminder r;
	bool any = false;

	for (size_t i = 0; i < clv_store_rows(db); i++) {
		const void *file, *body;
		size_t file_len, len;

		file = clv_store_get(db, i, 0, &file_len);
		body = clv_store_get(db, i, 1, &len);
		if (read_reminder(body, len, pk, list, &r) != CLV_OK ||
		    file_len != sizeof(r.file) ||
		    memcmp(file, r.file, file_len) != 0)
			continue;
		if (j == NULL && !any)
			puts("reminders of passphrases");
		any = true;
		print_one(j, &r, clv_store_get_u64(db, i, 2));
	}
}

void
cli_reminder_list(struct cli *c, struct cli_json *j)
{
	const struct clv_param all = {"", 0};
	uint8_t pk[CLV_SIGN_PK_LEN];
	struct clv_list *list = NULL;
	struct clv_store *db = NULL;

	if (j != NULL)
		cli_json_array(j, "reminders");
	if (known_key(c, pk) != NULL)
		db = open_database(c);
	if (db != NULL)
		(void)get_list(c, db, pk, &list);
	if (db != NULL && clv_store_run(db, CLV_STMT_GET_REMINDERS, &all, 1,
			      PATIENCE_MS) == CLV_OK)
		print_rows(db, pk, list, j);
	clv_list_free(&list);
	clv_store_free(&db);
}
