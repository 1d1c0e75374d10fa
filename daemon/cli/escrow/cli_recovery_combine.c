/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <sodium.h>
#include <claviger/age.h>
#include "daemon/cli/escrow/cli_recovery.h"
#include "daemon/cli/escrow/cli_restore.h"
#include "daemon/base/record.h"
#include "daemon/base/state.h"

/* Shares back to the recovery identity, and what that opens. */
struct recovery {
	const char *file; /* NULL: the copy in the database */
	bool look;	  /* nothing is noted there */
	uint8_t *sk;	  /* the guard's */
	uint8_t pk[CLV_AGE_KEY_LEN];
};

static int
not_ours(struct cli *c, const struct recovery *s, const struct clv_list *list)
{
	const char *next = "give the shares of that one; or name a recovery "
			   "copy of theirs: FILE.recovery, beside a backup";
	char ours[CLV_AGE_RECIPIENT_MAX], theirs[CLV_AGE_RECIPIENT_MAX];

	clv_age_recipient_format(s->pk, ours);
	if (!clv_list_has_recovery(list))
		return cli_fail(c, CLV_E_NOT_FOUND, next,
		    "this system has no recovery recipient; these shares are "
		    "of %s",
		    ours);
	clv_age_recipient_format(list->recovery_pk, theirs);
	return cli_fail(c, CLV_E_NO_IDENTITY, next,
	    "these shares are of the recovery identity %s, and the system's is "
	    "%s",
	    ours, theirs);
}

/* Are they of the recipient that the system has now? Where no list is known,
 * opening the copy will tell. */
static int
check_recipient(struct cli *c, const struct recovery *s)
{
	struct clv_list *list = NULL;
	int r = CLV_OK;

	if (cli_list_get(c, &list) == CLV_OK &&
	    memcmp(list->recovery_pk, s->pk, sizeof(s->pk)) != 0)
		r = not_ours(c, s, list);
	clv_list_free(&list);
	return r;
}

/* Its row says from now on that it opens. To restore matters more. */
static void
note_opened(struct cli *c, struct clv_store *db, const void *row, size_t len,
    const struct clv_identity *id, const struct clv_keyring *opened)
{
	uint8_t n[8], g[8];
	struct clv_buf proven;
	int r;

	clv_buf_init(&proven);
	r = clv_escrow_prove(
	    row, len, id, CLV_ESCROW_RECOVERY, opened, &proven);
	if (r == CLV_OK) {
		const struct clv_param p[3] = {
		    clv_param_u64(CLV_ESCROW_RECOVERY, n),
		    clv_param_u64(clv_keyring_newest(opened), g),
		    {proven.data, proven.len},
		};
		r = clv_store_run(
		    db, CLV_STMT_PUT_ESCROW, p, 3, CLI_TIMEOUT_MS);
	}
	if (r != CLV_OK)
		cli_warn(c,
		    "that the recovery copy opens could not be noted in the "
		    "database: %s",
		    clv_result_text(r));
	clv_buf_fini(&proven);
}

static int
open_row(struct cli *c, const struct recovery *s, struct clv_store *db,
    struct clv_keyring **ret)
{
	struct clv_identity *id = NULL;
	uint8_t system_pk[CLV_SIGN_PK_LEN];
	const void *row;
	size_t len;
	int r = cli_system_pk(c, system_pk);

	if (r != CLV_OK)
		return r;
	if (clv_store_rows(db) == 0)
		return cli_fail(c, CLV_E_NOT_FOUND,
		    "name a recovery copy: FILE.recovery, beside a backup",
		    "there is no recovery copy in the database");
	row = clv_store_get(db, 0, 0, &len);
	r = clv_identity_new(c->guard, "recovery", &id);
	if (r == CLV_OK) {
		memcpy(id->box_sk, s->sk, sizeof(id->box_sk));
		memcpy(id->box_pk, s->pk, sizeof(id->box_pk));
		r = clv_escrow_open(
		    row, len, system_pk, id, CLV_ESCROW_RECOVERY, ret);
	}
	if (r == CLV_OK && !s->look)
		note_opened(c, db, row, len, id, *ret);
	clv_identity_free(&id);
	if (r == CLV_OK)
		return r;
	return cli_fail(c, r,
	    "name a recovery copy instead: FILE.recovery, beside a backup",
	    "the recovery copy in the database was not opened: %s",
	    clv_result_text(r));
}

static int
from_database(struct cli *c, const struct recovery *s, struct clv_keyring **ret)
{
	const char *passfile = c->config.database_passfile;
	struct clv_store *db = NULL;
	uint8_t buf[8];
	const struct clv_param p = clv_param_u64(CLV_ESCROW_RECOVERY, buf);
	int r = check_recipient(c, s);

	if (r == CLV_OK)
		r = cli_db_open(c, c->config.database,
		    passfile[0] != '\0' ? passfile : NULL, false, &db);
	if (r == CLV_OK)
		r = cli_db_run(c, db, CLV_STMT_GET_ESCROW, &p, 1);
	if (r == CLV_OK)
		r = open_row(c, s, db, ret);
	clv_store_free(&db);
	return r;
}

static int
from_file(struct cli *c, const struct recovery *s, struct clv_keyring **ret)
{
	char why[256] = "";
	int r = clv_backup_read_recovery(c->guard, s->file, s->sk, ret, why);

	return r == CLV_OK ? r
			   : cli_fail(c, r,
				 "name the file that lies beside a backup: "
				 "FILE.recovery",
				 "the recovery copy was not opened: %s",
				 why[0] != '\0' ? why : clv_result_text(r));
}

static int
open_copy(struct cli *c, const struct recovery *s, struct clv_keyring **ret)
{
	return s->file != NULL ? from_file(c, s, ret)
			       : from_database(c, s, ret);
}

static int
open_source(struct cli *c, struct cli_source *s, struct clv_keyring **ret)
{
	return open_copy(c, s->arg, ret);
}

int
cli_recovery_open(struct cli *c, const uint8_t sk[static 32], const char *file,
    bool look, struct clv_keyring **ret)
{
	struct recovery s = {.file = file, .look = look};
	int r = CLV_E_FULL;

	s.sk = clv_guard_get(c->guard, CLV_AGE_KEY_LEN);
	if (s.sk == NULL)
		return cli_fail(c, r, NULL, "no locked memory left");
	memcpy(s.sk, sk, CLV_AGE_KEY_LEN);
	crypto_scalarmult_base(s.pk, s.sk);
	r = open_copy(c, &s, ret);
	clv_guard_put(c->guard, s.sk);
	return r;
}

/* ---- only when asked for ---- */

/* As age-keygen writes one. */
static int
write_identity(struct cli *c, const struct recovery *s, const char *path)
{
	char recipient[CLV_AGE_RECIPIENT_MAX], head[128];
	char *text = clv_guard_get(c->guard, CLV_AGE_IDENTITY_MAX);
	int fd, r = CLV_E_FULL;

	if (text == NULL)
		return cli_fail(c, r, NULL, "no locked memory left");
	clv_age_recipient_format(s->pk, recipient);
	snprintf(head, sizeof(head), "# public key: %s\n", recipient);
	fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = fd < 0 ? CLV_E_SYSTEM : clv_age_identity_format(s->sk, text);
	if (r == CLV_OK)
		r = file_write_all(fd, head, strlen(head));
	if (r == CLV_OK)
		r = file_write_all(fd, text, strlen(text));
	if (r == CLV_OK)
		r = file_write_all(fd, "\n", 1);
	if (r == CLV_OK && fsync(fd) != 0)
		r = CLV_E_SYSTEM;
	if (r != CLV_OK)
		r = cli_fail(c, errno == EEXIST ? CLV_E_EXISTS : CLV_E_SYSTEM,
		    "give the name of a new file", "%s was not written: %s",
		    path, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && r != CLV_OK)
		unlink(path);
	clv_guard_put(c->guard, text);
	return r;
}

static void
print_written(
    const struct cli *c, const char *key, const char *path, uint32_t generation)
{
	struct cli_json *j;

	if (cli_opt(c, "json") == NULL) {
		printf("%s is written; this node was not changed\n", path);
		return;
	}
	j = cli_json_new();
	cli_json_str(j, key, path);
	if (generation > 0)
		cli_json_u64(j, "generation", generation);
	cli_json_print(j);
}

static int
write_backup(struct cli *c, struct recovery *s, const char *path)
{
	struct clv_keyring *k = NULL;
	char *passphrase = NULL;
	int r = cli_backup_path(c, path);

	if (r == CLV_OK)
		r = open_copy(c, s, &k);
	if (r == CLV_OK)
		r = cli_passphrase(c, CLI_PASS_WRITE, &passphrase);
	if (r == CLV_OK)
		r = cli_backup_write(c, k, path, passphrase);
	if (r == CLV_OK)
		print_written(c, "backup", path, clv_keyring_newest(k));
	clv_guard_put(c->guard, passphrase);
	clv_keyring_free(&k);
	return r;
}

/* Of the system only what is used. */
static int
check_needs(struct cli *c, const struct recovery *s, struct cli_source *source)
{
	bool only_identity = cli_opt(c, "identity") != NULL;
	bool only_backup = cli_opt(c, "backup") != NULL;

	if (only_identity && (only_backup || s->file != NULL))
		return cli_fail(c, CLV_E_USAGE, NULL,
		    "--identity opens nothing: neither --backup nor a FILE");
	if (only_identity || (only_backup && s->file != NULL))
		return CLV_OK;
	if (geteuid() != 0)
		return cli_need(c, CLI_NEED_ROOT);
	return restore_prepare(c, source, true);
}

int
cli_recovery_combine(struct cli *c)
{
	const char *identity = cli_opt(c, "identity");
	const char *backup = cli_opt(c, "backup");
	struct recovery s = {
	    .file = c->arg_count > 0 ? c->args[0] : NULL,
	    .look = cli_opt(c, "dry-run") != NULL,
	};
	struct cli_source source = {.open = open_source, .arg = &s};
	int r = check_needs(c, &s, &source);

	if (r == CLV_OK)
		r = cli_shares_combine(c, &s.sk);
	if (r != CLV_OK)
		return r;
	crypto_scalarmult_base(s.pk, s.sk);
	memcpy(source.pk, s.pk, sizeof(source.pk));
	if (identity != NULL) {
		r = write_identity(c, &s, identity);
		if (r == CLV_OK)
			print_written(c, "identity", identity, 0);
	} else if (backup != NULL) {
		r = write_backup(c, &s, backup);
	} else {
		r = cli_restore_from(c, &source);
	}
	clv_guard_put(c->guard, s.sk);
	return r;
}
