/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/cli_rotate.h"
#include "daemon/rotate/rewrap.h"

#define OPEN_MS 10000

/*
 * The order is the point: sealed to every node, then in a backup that was
 * opened again, then published to members, and only then current; after that
 * every key is rewrapped. Re-encryption is asked for before it is current.
 * After a failure the same command goes on with the generation that was begun.
 */
static int
begin_as(struct cli *c, struct cli_rotate *t, uint8_t op)
{
	bool may_be_too_late = op == ADMIN_ROTATE_SIGNING && t->past > 0;
	struct cli_answer a;
	struct clv_buf b;
	struct clv_rd rd;
	int r;

	cli_answer_init(&a);
	cli_admin_begin(&b, op);
	r = may_be_too_late ? cli_admin_quietly(c, &b, &a) : CLV_E_AGAIN;
	if (r != CLV_OK && (!may_be_too_late || r != CLV_E_EXISTS)) {
		cli_answer_fini(&a);
		r = cli_admin(c, &b, "begin the rotation", &a);
	}
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
	t->signs = r == CLV_OK && op == ADMIN_ROTATE_SIGNING;
	return r;
}

/* One that was begun before without a new signing key comes to its end without
 * it, when another one can follow. */
static int
begin(struct cli *c, struct cli_rotate *t)
{
	int r = CLV_E_EXISTS;

	cli_progress("making a new generation%s, sealed to every server node",
	    t->signing ? " and signing key" : "");
	if (t->signing)
		r = begin_as(c, t, ADMIN_ROTATE_SIGNING);
	if (!t->signing || (r == CLV_E_EXISTS && t->past > 0))
		r = begin_as(c, t, ADMIN_ROTATE_BEGIN);
	return r;
}

/* Without a backup there is only to go on with what has one. */
static int
attach(struct cli *c, struct cli_rotate *t)
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

/* One that is current already, and came without new data keys, is not the last
 * one: that it is too late for these is no failure then. */
static int
reencrypt(struct cli *c, struct cli_rotate *t)
{
	struct cli_answer a;
	struct clv_buf b;
	int r = CLV_OK;

	cli_answer_init(&a);
	cli_admin_begin(&b, ADMIN_REENCRYPT);
	clv_buf_u32(&b, t->generation);
	if (t->past > 0 && cli_admin_quietly(c, &b, &a) == CLV_E_EXISTS)
		t->last = false;
	else
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
finish(struct cli *c, struct cli_rotate *t, struct cli_answer *a)
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

/* One that comes before the last has a backup of its own beside. */
static int
backup_path(struct cli *c, struct cli_rotate *t, char ret[static PATH_MAX])
{
	int n = t->last
		    ? snprintf(ret, PATH_MAX, "%s", t->path)
		    : snprintf(ret, PATH_MAX, "%s.%u", t->path, t->generation);
	int r = CLV_OK;

	if (n >= PATH_MAX)
		return cli_fail(c, CLV_E_INVALID, NULL,
		    "the name of the backup file is too long");
	if (!t->last)
		r = cli_backup_path(c, ret);
	return r == CLV_OK
		   ? cli_backup_where(c, ret, t->where, sizeof(t->where))
		   : r;
}

static int
back_up(struct cli *c, struct cli_rotate *t)
{
	struct clv_keyring *k = NULL;
	struct cli_answer a;
	char path[PATH_MAX];
	int r = backup_path(c, t, path);

	cli_answer_init(&a);
	if (r == CLV_OK)
		r = fetch(c, t->generation, &k);
	if (r == CLV_OK)
		r = cli_backup_write(c, k, path, t->passphrase);
	if (r == CLV_OK) {
		t->generation = clv_keyring_newest(k);
		r = finish(c, t, &a);
		snprintf(t->late, sizeof(t->late), "%s", a.late);
	}
	cli_answer_fini(&a);
	clv_keyring_free(&k);
	return r;
}

/* By which key the system signs now; this node hears of it in a moment. And who
 * has not followed it yet, as far as anybody knows. */
static int
read_system(struct cli *c, struct cli_rotate *t)
{
	const struct timespec pause = {0, 50 * 1000000};
	struct clv_list *list = NULL;
	int r = CLV_OK;

	for (int i = 0; r == CLV_OK && i < OPEN_MS / 50; i++) {
		size_t n = 0;

		r = cli_list_need(c, &list);
		if (r == CLV_OK && !list->has_next_key)
			n = list->succession_count;
		if (n > 0 &&
		    list->successions[n - 1].generation >= t->generation)
			cli_base64(list->sign_pk, t->system);
		if (t->system[0] != '\0')
			r = cli_members_away(c, list, &t->away);
		clv_list_free(&list);
		if (t->system[0] != '\0')
			return r;
		nanosleep(&pause, NULL);
	}
	return r != CLV_OK
		   ? r
		   : cli_fail(c, CLV_E_NOT_READY, "claviger status here",
			 "this node has not heard of the new signing key yet");
}

/* To whom else the key before could still name another one. */
static void
print_system(const struct cli_rotate *t)
{
	const char *late = t->late, *away = t->away != NULL ? t->away : "";

	printf("the system signs by a new key, %s\n"
	       "hosts that know the one before follow by themselves; join "
	       "tokens from before are not good any more\n",
	    t->system);
	if (late[0] == '\0' && away[0] == '\0')
		return;
	printf("these have not been heard of since; if the key before may be "
	       "in wrong hands, stop clavigerd on each, and pin the new one "
	       "there before it starts again:\n"
	       "  claviger settings pin %s\n"
	       "  on %s%s%s\n",
	    t->system, late, late[0] != '\0' && away[0] != '\0' ? ", " : "",
	    away);
}

static void
json_away(struct cli_json *j, const struct cli_rotate *t)
{
	char *names = t->away != NULL ? strdup(t->away) : NULL;
	char *save = NULL, *name;

	cli_json_array(j, "away");
	name = names != NULL ? strtok_r(names, ", ", &save) : NULL;
	for (; name != NULL; name = strtok_r(NULL, ", ", &save))
		cli_json_str_push(j, "away", name);
	free(names);
}

void
cli_rotate_print(const struct cli_rotate *t)
{
	const struct cli_rotation *s = &t->state;

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
	if (t->system[0] != '\0')
		print_system(t);
	if (s->late[0] != '\0')
		printf("live members that did not fetch it in time: %s\n",
		    s->late);
	if (t->goes_on && t->path != NULL)
		puts("that rotation was begun before: no backup was written");
}

void
cli_rotate_json(struct cli_json *j, const struct cli_rotate *t)
{
	const struct cli_rotation *s = &t->state;
	bool written = !t->goes_on && t->path != NULL;

	cli_json_u64(j, "generation", t->generation);
	cli_json_str(j, "backup", written ? t->path : "");
	cli_json_str(j, "where", written ? t->where : "");
	cli_json_u64(j, "rewrapped", s->total - s->damaged);
	cli_json_u64(j, "damaged", s->damaged);
	cli_json_u64(j, "reencrypted", s->reencrypted);
	cli_json_u64(j, "not_reencrypted", s->not_reencrypted);
	if (t->system[0] != '\0')
		cli_json_str(j, "system", t->system);
	if (t->system[0] != '\0')
		json_away(j, t);
}

bool
cli_rotate_has_result(const struct cli_rotate *t, int result)
{
	return result == CLV_OK ||
	       t->state.damaged + t->state.not_reencrypted > 0;
}

/* Is what is wanted under way, and current already? */
static bool
is_begun(struct cli *c, struct cli_rotate *t)
{
	struct clv_list *list = NULL;
	bool is = t->past > 0 && cli_list_get(c, &list) == CLV_OK &&
		  list->reencrypt > t->past &&
		  clv_list_current(list)->number >= list->reencrypt;

	if (is) {
		t->generation = list->reencrypt;
		t->goes_on = true;
		t->serves = cli_rotation_look(c, &t->state) == CLV_OK;
	}
	clv_list_free(&list);
	return is;
}

static int
start(struct cli *c, struct cli_rotate *t)
{
	int r = t->path != NULL ? begin(c, t) : attach(c, t);

	t->last = t->generation > t->past;
	if (r == CLV_OK && t->reencrypt && t->last)
		r = reencrypt(c, t);
	if (r == CLV_OK && t->goes_on)
		t->serves = true;
	else if (r == CLV_OK)
		r = back_up(c, t);
	return r;
}

/* Server nodes, and after them members. */
static void
add_late(struct cli_rotate *t)
{
	size_t len = strlen(t->late);

	if (t->state.late[0] != '\0')
		snprintf(t->late + len, sizeof(t->late) - len, "%s%s",
		    len > 0 ? ", " : "", t->state.late);
}

static int
once(struct cli *c, struct cli_rotate *t)
{
	int r = CLV_OK;

	memset(&t->state, 0, sizeof(t->state));
	t->serves = false;
	t->last = true;
	t->signs = false;
	if (!is_begun(c, t))
		r = start(c, t);
	if (r == CLV_OK && t->serves)
		r = cli_rotation_follow(c, t->generation, &t->state);
	if (!t->last && r == CLV_E_DAMAGED)
		r = CLV_OK; /* the last one tells that as well */
	return r;
}

int
cli_rotate_run(struct cli *c, struct cli_rotate *t)
{
	int r = once(c, t);

	/* There may be one that was begun before, and one that was begun
	 * while that ended. */
	for (int i = 0; r == CLV_OK && !t->last && i < 3; i++) {
		cli_progress(
		    "generation %u may be known: once more", t->generation);
		r = once(c, t);
	}
	add_late(t);
	if (r == CLV_OK && !t->last)
		r = cli_fail(c, CLV_E_BUSY, "repeat the command",
		    "other rotations came in between");
	return r == CLV_OK && t->signs ? read_system(c, t) : r;
}

int
cli_rotate_prepare(struct cli *c, struct cli_rotate *t)
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

void
cli_rotate_fini(struct cli *c, struct cli_rotate *t)
{
	clv_guard_put(c->guard, t->passphrase);
	t->passphrase = NULL;
	free(t->away);
	t->away = NULL;
}

static void
print(const struct cli *c, const struct cli_rotate *t)
{
	struct cli_json *j;

	if (cli_opt(c, "json") == NULL) {
		cli_rotate_print(t);
		return;
	}
	j = cli_json_new();
	cli_rotate_json(j, t);
	cli_late_json(j, t->late);
	cli_json_print(j);
}

int
cli_rotate(struct cli *c)
{
	struct cli_daemon d = {.started = false};
	struct cli_rotate t = {.reencrypt = cli_opt(c, "reencrypt") != NULL,
	    .signing = cli_opt(c, "signing-key") != NULL};
	int r;

	if (t.signing && cli_opt(c, "backup") == NULL)
		return cli_fail(c, CLV_E_USAGE, NULL,
		    "a new signing key is written to a backup first: give "
		    "--backup FILE");
	r = cli_rotate_prepare(c, &t);
	if (r != CLV_OK)
		return r;
	r = cli_daemon_need(c, &d);
	if (r == CLV_OK)
		r = cli_rotate_run(c, &t);
	if (cli_rotate_has_result(&t, r))
		print(c, &t);
	cli_daemon_stop(c, &d);
	cli_rotate_fini(c, &t);
	return r;
}
