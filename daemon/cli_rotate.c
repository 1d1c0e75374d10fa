/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/age.h>
#include "daemon/admin.h"
#include "daemon/cli.h"
#include "daemon/record.h"

/*
 * Three steps, and the order is the point: sealed to every node, then in a
 * backup that was opened again, and only then current. After a failure the same
 * command goes on with the generation that was begun.
 */

static int
begin(struct cli *c, struct clv_keyring **ret)
{
	uint8_t *sk = clv_guard_get(c->guard, CLV_AGE_KEY_LEN);
	uint8_t pk[CLV_AGE_KEY_LEN];
	struct clv_buf b;
	struct cli_answer a;
	int r;

	if (sk == NULL)
		return cli_fail(c, CLV_E_FULL, NULL, "no locked memory left");
	clv_age_keygen(sk, pk);
	cli_admin_begin(&b, ADMIN_ROTATE_BEGIN);
	clv_buf_raw(&b, pk, sizeof(pk));
	cli_progress("making a new generation, sealed to every server node");
	r = cli_admin(c, &b, "begin the rotation", &a);
	if (r == CLV_OK) {
		r = cli_keyring_open(c, sk, a.data.data, a.data.len, ret);
		if (r != CLV_OK)
			cli_fail(c, r, "repeat the command",
			    "the new keyring cannot be opened: %s",
			    clv_result_text(r));
	}
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	clv_guard_put(c->guard, sk);
	return r;
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
	if (r != CLV_OK)
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
	uint8_t pk[CLV_SIGN_PK_LEN];
	int r = cli_system_pk(c, pk);

	if (r == CLV_OK)
		r = begin(c, &k);
	if (r == CLV_OK &&
	    sodium_memcmp(clv_keyring_sign_pk(k), pk, sizeof(pk)) != 0)
		r = cli_fail(c, CLV_E_WRONG_SYSTEM, "claviger status",
		    "the keyring that came is of another system");
	if (r == CLV_OK)
		r = cli_backup_write(c, k, path, passphrase);
	if (r == CLV_OK)
		r = finish(c, clv_keyring_newest(k), where);
	if (r == CLV_OK)
		printf("generation %u is current; its backup is %s\n",
		    clv_keyring_newest(k), path);
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
