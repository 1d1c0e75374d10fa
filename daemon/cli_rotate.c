/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <time.h>
#include "daemon/admin.h"
#include "daemon/cli.h"
#include "daemon/record.h"

#define OPEN_MS 10000

/*
 * Three steps, and the order is the point: sealed to every node, then in a
 * backup that was opened again, and only then current. After a failure the same
 * command goes on with the generation that was begun.
 */

static int
begin(struct cli *c, uint32_t *ret)
{
	struct cli_answer a;
	struct clv_buf b;
	struct clv_rd rd;
	int r;

	cli_admin_begin(&b, ADMIN_ROTATE_BEGIN);
	cli_progress("making a new generation, sealed to every server node");
	r = cli_admin(c, &b, "begin the rotation", &a);
	if (r == CLV_OK) {
		clv_rd_init(&rd, a.data.data, a.data.len);
		*ret = clv_rd_u32(&rd);
		if (clv_rd_end(&rd) != CLV_OK)
			r = cli_fail(c, CLV_E_PROTOCOL, "repeat the command",
			    "it was not said which generation was made");
	}
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}

/* The keyring does not travel: this node opens its own sealed copy, as every
 * other one does, and the daemon here hands it out. */
static int
fetch(struct cli *c, uint32_t generation, struct clv_keyring **ret)
{
	const struct timespec pause = {0, 50 * 1000000};
	int r;

	for (int i = 0; i < OPEN_MS / 50; i++) {
		r = cli_keyring_export(c, ret);
		if (r != CLV_OK || clv_keyring_newest(*ret) >= generation)
			return r;
		clv_keyring_free(ret);
		nanosleep(&pause, NULL);
	}
	return cli_fail(c, CLV_E_NOT_READY,
	    "claviger status here; then repeat the command",
	    "this node has not opened generation %u yet", generation);
}

static void
print(const struct cli *c, uint32_t generation, const char *where,
    const struct cli_answer *a)
{
	const char *path = cli_opt(c, "backup");
	struct cli_json *j;

	if (cli_opt(c, "json") == NULL) {
		printf("generation %u is current; its backup is %s\n",
		    generation, path);
		return;
	}
	j = cli_json_new();
	cli_json_u64(j, "generation", generation);
	cli_json_str(j, "backup", path);
	cli_json_str(j, "where", where);
	cli_answer_late(a, j);
	cli_json_print(j);
}

static int
finish(struct cli *c, uint32_t generation, const char *where)
{
	struct clv_buf b;
	struct cli_answer a;
	int r;

	cli_admin_begin(&b, ADMIN_ROTATE_FINISH);
	clv_buf_u32(&b, generation);
	clv_buf_str(&b, where);
	cli_progress("making generation %u current", generation);
	r = cli_admin(c, &b, "make the new generation current", &a);
	if (r == CLV_OK)
		print(c, generation, where, &a);
	else
		fprintf(stderr,
		    "  the backup was written; generation %u stays pending, "
		    "and the command repeated with a new backup file goes on "
		    "with it\n",
		    generation);
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}

static int
rotate(
    struct cli *c, const char *path, const char *where, const char *passphrase)
{
	struct clv_keyring *k = NULL;
	uint32_t generation = 0;
	int r = begin(c, &generation);

	if (r == CLV_OK)
		r = fetch(c, generation, &k);
	if (r == CLV_OK)
		r = cli_backup_write(c, k, path, passphrase);
	if (r == CLV_OK)
		r = finish(c, clv_keyring_newest(k), where);
	clv_keyring_free(&k);
	return r;
}

int
cli_rotate(struct cli *c)
{
	const char *path = cli_opt(c, "backup");
	char where[RECORD_WHERE_MAX];
	struct cli_daemon d = {.started = false};
	char *passphrase = NULL;
	int r = cli_backup_path(c, path);

	if (r == CLV_OK)
		r = cli_backup_where(c, path, where, sizeof(where));
	if (r == CLV_OK)
		r = cli_passphrase(c, CLI_PASS_WRITE, &passphrase);
	if (r != CLV_OK)
		return r;
	r = cli_daemon_need(c, &d);
	if (r == CLV_OK)
		r = rotate(c, path, where, passphrase);
	cli_daemon_stop(c, &d);
	clv_guard_put(c->guard, passphrase);
	return r;
}
