/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sodium.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/cli_cert.h"
#include "daemon/cli/cli_revoke.h"

#define LIST_MS 10000
#define RENEWALS 3 /* the one that goes on, and what came in between */

/* What is known of the host. */

static bool
has_second(const struct clv_list *list)
{
	return !sodium_is_zero(list->cert_thumb[1], 32);
}

static enum revoke_state
secret_state(const struct clv_list *list)
{
	if (list->lost_generation == 0)
		return REVOKE_REPLACED;
	if (list->reencrypt > list->lost_generation &&
	    clv_list_current(list)->number >= list->reencrypt)
		return REVOKE_UNDER_WAY;
	return REVOKE_IN_USE;
}

/* The former one is refused soon; the next one takes the current one's place
 * when all that live know it. */
static enum revoke_state
cert_state(const struct clv_list *list)
{
	if (!list->cert_lost[0] && !list->cert_lost[1])
		return REVOKE_REPLACED;
	if (list->cert_switched)
		return list->cert_lost[0] ? REVOKE_IN_USE : REVOKE_UNDER_WAY;
	return has_second(list) && !list->cert_lost[1] ? REVOKE_UNDER_WAY
						       : REVOKE_IN_USE;
}

/* One that was sealed to the host as well will not do. */
static enum revoke_state
sign_state(const struct clv_list *list)
{
	const struct clv_succession *next = clv_list_next_key(list);

	if (!list->sign_lost)
		return REVOKE_REPLACED;
	return next != NULL && next->generation > list->lost_generation
		   ? REVOKE_UNDER_WAY
		   : REVOKE_IN_USE;
}

enum revoke_state
revoke_state(const struct revoke *v, enum revoke_what what)
{
	switch (what) {
	case REVOKE_SECRET: return secret_state(v->list);
	case REVOKE_CERT: return cert_state(v->list);
	case REVOKE_SIGN: return sign_state(v->list);
	case REVOKE_DATABASE:
	case REVOKE_WHATS: break;
	}
	return REVOKE_IN_USE; /* what only people can end */
}

bool
revoke_held(const struct revoke *v, enum revoke_what what)
{
	return v->is_node || what == REVOKE_SECRET || what == REVOKE_DATABASE;
}

static bool
is_revoked(const struct revoke *v, const struct clv_list *list)
{
	const struct clv_list_member *m;
	const struct clv_list_node *n;

	if (v->is_node) {
		n = clv_list_node_by_name(list, v->name);
		return n != NULL && n->revoked;
	}
	m = clv_list_member_by_name(list, v->name);
	return m != NULL && m->revoked;
}

static int
reload(struct cli *c, struct revoke *v)
{
	struct clv_list *list = NULL;
	int r = cli_list_need(c, &list);

	if (r != CLV_OK)
		return r;
	clv_list_free(&v->list);
	v->list = list;
	return CLV_OK;
}

/* Whoever is active has written it; it comes here in a moment. */
static int
reload_revoked(struct cli *c, struct revoke *v)
{
	const struct timespec pause = {0, 50 * 1000000};
	int r = CLV_OK;

	for (int i = 0; r == CLV_OK && i < LIST_MS / 50; i++) {
		r = reload(c, v);
		if (r != CLV_OK || is_revoked(v, v->list))
			return r;
		nanosleep(&pause, NULL);
	}
	return cli_fail(c, CLV_E_NOT_READY,
	    "claviger status here; then repeat the command",
	    "%s is revoked, but this node has not heard of it yet", v->name);
}

/* The steps. */

static int
do_revoke(struct cli *c, struct revoke *v)
{
	const char *kind = v->is_node ? "node" : "member";
	struct cli_answer a;
	struct clv_buf b;
	char what[128];
	int r;

	cli_admin_begin(
	    &b, v->is_node ? ADMIN_NODE_REVOKE : ADMIN_MEMBER_REVOKE);
	clv_buf_str(&b, v->name);
	snprintf(what, sizeof(what), "revoke %s %s", kind, v->name);
	r = cli_admin(c, &b, what, &a);
	if (r == CLV_OK) {
		snprintf(v->message, sizeof(v->message), "%s", a.text);
		snprintf(v->late, sizeof(v->late), "%s", a.late);
		if (cli_opt(c, "json") == NULL)
			puts(v->message);
		fflush(stdout);
		r = reload_revoked(c, v);
	}
	if (r == CLV_OK)
		v->lost = v->list->lost_generation;
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}

static int
replace_secret(struct cli *c, struct revoke *v)
{
	int r;

	if (v->list->lost_generation == 0)
		return CLV_OK;
	v->rotate.reencrypt = true;
	v->rotate.signing = v->list->sign_lost;
	v->rotate.past = v->list->lost_generation;
	r = cli_rotate_run(c, &v->rotate);
	v->rotated = cli_rotate_has_result(&v->rotate, r);
	if (v->rotated && cli_opt(c, "json") == NULL)
		cli_rotate_print(&v->rotate);
	return r;
}

/* After the master secret: the row of the new one must not be under a key that
 * the host has. A next one that it holds as well comes and goes first. */
static int
replace_cert(struct cli *c, struct revoke *v)
{
	int r = CLV_OK;

	if (!v->list->cert_lost[0])
		return r;
	for (int i = 0; r == CLV_OK && i < RENEWALS; i++) {
		r = cli_cert_renew(c);
		if (r == CLV_OK)
			r = reload(c, v);
		if (cert_state(v->list) != REVOKE_IN_USE)
			break;
	}
	return r;
}

/* What hinders the re-encryption, as a damaged record does, is no reason to
 * leave the certificate's key in its hands. */
static int
replace(struct cli *c, struct revoke *v)
{
	int r = replace_secret(c, v), listed = reload(c, v);

	if (r == CLV_OK)
		r = listed;
	if (v->is_node && listed == CLV_OK &&
	    (r == CLV_OK || clv_list_current(v->list)->number > v->lost)) {
		listed = replace_cert(c, v);
		r = r == CLV_OK ? listed : r;
	}
	return r;
}

/* What would stop it halfway is found before anything is changed. */

static int
check_rotate(struct cli *c, struct revoke *v)
{
	struct clv_list *list = NULL;
	int r = cli_rotate_prepare(c, &v->rotate);

	if (r != CLV_OK || v->rotate.path != NULL)
		return r;
	if (cli_list_get(c, &list) == CLV_OK && !is_revoked(v, list))
		r = cli_fail(c, CLV_E_USAGE,
		    "give --backup FILE; without it --rotate only goes on with "
		    "what was begun before",
		    "a new master secret is written to a backup first");
	clv_list_free(&list);
	return r;
}

static int
check_now(struct cli *c)
{
	if (cli_opt(c, "now") == NULL || cli_opt(c, "yes") != NULL ||
	    isatty(STDIN_FILENO))
		return CLV_OK;
	return cli_fail(c, CLV_E_DENIED, "if that is meant, give --yes",
	    "--now would cut off every host that does not hear of the new "
	    "certificate at once");
}

static int
check(struct cli *c, struct revoke *v)
{
	/* the first one only of a node */
	static const char *const with[] = {
	    "now", "backup", "passphrase-file", "passphrase-fd", NULL};

	if (clv_name_check(v->name) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID,
		    "use 1 to 64 letters, digits, '.', '_' and '-'",
		    "'%s' is not a name of a host", v->name);
	if (v->is_node && strcmp(v->name, c->config.node) == 0)
		return cli_fail(c, CLV_E_DENIED,
		    "run it on another server node",
		    "a node cannot revoke itself: it would be cut off before "
		    "it hears the answer");
	for (int i = v->is_node ? 0 : 1; !v->rotates && with[i] != NULL; i++)
		if (cli_opt(c, with[i]) != NULL)
			return cli_fail(c, CLV_E_USAGE, NULL,
			    "--%s goes with --rotate alone", with[i]);
	return v->rotates && v->is_node ? check_now(c) : CLV_OK;
}

static int
run(struct cli *c, struct revoke *v)
{
	int r = do_revoke(c, v);
	bool revoked = v->list != NULL;

	if (r == CLV_OK && v->rotates)
		r = replace(c, v);
	if (revoked && cli_opt(c, "json") != NULL)
		cli_revoke_json(v);
	else if (revoked)
		cli_revoke_print(v);
	return r == CLV_OK && v->rotates && v->is_node ? CLV_E_LEFT : r;
}

static int
start(struct cli *c, bool is_node)
{
	struct revoke v = {.is_node = is_node, .name = c->args[0]};
	struct cli_daemon d = {.started = false};
	int r;

	v.rotates = cli_opt(c, "rotate") != NULL;
	r = check(c, &v);
	if (r == CLV_OK && v.rotates)
		r = check_rotate(c, &v);
	if (r == CLV_OK && v.rotates)
		r = cli_daemon_need(c, &d);
	if (r == CLV_OK)
		r = run(c, &v);
	cli_daemon_stop(c, &d);
	cli_rotate_fini(c, &v.rotate);
	clv_list_free(&v.list);
	return r;
}

int
cli_node_revoke(struct cli *c)
{
	return start(c, true);
}

int
cli_member_revoke(struct cli *c)
{
	return start(c, false);
}
