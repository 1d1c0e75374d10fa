/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <time.h>
#include <sodium.h>
#include <claviger/age.h>
#include "daemon/cli.h"

#define COPY_TRIES 50
#define COPY_PAUSE_MS 200

struct restore {
	struct clv_keyring *keyring;
	struct clv_list *list; /* may be NULL */
	struct cli_host host;
	struct cli_daemon daemon;
};

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

static int
restore(struct cli *c, struct restore *s, cli_keyring_source open, void *arg)
{
	int r = cli_host_load(c, &s->host);

	if (r == CLV_OK)
		r = open(c, arg, &s->keyring);
	if (r == CLV_OK)
		r = cli_keyring_check(c, s->keyring, NULL);
	if (r == CLV_OK)
		r = cli_daemon_need(c, &s->daemon);
	if (r != CLV_OK)
		return r;
	/* Now: a daemon may just have fetched it. */
	if (cli_list_get(c, &s->list) == CLV_OK)
		r = cli_keyring_check(c, s->keyring, s->list);
	if (r == CLV_OK)
		r = hand_over(c, s);
	if (r == CLV_OK && s->daemon.started && s->list != NULL)
		r = wait_for_copy(c, s);
	return r;
}

/* It is here; whether it serves is another matter. */
static void
print(struct cli *c, const struct restore *s)
{
	uint32_t generation = clv_keyring_newest(s->keyring);
	struct ctl_status st = {.reason = ""};
	struct cli_json *j;

	if (!s->daemon.started && cli_ctl_status(c, &st) != CLV_OK)
		st.reason[0] = '\0';
	if (cli_opt(c, "json") != NULL) {
		j = cli_json_new();
		cli_json_u64(j, "generation", generation);
		cli_json_str(j, "reason", st.reason);
		cli_json_print(j);
	} else {
		printf("the master secret is on this node: generation %u\n",
		    generation);
	}
	if (st.reason[0] != '\0')
		cli_warn(c, "the node is not ready yet: %s", st.reason);
}

int
cli_restore_from(struct cli *c, cli_keyring_source open, void *arg)
{
	struct restore s;
	int r = cli_guard(c);

	if (r != CLV_OK)
		return r;
	memset(&s, 0, sizeof(s));
	cli_host_init(&s.host);
	r = restore(c, &s, open, arg);
	if (r == CLV_OK)
		print(c, &s);
	cli_daemon_stop(c, &s.daemon);
	clv_keyring_free(&s.keyring);
	clv_list_free(&s.list);
	cli_host_fini(&s.host);
	return r;
}

static int
from_backup(struct cli *c, void *arg, struct clv_keyring **ret)
{
	(void)arg;
	return cli_backup_read(c, c->args[0], ret);
}

int
cli_restore(struct cli *c)
{
	return cli_restore_from(c, from_backup, NULL);
}
