/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <time.h>
#include "daemon/admin.h"
#include "daemon/cli_rotate.h"
#include "daemon/record.h"
#include "daemon/rewrap.h"

#define OPEN_MS 10000

/*
 * The order is the point: sealed to every node, then in a backup that was
 * opened again, then published to members, and only then current; after that
 * every key is rewrapped. Re-encryption is asked for before it is current.
 * After a failure the same command goes on with the generation that was begun.
 */
struct rotate {
	uint32_t generation;
	bool goes_on; /* it was begun before, and has its backup */
	bool serves;  /* there is an active server, which does the rest */
	bool reencrypt;
	const char *path;
	char where[RECORD_WHERE_MAX];
	char *passphrase;
};

static int
begin(struct cli *c, struct rotate *t)
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
		t->generation = clv_rd_u32(&rd);
		t->goes_on = clv_rd_u8(&rd) != 0;
		if (clv_rd_end(&rd) != CLV_OK)
			r = cli_fail(c, CLV_E_PROTOCOL, "repeat the command",
			    "it was not said which generation was made");
	}
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}

/* Without a backup there is only to go on with what has one. */
static int
attach(struct cli *c, struct rotate *t)
{
	struct cli_rotation s = {0};
	int r = cli_rotation_look(c, &s);

	if (r != CLV_OK)
		return cli_fail(c, r,
		    "claviger status; a new rotation needs --backup FILE",
		    "how far the rotation is cannot be known: %s",
		    clv_result_text(r));
	if (!cli_rotation_goes_on(&s))
		return cli_fail(c, CLV_E_USAGE, NULL,
		    "no rotation is under way: a new one needs --backup FILE");
	t->generation = s.generation;
	t->goes_on = true;
	return CLV_OK;
}

static int
reencrypt(struct cli *c, const struct rotate *t)
{
	struct cli_answer a;
	struct clv_buf b;
	int r;

	cli_admin_begin(&b, ADMIN_REENCRYPT);
	clv_buf_u32(&b, t->generation);
	r = cli_admin(c, &b, "ask for new data keys", &a);
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

static int
finish(struct cli *c, struct rotate *t, struct cli_answer *a)
{
	struct clv_buf b;
	struct clv_rd rd;
	int r;

	cli_admin_begin(&b, ADMIN_ROTATE_FINISH);
	clv_buf_u32(&b, t->generation);
	clv_buf_str(&b, t->where);
	cli_progress("publishing generation %u", t->generation);
	r = cli_admin(c, &b, "publish the new generation", a);
	clv_buf_fini(&b);
	if (r == CLV_OK) {
		clv_rd_init(&rd, a->data.data, a->data.len);
		t->serves = clv_rd_u8(&rd) != 0;
		return CLV_OK;
	}
	fprintf(stderr,
	    "  the backup was written; generation %u stays pending, and the "
	    "command repeated with a new backup file goes on with it\n",
	    t->generation);
	return r;
}

static int
back_up(struct cli *c, struct rotate *t, struct cli_answer *a)
{
	struct clv_keyring *k = NULL;
	int r = fetch(c, t->generation, &k);

	if (r == CLV_OK)
		r = cli_backup_write(c, k, t->path, t->passphrase);
	if (r == CLV_OK) {
		t->generation = clv_keyring_newest(k);
		r = finish(c, t, a);
	}
	clv_keyring_free(&k);
	return r;
}

static void
print_text(const struct rotate *t, const struct cli_rotation *s)
{
	if (t->path != NULL && !t->goes_on)
		printf("generation %u is current; its backup is %s\n",
		    t->generation, t->path);
	else
		printf("generation %u is current\n", t->generation);
	if (!t->serves)
		printf("the next active server rewraps the keys of "
		       "applications%s\n",
		    t->reencrypt ? ", and re-encrypts their records" : "");
	else if (s->total > 0)
		printf("%llu keys are rewrapped\n",
		    (unsigned long long)(s->total - s->damaged));
	if (t->reencrypt && t->serves)
		printf("%llu records are re-encrypted\n",
		    (unsigned long long)s->reencrypted);
	if (s->late[0] != '\0')
		printf("live members that did not fetch it in time: %s\n",
		    s->late);
	if (t->goes_on && t->path != NULL)
		puts("that rotation was begun before: no backup was written");
}

/* Server nodes, and after them members. */
static void
add_late(const struct cli_rotation *s, struct cli_answer *a)
{
	size_t len = strlen(a->late);

	if (s->late[0] != '\0')
		snprintf(a->late + len, sizeof(a->late) - len, "%s%s",
		    len > 0 ? ", " : "", s->late);
}

static void
print(const struct cli *c, const struct rotate *t, const struct cli_rotation *s,
    struct cli_answer *a)
{
	struct cli_json *j;

	if (cli_opt(c, "json") == NULL) {
		print_text(t, s);
		return;
	}
	j = cli_json_new();
	cli_json_u64(j, "generation", t->generation);
	cli_json_str(j, "backup", t->goes_on ? "" : t->path);
	cli_json_str(j, "where", t->goes_on ? "" : t->where);
	cli_json_u64(j, "rewrapped", s->total - s->damaged);
	cli_json_u64(j, "damaged", s->damaged);
	cli_json_u64(j, "reencrypted", s->reencrypted);
	cli_json_u64(j, "not_reencrypted", s->not_reencrypted);
	add_late(s, a);
	cli_answer_late(a, j);
	cli_json_print(j);
}

static int
rotate(struct cli *c, struct rotate *t)
{
	struct cli_rotation s = {0};
	struct cli_answer a;
	int r = t->path != NULL ? begin(c, t) : attach(c, t);

	cli_answer_init(&a);
	if (r == CLV_OK && t->reencrypt)
		r = reencrypt(c, t);
	if (r == CLV_OK && t->goes_on)
		t->serves = true;
	else if (r == CLV_OK)
		r = back_up(c, t, &a);
	if (r == CLV_OK && t->serves)
		r = cli_rotation_follow(c, t->generation, &s);
	if (r == CLV_OK || s.damaged + s.not_reencrypted > 0)
		print(c, t, &s, &a);
	cli_answer_fini(&a);
	return r;
}

static int
check_backup(struct cli *c, struct rotate *t)
{
	int r;

	t->path = cli_opt(c, "backup");
	if (t->path == NULL)
		return CLV_OK;
	r = cli_backup_path(c, t->path);
	if (r == CLV_OK)
		r = cli_backup_where(c, t->path, t->where, sizeof(t->where));
	if (r == CLV_OK)
		r = cli_passphrase(c, CLI_PASS_WRITE, &t->passphrase);
	return r;
}

int
cli_rotate(struct cli *c)
{
	struct cli_daemon d = {.started = false};
	struct rotate t = {.reencrypt = cli_opt(c, "reencrypt") != NULL};
	int r = check_backup(c, &t);

	if (r != CLV_OK)
		return r;
	r = cli_daemon_need(c, &d);
	if (r == CLV_OK)
		r = rotate(c, &t);
	cli_daemon_stop(c, &d);
	clv_guard_put(c->guard, t.passphrase);
	return r;
}
