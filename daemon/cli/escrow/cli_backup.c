/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sodium.h>
#include <claviger/age.h>
#include "daemon/cli/escrow/cli_reminder.h"

/* Found here, before a passphrase is asked for; clv_backup_write() checks
 * again, and more. */
int
cli_backup_path(struct cli *c, const char *path)
{
	char copy[PATH_MAX];
	struct stat st;

	if (strlen(path) >= sizeof(copy))
		return cli_fail(c, CLV_E_INVALID, NULL,
		    "the name of the backup file is too long");
	if (lstat(path, &st) == 0)
		return cli_fail(c, CLV_E_EXISTS,
		    "give a new name: no backup is ever overwritten",
		    "%s is there already", path);
	snprintf(copy, sizeof(copy), "%s", path);
	if (stat(dirname(copy), &st) != 0 || !S_ISDIR(st.st_mode))
		return cli_fail(c, CLV_E_NOT_FOUND, "make its folder first",
		    "the backup cannot be written to %s: its folder is not "
		    "there",
		    path);
	return CLV_OK;
}

/* "host:/path", as the record shall name it. */
int
cli_backup_where(struct cli *c, const char *path, char *dst, size_t cap)
{
	char dir[PATH_MAX], base[PATH_MAX], host[HOST_NAME_MAX + 1] = "";
	char *real;

	snprintf(dir, sizeof(dir), "%s", path);
	snprintf(base, sizeof(base), "%s", path);
	real = realpath(dirname(dir), NULL);
	if (real == NULL)
		return cli_fail(c, CLV_E_NOT_FOUND, "make its folder first",
		    "the backup cannot be written to %s: %s", path,
		    strerror(errno));
	gethostname(host, sizeof(host) - 1);
	snprintf(dst, cap, "%s:%s/%s", host, strcmp(real, "/") == 0 ? "" : real,
	    basename(base));
	free(real);
	cli_printable(dst);
	return CLV_OK;
}

bool
cli_backup_beside(const char *path, char *dst, size_t cap)
{
	return (size_t)snprintf(dst, cap, "%s.recovery", path) < cap;
}

/* A passphrase stands alone in an age file: the recovery copy is another one,
 * beside it. A host without a list has no recipient yet: that is init. */
static int
write_beside(struct cli *c, const struct clv_keyring *k, const char *path)
{
	char beside[PATH_MAX], why[256] = "";
	struct clv_list *list = NULL;
	int r = CLV_OK;

	if (cli_list_get(c, &list) != CLV_OK || !clv_list_has_recovery(list))
		goto out;
	if (cli_backup_beside(path, beside, sizeof(beside)))
		r = clv_backup_write_recovery(
		    c->guard, k, beside, list->recovery_pk, why);
	else
		r = CLV_E_INVALID;
	if (r != CLV_OK)
		r = cli_fail(c, r,
		    "mend that, then repeat the command with a new file name",
		    "%s was written, but not its recovery copy: %s", path,
		    why[0] != '\0' ? why : clv_result_text(r));
out:
	clv_list_free(&list);
	return r;
}

int
cli_backup_write(struct cli *c, const struct clv_keyring *k, const char *path,
    const char *passphrase)
{
	char why[256] = "";
	int r;

	cli_progress("writing the backup and opening it again");
	r = clv_backup_write(c->guard, k, path, passphrase, why);
	if (r == CLV_OK)
		return write_beside(c, k, path);
	return cli_fail(c, r,
	    "mend that, then repeat the command with a new file name",
	    "no backup was written: %s",
	    why[0] != '\0' ? why : clv_result_text(r));
}

static const char *
read_remedy(int result)
{
	switch (result) {
	case CLV_E_PASSPHRASE:
		return "give the passphrase that was set when this backup was "
		       "written, or use another backup";
	case CLV_E_DAMAGED:
	case CLV_E_TRUNCATED: return "use another copy of this backup";
	case CLV_E_FORMAT:
	case CLV_E_VERSION:
	case CLV_E_NO_IDENTITY:
	case CLV_E_WORK_FACTOR:
	case CLV_E_NO_KEYRING:
		return "name a file that claviger backup, init or rotate wrote";
	default: return "look at the file, then repeat the command";
	}
}

static int
not_readable(struct cli *c, const char *path)
{
	int e = errno;
	int r = e == ENOENT   ? CLV_E_NOT_FOUND
		: e == EACCES ? CLV_E_PERMISSION
			      : CLV_E_SYSTEM;

	return cli_fail(c, r,
	    e == EACCES ? "run it as a user who may read the file"
			: "look at the name of the file",
	    "%s cannot be read: %s", path,
	    r == CLV_E_NOT_FOUND ? clv_result_text(r) : strerror(e));
}

int
cli_backup_open_with(struct cli *c, const char *path, const char *passphrase,
    struct clv_keyring **ret)
{
	char why[256] = "";
	int r;

	if (access(path, R_OK) != 0)
		return not_readable(c, path);
	cli_progress("opening the backup");
	r = clv_backup_read(c->guard, path, passphrase, ret, why);
	if (r == CLV_OK)
		return CLV_OK;
	return cli_fail(c, r, read_remedy(r), "the backup was not opened: %s",
	    why[0] != '\0' ? why : clv_result_text(r));
}

int
cli_backup_open(struct cli *c, const char *path, char **ret_passphrase,
    struct clv_keyring **ret)
{
	char *passphrase = NULL;
	bool asked;
	int r;

	if (access(path, R_OK) != 0)
		return not_readable(c, path);
	asked = cli_opt(c, "passphrase-file") == NULL &&
		cli_opt(c, "passphrase-fd") == NULL;
	if (asked)
		cli_reminder_show(c, path);
	r = cli_passphrase(c, CLI_PASS_READ, &passphrase);
	if (r != CLV_OK)
		return r;
	r = cli_backup_open_with(c, path, passphrase, ret);
	if (r == CLV_E_PASSPHRASE)
		cli_reminder_show(c, path);
	if (r == CLV_OK && ret_passphrase != NULL)
		*ret_passphrase = passphrase;
	else
		clv_guard_put(c->guard, passphrase);
	return r;
}

/* The keyring as text in an age file sealed to sk, into memory. */
static int
keyring_open(struct cli *c, const uint8_t *sk, const void *file, size_t len,
    struct clv_keyring **ret)
{
	uint8_t *text = NULL;
	size_t text_len = 0;
	int r = clv_age_open(
	    c->guard, sk, file, len, CLV_KEYRING_TEXT_MAX, &text, &text_len);

	if (r == CLV_OK)
		r = clv_keyring_parse(
		    c->guard, (const char *)text, text_len, ret);
	clv_guard_put(c->guard, text);
	return r;
}

/* The daemon hands the keyring out sealed to a key made for this moment. */
static int export(struct cli *c, struct clv_keyring **ret)
{
	uint8_t *sk = clv_guard_get(c->guard, CLV_AGE_KEY_LEN);
	uint8_t pk[CLV_AGE_KEY_LEN];
	struct cli_reply reply;
	int r;

	if (sk == NULL)
		return CLV_E_FULL;
	clv_age_keygen(sk, pk);
	r = cli_ctl(c, CTL_EXPORT, pk, sizeof(pk), &reply, CLI_TIMEOUT_MS);
	if (r == CLV_OK)
		r = keyring_open(c, sk, reply.body, reply.len, ret);
	clv_guard_put(c->guard, sk);
	return r;
}

int
cli_keyring_try(struct cli *c, struct clv_keyring **ret)
{
	return export(c, ret);
}

static int
not_exported(struct cli *c, int r)
{
	struct ctl_status st;
	bool known = cli_ctl_status(c, &st) == CLV_OK && st.reason[0] != '\0';

	return cli_fail(c, r,
	    r == CLV_E_NO_SECRET ? "run it on a node that is ready (claviger "
				   "status), or claviger restore FILE here"
				 : "claviger status",
	    "clavigerd did not hand the keyring out: %s%s%s",
	    clv_result_text(r), known ? ": " : "", known ? st.reason : "");
}

/* Can it sign by that key, now or when it takes over? */
static bool
has_key(const struct clv_keyring *k, const uint8_t pk[static CLV_SIGN_PK_LEN])
{
	const uint8_t *next = clv_keyring_next_pk(k);

	return memcmp(clv_keyring_sign_pk(k), pk, CLV_SIGN_PK_LEN) == 0 ||
	       (next != NULL && memcmp(next, pk, CLV_SIGN_PK_LEN) == 0);
}

int
cli_keyring_export(struct cli *c, struct clv_keyring **ret)
{
	uint8_t pk[CLV_SIGN_PK_LEN];
	int r = export(c, ret), pinned;

	if (r != CLV_OK)
		return not_exported(c, r);
	pinned = cli_system_pk(c, pk);
	if (pinned == CLV_OK && has_key(*ret, pk))
		return CLV_OK;
	clv_keyring_free(ret);
	return pinned != CLV_OK ? pinned : not_exported(c, CLV_E_WRONG_SYSTEM);
}

static void
print_backup(struct cli *c, const struct clv_keyring *k, const char *path,
    const char *where, const char *reminder)
{
	uint32_t generation = clv_keyring_newest(k);
	bool recorded = cli_record_backup(c, generation, where);
	bool reminds = reminder[0] != '\0' &&
		       cli_reminder_put(c, k, path, where, reminder);
	char beside[PATH_MAX];
	struct cli_json *j;

	if (!cli_backup_beside(path, beside, sizeof(beside)) ||
	    access(beside, F_OK) != 0)
		beside[0] = '\0';
	if (cli_opt(c, "json") == NULL) {
		printf("%s: generation %u, opened again%s\n", path, generation,
		    reminds ? "; the reminder is in the database" : "");
		if (beside[0] != '\0')
			printf("%s: the same, for the recovery recipient\n",
			    beside);
		return;
	}
	j = cli_json_new();
	cli_json_str(j, "backup", path);
	cli_json_str(j, "recovery", beside);
	cli_json_str(j, "where", where);
	cli_json_u64(j, "generation", generation);
	cli_json_bool(j, "recorded", recorded);
	cli_json_bool(j, "reminder", reminds);
	cli_json_print(j);
}

static int
backup(struct cli *c, const char *path)
{
	struct clv_keyring *k = NULL;
	char where[RECORD_WHERE_MAX], reminder[REMINDER_TEXT_MAX] = "";
	char *passphrase = NULL;
	int r = cli_backup_where(c, path, where, sizeof(where));

	if (r == CLV_OK)
		r = cli_keyring_export(c, &k);
	if (r == CLV_OK)
		r = cli_passphrase(c, CLI_PASS_WRITE, &passphrase);
	if (r == CLV_OK)
		r = cli_reminder_ask(c, passphrase, reminder);
	if (r == CLV_OK)
		r = cli_backup_write(c, k, path, passphrase);
	clv_guard_put(c->guard, passphrase);
	if (r == CLV_OK)
		print_backup(c, k, path, where, reminder);
	clv_keyring_free(&k);
	return r;
}

int
cli_backup(struct cli *c)
{
	struct cli_daemon d = {.started = false};
	bool scheduled = cli_opt(c, "scheduled") != NULL;
	int r;

	if (scheduled != (c->arg_count == 0))
		return cli_fail(c, CLV_E_USAGE, "claviger backup --help",
		    scheduled ? "--scheduled takes no file"
			      : "an argument is missing");
	if (scheduled && cli_opt(c, "reminder") != NULL)
		return cli_fail(c, CLV_E_USAGE, "claviger backup --help",
		    "--scheduled takes no --reminder: nobody is asked for the "
		    "passphrase of such a backup");
	if (scheduled)
		return cli_backup_scheduled(c);
	r = cli_backup_path(c, c->args[0]);

	if (r == CLV_OK)
		r = cli_guard(c);
	if (r == CLV_OK)
		r = cli_daemon_need(c, &d);
	if (r == CLV_OK)
		r = backup(c, c->args[0]);
	cli_daemon_stop(c, &d);
	return r;
}

/* From before this system changed its signing key? list: NULL, what is here. */
static bool
is_before(
    struct cli *c, const struct clv_keyring *k, const struct clv_list *list)
{
	struct clv_list *here = NULL;
	bool is;

	if (list == NULL && cli_list_get(c, &here) == CLV_OK)
		list = here;
	is = list != NULL &&
	     clv_chain_at(list->successions, list->succession_count,
		 clv_keyring_sign_pk(k)) < list->succession_count;
	clv_list_free(&here);
	return is;
}

int
cli_keyring_check(
    struct cli *c, const struct clv_keyring *k, const struct clv_list *list)
{
	uint8_t pk[CLV_SIGN_PK_LEN];
	int r = cli_system_pk(c, pk);

	if (r != CLV_OK)
		return r;
	if (!has_key(k, pk) && !is_before(c, k, list))
		return cli_fail(c, CLV_E_WRONG_SYSTEM,
		    "look for the backup of this host's system",
		    "it is the backup of another system; this host belongs to "
		    "%s",
		    c->config.system);
	r = list != NULL ? clv_list_prove(list, k) : CLV_OK;
	if (r == CLV_E_STALE)
		return cli_fail(c, r,
		    "use a newer backup; claviger status names the newest",
		    "it is older than the system: its newest generation is %u, "
		    "and %u is current",
		    clv_keyring_newest(k), clv_list_current(list)->number);
	if (r != CLV_OK)
		return cli_fail(c, r, "use another backup",
		    "it does not hold the secret that the signed list names: "
		    "%s",
		    clv_result_text(r));
	return CLV_OK;
}
