/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <claviger/age.h>
#include "daemon/cli/drill/cli_drill.h"
#include "daemon/cli/escrow/cli_recovery.h"
#include "daemon/cli/escrow/cli_restore.h"

/*
 * claviger drill restore: can the secret be had back? Each copy at hand is
 * opened as restore does it, and sealed to a key of this drill alone, into a
 * scratch directory, read back from there and proven. Nothing else is written:
 * no file of this host, no row, and no daemon is started or told anything.
 */

#define RECOVERY_SUFFIX ".recovery"

/* ---- which copies there are ---- */

static struct drill_copy *
add(struct drill *d, enum drill_kind kind, const char *name)
{
	struct drill_copy *copy;

	if (d->count == DRILL_COPIES_MAX)
		return NULL;
	copy = &d->copies[d->count++];
	copy->kind = kind;
	snprintf(copy->name, sizeof(copy->name), "%s", name);
	return copy;
}

static void
untried(struct drill_copy *copy, const char *next, const char *why)
{
	if (copy == NULL)
		return;
	copy->result = DRILL_UNTRIED;
	snprintf(copy->why.text, sizeof(copy->why.text), "%s", why);
	snprintf(copy->why.next, sizeof(copy->why.next), "%s", next);
}

static bool
is_recovery_name(const char *name)
{
	size_t len = strlen(name), suffix = sizeof(RECOVERY_SUFFIX) - 1;

	return len > suffix &&
	       strcmp(name + len - suffix, RECOVERY_SUFFIX) == 0;
}

static struct drill_copy *
add_file(struct drill *d, const char *path)
{
	return add(d,
	    is_recovery_name(path) ? DRILL_RECOVERY_FILE : DRILL_BACKUP, path);
}

static void
add_directory(struct drill *d, const char *dir)
{
	struct dirent **e = NULL;
	char path[sizeof(d->copies->name)];
	int n = scandir(dir, &e, cli_backup_is_scheduled, alphasort);
	struct drill_copy *copy;

	if (n <= 0)
		untried(add(d, DRILL_BACKUP, dir),
		    "claviger backup --scheduled, on the active node",
		    n < 0 ? strerror(errno) : "no backup is in it");
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, e[i]->d_name);
		copy = add_file(d, path);
		if (copy != NULL)
			copy->scheduled = true;
		free(e[i]);
	}
	free(e);
}

static void
add_recovery(struct drill *d)
{
	char name[CLV_AGE_RECIPIENT_MAX] = "the recovery recipient";
	bool known = d->list != NULL && clv_list_has_recovery(d->list);

	if (known)
		clv_age_recipient_format(d->list->recovery_pk, name);
	if (known || d->recovery_sk != NULL)
		add(d, DRILL_RECOVERY, name);
}

static void
find_copies(struct cli *c, struct drill *d)
{
	char places[sizeof(c->config.backup_to)], *save = NULL, *p;
	struct drill_copy *copy;

	add(d, DRILL_NODE, d->node);
	if (d->other != NULL) {
		copy = add(d, DRILL_NODE, d->other->name);
		copy->other = true;
	}
	add_recovery(d);
	for (unsigned i = 0; i < c->arg_count; i++)
		add_file(d, c->args[i]);
	snprintf(places, sizeof(places), "%s", c->config.backup_to);
	for (p = strtok_r(places, ",", &save); p != NULL;
	     p = strtok_r(NULL, ",", &save))
		add_directory(d, p);
	if (d->count == DRILL_COPIES_MAX)
		cli_warn(
		    c, "no more than %d copies are tried", DRILL_COPIES_MAX);
}

/* ---- what opens them ---- */

static int
read_identity(struct cli *c, struct drill *d, const char *path)
{
	uint8_t *sk = clv_guard_get(c->guard, CLV_AGE_KEY_LEN);
	int r;

	if (sk == NULL)
		return cli_fail(c, CLV_E_FULL, NULL, "no locked memory left");
	r = cli_identity_read(c, path, sk, &d->other);
	if (r == CLV_OK && d->other == NULL) {
		d->recovery_sk = sk;
		return CLV_OK;
	}
	clv_guard_put(c->guard, sk);
	return r;
}

static bool
needs_passphrase(const struct cli *c)
{
	for (unsigned i = 0; i < c->arg_count; i++)
		if (!is_recovery_name(c->args[i]))
			return true;
	return cli_opt(c, "passphrase-file") != NULL ||
	       cli_opt(c, "passphrase-fd") != NULL;
}

static int
find_keys(struct cli *c, struct drill *d)
{
	const char *identity = cli_opt(c, "identity");
	bool shares =
	    cli_opt(c, "shares") != NULL || cli_opt(c, "share-file") != NULL;
	int r = cli_guard(c);

	if (r == CLV_OK && identity != NULL)
		r = read_identity(c, d, identity);
	if (r == CLV_OK && shares && d->recovery_sk != NULL)
		return cli_fail(c, CLV_E_USAGE, "give one of them",
		    "the shares and %s are both the recovery identity",
		    identity);
	if (r == CLV_OK && shares)
		r = cli_shares_combine(c, &d->recovery_sk);
	if (r == CLV_OK && needs_passphrase(c))
		r = cli_passphrase(c, CLI_PASS_READ, &d->passphrase);
	return r;
}

/* ---- opening one ---- */

static int
open_node(struct cli *c, const struct drill *d, const struct drill_copy *copy,
    struct clv_keyring **ret)
{
	struct cli_host h;
	int r;

	if (copy->other)
		return cli_restore_open_sealed(c, d->other, ret);
	cli_host_init(&h);
	r = cli_host_load(c, &h);
	if (r == CLV_OK)
		r = cli_restore_open_sealed(c, h.id, ret);
	cli_host_fini(&h);
	return r;
}

static int
open_scheduled(struct cli *c, const char *path, struct clv_keyring **ret)
{
	const char *file = c->config.backup_passphrase_file;
	char *passphrase = NULL, why[256] = "";
	int r = cli_pass_file(c->guard, file, &passphrase, why);

	if (r != CLV_OK)
		return cli_fail(c, r, "mend backup_passphrase_file",
		    "the passphrase file %s cannot be used: %s", file, why);
	r = cli_backup_open_with(c, path, passphrase, ret);
	clv_guard_put(c->guard, passphrase);
	return r;
}

/* CLV_E_CANCELLED: what opens it was not given. */
static int
open_copy(struct cli *c, const struct drill *d, struct drill_copy *copy,
    struct clv_keyring **ret)
{
	bool sealed =
	    copy->kind == DRILL_RECOVERY || copy->kind == DRILL_RECOVERY_FILE;

	if (copy->kind == DRILL_NODE)
		return open_node(c, d, copy, ret);
	if (sealed && d->recovery_sk != NULL)
		return cli_recovery_open(c, d->recovery_sk,
		    copy->kind == DRILL_RECOVERY ? NULL : copy->name, true,
		    ret);
	if (sealed) {
		untried(copy, "give --shares, --share-file or --identity",
		    "only the recovery identity opens it");
		return CLV_E_CANCELLED;
	}
	if (copy->scheduled && c->config.backup_passphrase_file[0] != '\0')
		return open_scheduled(c, copy->name, ret);
	if (d->passphrase != NULL)
		return cli_backup_open_with(c, copy->name, d->passphrase, ret);
	untried(copy, "give --passphrase-file or --passphrase-fd",
	    "its passphrase was not given");
	return CLV_E_CANCELLED;
}

/* Through the scratch directory, as a new node would hold it. */
static int
recover(struct cli *c, const struct drill *d, const struct clv_keyring *k,
    struct clv_keyring **ret)
{
	char path[sizeof(d->dir) + 16], why[256] = "";
	int r;

	snprintf(path, sizeof(path), "%s/keyring.age", d->dir);
	r = clv_backup_write_recovery(c->guard, k, path, d->pk, why);
	if (r == CLV_OK)
		r = clv_backup_read_recovery(c->guard, path, d->sk, ret, why);
	unlink(path);
	if (r == CLV_OK)
		return r;
	return cli_fail(c, r, "mend that, then repeat the command",
	    "it was opened, but not recovered into %s: %s", d->dir,
	    why[0] != '\0' ? why : clv_result_text(r));
}

static void
note_keyring(struct drill_copy *copy, const struct clv_keyring *k)
{
	copy->count = clv_keyring_count(k);
	for (size_t i = 0; i < copy->count; i++)
		copy->generations[i] = clv_keyring_number(k, i);
}

/* A copy of another day is good for its day. */
static int
prove(struct cli *c, const struct drill *d, struct drill_copy *copy,
    const struct clv_keyring *k)
{
	int r = cli_keyring_check(c, k, d->list);

	note_keyring(copy, k);
	copy->current = r == CLV_OK && d->list != NULL;
	return r == CLV_E_STALE ? CLV_OK : r;
}

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
try(struct cli *c, struct drill *d, struct drill_copy *copy)
{
	struct clv_keyring *k = NULL, *recovered = NULL;
	uint64_t began = now_us();
	int r;

	if (copy->why.text[0] != '\0') /* there is nothing to try */
		return;
	c->kept = &copy->why;
	r = open_copy(c, d, copy, &k);
	if (r == CLV_OK)
		r = recover(c, d, k, &recovered);
	if (r == CLV_OK)
		r = prove(c, d, copy, recovered);
	c->kept = NULL;
	cli_printable(copy->why.text);
	copy->us = now_us() - began;
	if (r != CLV_E_CANCELLED)
		copy->result = r == CLV_OK ? DRILL_OPENED : DRILL_FAILED;
	clv_keyring_free(&k);
	clv_keyring_free(&recovered);
}

static void
try_all(struct cli *c, struct drill *d)
{
	for (size_t i = 0; i < d->count; i++) {
		struct drill_copy *copy = &d->copies[i];

		try(c, d, copy);
		d->opened += copy->result == DRILL_OPENED;
		d->failed += copy->result == DRILL_FAILED;
		d->untried += copy->result == DRILL_UNTRIED;
		d->covered = d->covered || copy->current;
	}
}

/* ---- the scratch directory ---- */

static int
make_scratch(struct cli *c, struct drill *d)
{
	/* in memory, and root's own */
	snprintf(d->dir, sizeof(d->dir), "/run/claviger-drill.XXXXXX");
	if (mkdtemp(d->dir) != NULL)
		return CLV_OK;
	snprintf(d->dir, sizeof(d->dir), "/tmp/claviger-drill.XXXXXX");
	if (mkdtemp(d->dir) != NULL)
		return CLV_OK;
	return cli_fail(c, CLV_E_SYSTEM, NULL,
	    "no scratch directory can be made in /run or /tmp: %s",
	    strerror(errno));
}

static int
with_scratch(struct cli *c, struct drill *d)
{
	sigset_t was;
	int r;

	d->sk = clv_guard_get(c->guard, CLV_AGE_KEY_LEN);
	if (d->sk == NULL)
		return cli_fail(c, CLV_E_FULL, NULL, "no locked memory left");
	clv_age_keygen(d->sk, d->pk);
	cli_signals_hold(&was);
	r = make_scratch(c, d);
	if (r == CLV_OK)
		try_all(c, d);
	if (r == CLV_OK && rmdir(d->dir) != 0)
		cli_warn(c, "%s is left: %s", d->dir, strerror(errno));
	cli_signals_release(&was);
	clv_guard_put(c->guard, d->sk);
	return r;
}

/* ---- the report ---- */

int
drill_report_open(struct cli *c, const char *path, FILE **ret)
{
	int fd;

	*ret = NULL;
	if (path == NULL)
		return CLV_OK;
	fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	*ret = fd < 0 ? NULL : fdopen(fd, "w");
	if (*ret != NULL)
		return CLV_OK;
	return cli_fail(c, errno == EEXIST ? CLV_E_EXISTS : CLV_E_SYSTEM,
	    "give the name of a new file", "%s cannot be written: %s", path,
	    strerror(errno));
}

int
drill_report_close(struct cli *c, const char *path, FILE *f, int result)
{
	bool whole;

	if (f == NULL)
		return result;
	whole = fflush(f) == 0 && !ferror(f) && fsync(fileno(f)) == 0;
	if (fclose(f) != 0 || !whole)
		result = cli_fail(c, CLV_E_SYSTEM, NULL,
		    "%s was not written: %s", path, strerror(errno));
	if (result != CLV_OK)
		unlink(path);
	return result;
}

int
drill_report_forms(
    struct cli *c, enum drill_form *ret_file, enum drill_form *ret_shown)
{
	const char *as = cli_opt(c, "output-as");

	*ret_file = DRILL_TEXT;
	if (as != NULL && drill_form_parse(as, ret_file) != CLV_OK)
		return cli_fail(c, CLV_E_USAGE, "text, json or html",
		    "--output-as does not know '%s'", as);
	*ret_shown = cli_opt(c, "report") == NULL ? *ret_file : DRILL_TEXT;
	if (cli_opt(c, "json") != NULL)
		*ret_shown = DRILL_JSON;
	return CLV_OK;
}

static int
drill(struct cli *c, struct drill *d)
{
	int r;

	d->copies = calloc(DRILL_COPIES_MAX, sizeof(*d->copies));
	if (d->copies == NULL)
		return cli_fail(c, CLV_E_NOMEM, NULL, "out of memory");
	d->at = time(NULL);
	d->node = c->config.node;
	d->system = c->config.system;
	(void)cli_list_get(c, &d->list);
	r = find_keys(c, d);
	if (r != CLV_OK)
		return r;
	find_copies(c, d);
	return with_scratch(c, d);
}

static void
fini(struct cli *c, struct drill *d)
{
	clv_guard_put(c->guard, d->passphrase);
	clv_guard_put(c->guard, d->recovery_sk);
	clv_identity_free(&d->other);
	clv_list_free(&d->list);
	free(d->copies);
}

int
cli_drill_restore(struct cli *c)
{
	const char *path = cli_opt(c, "report");
	enum drill_form form, shown;
	struct drill d = {.count = 0};
	FILE *f = NULL;
	int r = drill_report_forms(c, &form, &shown);

	if (r == CLV_OK)
		r = drill_report_open(c, path, &f);
	if (r == CLV_OK)
		r = drill(c, &d);
	if (r == CLV_OK && f != NULL)
		drill_report(&d, form, f);
	r = drill_report_close(c, path, f, r);
	if (r == CLV_OK)
		drill_report(&d, shown, stdout);
	if (r == CLV_OK && (d.failed > 0 || (d.list != NULL && !d.covered)))
		r = CLV_E_FINDINGS;
	fini(c, &d);
	return r;
}
