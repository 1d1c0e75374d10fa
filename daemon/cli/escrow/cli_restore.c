/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sodium.h>
#include <claviger/age.h>
#include "daemon/cli/escrow/cli_restore.h"

#define COPY_TRIES 50
#define COPY_PAUSE_MS 200

/* Sealed to this node, so that nothing but its daemon can open the message. */
static int
seal(struct cli *c, const struct restore *s, struct clv_buf *ret)
{
	char *text = NULL;
	size_t len = 0;
	int r = clv_keyring_format(s->keyring, &text, &len);

	if (r == CLV_OK)
		r = clv_age_seal(c->guard,
		    (const uint8_t(*)[CLV_AGE_KEY_LEN]) & s->host.party.box_pk,
		    1, false, text, len, ret);
	clv_guard_put(c->guard, text);
	return r;
}

static const char *
remedy(int result)
{
	switch (result) {
	case CLV_E_NOT_READY:
		return "have this node approved first: claviger node approve, "
		       "on a node that is ready";
	case CLV_E_STALE:
		return "use a newer backup; claviger status names the newest";
	default: return "claviger status; the daemon's log says more";
	}
}

static int
hand_over(struct cli *c, struct restore *s)
{
	struct cli_reply reply;
	struct ctl_status st;
	struct clv_buf file;
	int r;

	clv_buf_init(&file);
	r = seal(c, s, &file);
	if (r == CLV_OK)
		r = cli_ctl(c, CTL_RESTORE, file.data, file.len, &reply,
		    CLI_TIMEOUT_MS);
	clv_buf_fini(&file);
	if (r == CLV_OK)
		return CLV_OK;
	st.reason[0] = '\0';
	(void)cli_ctl_status(c, &st);
	return cli_fail(c, r, remedy(r),
	    "clavigerd did not take the keyring: %s%s%s", clv_result_text(r),
	    st.reason[0] != '\0' ? ": " : "", st.reason);
}

/* Does this node's sealed copy in the database open with what was restored? */
static int
copy_is_there(struct cli *c, const struct restore *s, struct clv_store *db,
    uint8_t number)
{
	struct clv_keyring *k = NULL;
	uint8_t buf[8], pk[CLV_SIGN_PK_LEN];
	const struct clv_param p = clv_param_u64(number, buf);
	const void *row;
	size_t len;
	int r = cli_system_pk(c, pk);

	if (r == CLV_OK)
		r = cli_db_run(c, db, CLV_STMT_GET_ESCROW, &p, 1);
	if (r != CLV_OK)
		return r;
	if (clv_store_rows(db) == 0)
		return CLV_E_AGAIN;
	row = clv_store_get(db, 0, 0, &len);
	r = clv_escrow_open(row, len, pk, s->host.id, number, &k);
	if (r == CLV_OK &&
	    clv_keyring_newest(k) < clv_keyring_newest(s->keyring))
		r = CLV_E_AGAIN;
	clv_keyring_free(&k);
	return r == CLV_OK ? r : CLV_E_AGAIN;
}

/* A daemon of our own ends with this command: what it holds must be in the
 * database by then. */
static int
wait_for_copy(struct cli *c, const struct restore *s)
{
	const struct timespec pause = {0, COPY_PAUSE_MS * 1000000};
	const struct clv_list_node *n =
	    clv_list_node_by_name(s->list, s->host.id->name);
	const char *passfile = c->config.database_passfile;
	struct clv_store *db = NULL;
	int r = cli_db_open(c, c->config.database,
	    passfile[0] != '\0' ? passfile : NULL, false, &db);

	if (r != CLV_OK)
		return r;
	r = CLV_E_AGAIN;
	for (int i = 0; i < COPY_TRIES && r == CLV_E_AGAIN; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		r = n == NULL ? CLV_E_NOT_READY
			      : copy_is_there(c, s, db, n->number);
	}
	clv_store_free(&db);
	if (r == CLV_E_AGAIN || r == CLV_E_NOT_READY)
		r = cli_fail(c, CLV_E_NOT_READY,
		    "start clavigerd on this node, then repeat the command",
		    "the keyring was opened, but this node's sealed copy did "
		    "not reach the database");
	return r;
}

/* ---- what is replaced ---- */

static bool
same_keyring(const struct clv_keyring *a, const struct clv_keyring *b)
{
	if (clv_keyring_count(a) != clv_keyring_count(b))
		return false;
	for (size_t i = 0; i < clv_keyring_count(a); i++)
		if (clv_keyring_number(a, i) != clv_keyring_number(b, i))
			return false;
	return true;
}

/* Sealed by what opened the copy that is restored. */
static int
write_copy(struct cli *c, const struct restore *s, const struct clv_keyring *k,
    const char *path, char why[static 256])
{
	const struct cli_source *from = s->source;

	if (from->passphrase != NULL)
		return clv_backup_write(
		    c->guard, k, path, from->passphrase, why);
	return clv_backup_write_recovery(c->guard, k, path, from->pk, why);
}

static int
keep_it(struct cli *c, struct restore *s)
{
	char why[256] = "", at[32];
	time_t now = time(NULL);
	struct tm tm;
	int r;

	strftime(at, sizeof(at), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	snprintf(s->kept, sizeof(s->kept), "%s/keyring-%s.age",
	    c->config.state_dir, at);
	r = cli_become(c, &c->config);
	if (r != CLV_OK)
		return r;
	r = write_copy(c, s, s->had, s->kept, why);
	cli_unbecome();
	if (r == CLV_OK)
		return r;
	return cli_fail(c, r, "mend that, then repeat the command",
	    "nothing was changed: the keyring that is here could not be kept: "
	    "%s",
	    why[0] != '\0' ? why : clv_result_text(r));
}

/* What opened the copy opens this one, too, and no key on this disk does. */
static int
keep_replaced(struct cli *c, struct restore *s)
{
	return s->had == NULL || same_keyring(s->had, s->keyring)
		   ? CLV_OK
		   : keep_it(c, s);
}

/* ---- all of it ---- */

/* A backup that was written while the signing key changed has both. */
static int
follow(struct cli *c, struct restore *s)
{
	if (s->there == NULL ||
	    clv_keyring_follow(s->keyring, s->there->sign_pk) == CLV_OK)
		return CLV_OK;
	return cli_fail(c, CLV_E_STALE,
	    "use a newer backup; claviger status names the newest",
	    "it is of before the system changed its signing key");
}

/* Of a bare machine the keyring says which system it becomes a node of. */
static int
load(struct cli *c, struct restore *s)
{
	int r = s->bare ? CLV_OK : cli_host_load(c, &s->host);
	char key[CLI_BASE64];

	if (r == CLV_OK)
		r = s->source->open(c, s->source, &s->keyring);
	if (r == CLV_OK && !s->bare)
		r = cli_keyring_check(c, s->keyring, NULL);
	if (r != CLV_OK)
		return r;
	memcpy(s->pk, clv_keyring_sign_pk(s->keyring), sizeof(s->pk));
	if (s->bare && c->config.system[0] != '\0')
		r = cli_system_pk(c, s->pk); /* it was said */
	else
		snprintf(c->config.system, sizeof(c->config.system), "%s",
		    cli_base64(s->pk, key));
	if (r != CLV_OK)
		return r;
	r = restore_look(c, s);
	if (r != CLV_OK)
		return r;
	r = s->older ? restore_older_look(c, s) : restore_check(c, s);
	return r == CLV_OK ? follow(c, s) : r;
}

/* What is here is kept, and what comes is in a backup, before it is in force.
 */
static int
begin_older(struct cli *c, struct restore *s)
{
	char why[256] = "";
	int r = restore_newer_make(c, s);

	if (r == CLV_OK)
		r = keep_replaced(c, s);
	if (r != CLV_OK)
		return r;
	cli_progress("writing the backup and opening it again");
	r = write_copy(c, s, s->newer, cli_opt(c, "backup"), why);
	return r == CLV_OK
		   ? r
		   : cli_fail(c, r,
			 "mend that, then repeat the command with a new file",
			 "nothing was changed: no backup was written: %s",
			 why[0] != '\0' ? why : clv_result_text(r));
}

static int
become_node(struct cli *c, struct restore *s)
{
	int r = s->older ? begin_older(c, s) : CLV_OK;

	if (r == CLV_OK && s->bare) {
		r = cli_join_by_keyring(c, s->pk);
		if (r == CLV_OK)
			r = cli_host_load(c, &s->host);
	}
	if (r == CLV_OK && (s->enrols || s->older))
		r = restore_enrol(c, s);
	return r;
}

/* The daemon's, which may be about to fetch the one that the database has. */
static void
fetch_list(struct cli *c, struct restore *s)
{
	const struct timespec pause = {0, COPY_PAUSE_MS * 1000000};
	uint64_t there = s->there != NULL ? s->there->version : 0;

	for (int i = 0; i < COPY_TRIES; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		clv_list_free(&s->list);
		if (cli_list_get(c, &s->list) != CLV_OK ||
		    s->list->version >= there)
			return;
	}
}

/* The new keyring is in this node's sealed copy, which its daemon opens by
 * itself. */
static int
wait_for_newer(struct cli *c, struct restore *s)
{
	const struct timespec pause = {0, COPY_PAUSE_MS * 1000000};
	struct clv_keyring *k = NULL;
	bool opened = false;

	clv_keyring_free(&s->keyring);
	s->keyring = s->newer;
	s->newer = NULL; /* transferred */
	for (int i = 0; i < COPY_TRIES && !opened; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		opened =
		    cli_keyring_try(c, &k) == CLV_OK &&
		    clv_keyring_newest(k) == clv_keyring_newest(s->keyring);
		clv_keyring_free(&k);
	}
	if (opened)
		return CLV_OK;
	return cli_fail(c, CLV_E_NOT_READY, "claviger status",
	    "generation %u is in force, and its backup is %s, but clavigerd "
	    "has not opened this node's sealed copy of it",
	    clv_keyring_newest(s->keyring), s->where);
}

static int
restore(struct cli *c, struct restore *s)
{
	int r = become_node(c, s);

	if (r == CLV_OK)
		r = cli_daemon_need(c, &s->daemon);
	if (r != CLV_OK)
		return r;
	if (s->older)
		return wait_for_newer(c, s);
	fetch_list(c, s);
	if (s->list != NULL)
		r = cli_keyring_check(c, s->keyring, restore_newest_list(s));
	clv_keyring_free(&s->had); /* the daemon may have opened one since */
	(void)cli_keyring_try(c, &s->had);
	if (r == CLV_OK)
		r = keep_replaced(c, s);
	if (r == CLV_OK)
		r = hand_over(c, s);
	if (r == CLV_OK && s->daemon.started && s->list != NULL)
		r = wait_for_copy(c, s);
	return r;
}

/* The list with this node in it comes with the next look at the database. */
static void
status_after(struct cli *c, const struct restore *s, struct ctl_status *st)
{
	const struct timespec pause = {0, COPY_PAUSE_MS * 1000000};

	st->reason[0] = '\0';
	for (int i = 0; i < COPY_TRIES; i++) {
		if (cli_ctl_status(c, st) != CLV_OK)
			st->reason[0] = '\0';
		if (!s->enrols || st->node_number != 0)
			return;
		nanosleep(&pause, NULL);
	}
}

static void
json_older(const struct restore *s, struct cli_json *j)
{
	char hex[CLI_HEX];

	restore_older_json(s, j);
	cli_json_str(j, "backup", s->where);
	cli_json_bool(j, "recorded", s->recorded);
	cli_json_str(j, "server_thumbprint",
	    s->tls_row.len > 0 ? cli_hex(s->tls_thumb, hex) : "");
}

static void
print_json(const struct restore *s, const struct ctl_status *st)
{
	struct cli_json *j = cli_json_new();

	cli_json_u64(j, "generation", clv_keyring_newest(s->keyring));
	cli_json_str(j, "node", s->host.id->name);
	cli_json_bool(j, "enrolled", s->enrols);
	cli_json_str(j, "replaced", s->kept);
	if (s->older)
		json_older(s, j);
	cli_json_str(j, "reason", st->reason);
	cli_json_print(j);
}

static void
print_older(const struct cli *c, const struct restore *s)
{
	char hex[CLI_HEX];

	printf("its backup is %s\n", s->where);
	if (s->tls_row.len > 0)
		cli_warn(c,
		    "the key of the network name's certificate was lost, too, "
		    "and there is a new one: write 'server_thumbprint = %s' "
		    "into the configuration of each member, and restart "
		    "clavigerd there",
		    cli_hex(s->tls_thumb, hex));
}

/* It is here; whether it serves is another matter. */
static void
print(struct cli *c, const struct restore *s)
{
	struct ctl_status st = {.reason = ""};

	if (!s->daemon.started)
		status_after(c, s, &st);
	if (cli_opt(c, "json") != NULL) {
		print_json(s, &st);
	} else {
		printf("the master secret is on this node: generation %u\n",
		    clv_keyring_newest(s->keyring));
		if (s->enrols)
			printf("%s is enrolled as server node number %u\n",
			    s->host.id->name, s->number);
		if (s->older)
			print_older(c, s);
		if (s->kept[0] != '\0')
			printf("the keyring that was here is kept in %s\n",
			    s->kept);
	}
	if (st.reason[0] != '\0')
		cli_warn(c, "the node is not ready yet: %s", st.reason);
}

int
cli_restore_from(struct cli *c, struct cli_source *source)
{
	struct restore s = {.source = source};
	bool only_look = cli_opt(c, "dry-run") != NULL;
	int r = cli_guard(c);

	if (r != CLV_OK)
		return r;
	s.bare = source->bare;
	s.older = source->older;
	cli_host_init(&s.host);
	clv_buf_init(&s.tls_row);
	r = load(c, &s);
	if (r == CLV_OK && s.older && !only_look)
		r = restore_older_confirm(c, &s);
	if (r == CLV_OK && only_look)
		restore_print_plan(c, &s);
	else if (r == CLV_OK)
		r = restore(c, &s);
	if (r == CLV_OK && !only_look)
		print(c, &s);
	cli_daemon_stop(c, &s.daemon);
	clv_keyring_free(&s.keyring);
	clv_keyring_free(&s.newer);
	clv_keyring_free(&s.had);
	clv_buf_fini(&s.tls_row);
	free(s.lost);
	clv_list_free(&s.list);
	clv_list_free(&s.there);
	clv_store_free(&s.db);
	cli_host_fini(&s.host);
	return r;
}
