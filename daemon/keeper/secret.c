/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"
#include "daemon/member/member.h"
#include "daemon/keeper/member_answers.h"
#include "daemon/keeper/members_live.h"
#include "daemon/rotate/rewrap.h"
#include "daemon/keeper/secret_impl.h"

/*
 * What the node must hold to serve: the signed list (on disk), a keyring with
 * the current generation (its own sealed copy in PostgreSQL, opened:
 * secret_copy.c), and the network name's certificate with its key
 * (secret_tls.c). Each is fetched when the database says so, one statement at a
 * time: list, then copy, then certificate.
 */

static void
why_set(struct keeper *k, const char *why)
{
	const char *was = k->secret.why;

	if (strcmp(was, why) == 0)
		return;
	snprintf(k->secret.why, sizeof(k->secret.why), "%s", why);
	if (why[0] != '\0')
		log_notice("not ready: %s", why);
	else
		log_notice("ready: the current generation is proven");
}

static void
find_own_number(struct keeper *k)
{
	const struct clv_list_node *n;

	k->node_number = 0;
	if (k->secret.list == NULL || k->identity == NULL)
		return;
	n = clv_list_node_by_name(k->secret.list, k->identity->name);
	if (n == NULL || n->revoked ||
	    sodium_memcmp(
		n->party.sign_pk, k->identity->sign_pk, CLV_SIGN_PK_LEN) != 0 ||
	    sodium_memcmp(n->party.box_pk, k->identity->box_pk, 32) != 0)
		return;
	k->node_number = n->number;
}

static const struct clv_list_node *
own_entry(const struct keeper *k)
{
	if (k->secret.list == NULL || k->identity == NULL)
		return NULL;
	return clv_list_node_by_name(k->secret.list, k->identity->name);
}

static uint32_t
newest_generation(const struct clv_list *list)
{
	uint32_t newest = 0;

	for (size_t i = 0; i < list->generation_count; i++)
		if (list->generations[i].state != CLV_GEN_DESTROYED &&
		    list->generations[i].number > newest)
			newest = list->generations[i].number;
	return newest;
}

#define WHY(...) snprintf(why, cap, __VA_ARGS__)

static void
reason_list(struct keeper *k, char *why, size_t cap)
{
	const struct clv_list_node *own = own_entry(k);

	if (k->identity == NULL)
		WHY("no system here: claviger init, or claviger join "
		    "--server");
	else if (k->copied[0] != '\0')
		WHY("%s", k->copied);
	else if (k->secret.list == NULL && !k->db.known)
		WHY("database away: %.130s", k->db.why);
	else if (k->secret.list == NULL)
		WHY("no signed list yet: %s", k->secret.failure);
	else if (own != NULL && own->revoked)
		WHY("this node was revoked");
	else if (k->node_number == 0)
		WHY("not approved: claviger node approve %s --fingerprint F",
		    k->identity->name);
}

/* Whoever serves hands it out. */
static bool
lacks_published(const struct keeper *k)
{
	const struct clv_list_generation *g = publish_find(k->secret.list);

	return g != NULL && clv_keyring_newest(k->secret.keyring) < g->number;
}

static void
reason_secret(struct keeper *k, char *why, size_t cap)
{
	const struct clv_list *list = k->secret.list;
	int r;

	if (k->secret.keyring == NULL && !k->db.known)
		WHY("database away: %.130s", k->db.why);
	else if (k->secret.keyring == NULL && k->secret.failure[0] != '\0')
		WHY("the sealed copy does not open: %s: claviger restore FILE",
		    k->secret.failure);
	else if (k->secret.keyring == NULL)
		WHY("secret absent: claviger restore FILE");
	else if ((r = clv_list_prove(list, k->secret.keyring)) == CLV_E_STALE)
		WHY("secret stale: generation %u here, %u is current: "
		    "claviger restore FILE",
		    clv_keyring_newest(k->secret.keyring),
		    clv_list_current(list)->number);
	else if (r != CLV_OK)
		WHY("the secret does not fit the signed list: %s",
		    clv_result_text(r));
	else if (!secret_signs(k))
		WHY("secret stale: it has not the system's signing key any "
		    "more: claviger restore FILE");
	else if (lacks_published(k))
		WHY("secret stale: generation %u here, a newer one is "
		    "published: claviger restore FILE",
		    clv_keyring_newest(k->secret.keyring));
	else if (!k->secret.tls_loaded)
		WHY("no certificate of the network name: %s",
		    k->secret.failure);
}

/* The first reason why this node cannot serve, with its remedy. */
static void
find_reason(struct keeper *k, char *why, size_t cap)
{
	why[0] = '\0';
	reason_list(k, why, cap);
	if (why[0] == '\0')
		reason_secret(k, why, cap);
}

bool
secret_is_proven(struct keeper *k)
{
	char why[sizeof(k->secret.why)];

	find_reason(k, why, sizeof(why));
	return why[0] == '\0';
}

void
secret_prove(struct keeper *k)
{
	char why[sizeof(k->secret.why)];

	if (!config_is_server(k->config)) /* a member, which never serves */
		return;
	find_reason(k, why, sizeof(why));
	why_set(k, why);
	serving_event(
	    k, why[0] == '\0' ? ROLE_EV_PROVEN : ROLE_EV_UNPROVEN, why);
	if (!k->secret.fetching)
		control_proven(k);
}

/* The signed list. */

static int
list_is_acceptable(struct keeper *k, const struct clv_list *list)
{
	const struct clv_list_generation *g = clv_list_current(list);

	if (g == NULL)
		return CLV_E_FORMAT;
	if (list->version < k->seen.list_version ||
	    g->number < k->seen.generation)
		return CLV_E_STALE;
	if (k->secret.list != NULL && list->version <= k->secret.list->version)
		return CLV_E_EXISTS;
	return CLV_OK;
}

static int
list_store(
    struct keeper *k, const struct clv_list *list, const void *blob, size_t len)
{
	struct state seen = k->seen;
	int r;

	memcpy(seen.system_id, list->system_id, sizeof(seen.system_id));
	seen.list_version = list->version;
	seen.generation = clv_list_current(list)->number;
	if (list->epoch > seen.epoch)
		seen.epoch = list->epoch;
	r = file_replace(k->config->state_dir, "list", blob, len, 0444);
	if (r == CLV_OK)
		r = state_save(k->config->state_dir, &seen);
	if (r == CLV_OK)
		k->seen = seen;
	else
		log_error("the signed list cannot be written to %s: %s",
		    k->config->state_dir, file_why(r));
	return r;
}

void
secret_drop_destroyed(struct keeper *k)
{
	const struct clv_list *list = k->secret.list;

	if (list == NULL || k->secret.keyring == NULL)
		return;
	for (size_t i = 0; i < list->generation_count; i++) {
		const struct clv_list_generation *g = &list->generations[i];

		if (g->state != CLV_GEN_DESTROYED ||
		    clv_keyring_drop(k->secret.keyring, g->number) != CLV_OK)
			continue;
		k->secret.copy_due = true;
		log_notice("generation %u is destroyed here", g->number);
	}
}

static void
list_in_force(
    struct keeper *k, struct clv_list **list, const void *blob, size_t len)
{
	clv_list_free(&k->secret.list);
	k->secret.list = *list;
	*list = NULL; /* transferred */
	clv_buf_reset(&k->secret.list_blob);
	clv_buf_raw(&k->secret.list_blob, blob, len);
	find_own_number(k);
	secret_follow(k);
	members_live_sweep(k->live, k->secret.list);
	secret_drop_destroyed(k);
	member_pins(k);
}

int
secret_accept_list(struct keeper *k, const void *blob, size_t len)
{
	struct clv_list *list = NULL;
	int r;

	r = clv_list_open(blob, len, k->system_pk, &list);
	if (r != CLV_OK)
		return r;
	r = list_is_acceptable(k, list);
	if (r == CLV_OK)
		r = list_store(k, list, blob, len);
	if (r == CLV_OK) {
		log_notice("signed list: version %llu is in force",
		    (unsigned long long)list->version);
		list_in_force(k, &list, blob, len);
		if (k->member != NULL)
			member_uplink_set(k->member);
		member_notice(k);
		publish_wake(k);
		rewrap_wake(k);
		tlsnext_wake(k);
		if (!clv_buf_result(&k->secret.list_blob))
			peers_alive(k);
	}
	clv_list_free(&list);
	return r;
}

int
secret_init(struct keeper *k)
{
	struct clv_list *list = NULL;
	void *blob = NULL;
	size_t len = 0;
	int r;

	clv_buf_init(&k->secret.list_blob);
	clv_buf_init(&k->secret.tls_cert);
	r = file_read(
	    k->config->state_dir, "list", CLV_LIST_LEN_MAX, &blob, &len);
	if (r == CLV_E_NOT_FOUND)
		return CLV_OK;
	if (r == CLV_OK)
		r = clv_list_open(blob, len, k->system_pk, &list);
	if (r == CLV_OK && list->version < k->seen.list_version)
		r = CLV_E_STALE;
	if (r == CLV_OK)
		list_in_force(k, &list, blob, len);
	else
		log_warning("signed list on disk is not used: %s; waiting for "
			    "the database",
		    clv_result_text(r));
	clv_list_free(&list);
	free(blob);
	return CLV_OK;
}

void
secret_fini(struct keeper *k)
{
	secret_copy_fini(k);
	clv_keyring_free(&k->secret.keyring);
	clv_list_free(&k->secret.list);
	clv_buf_fini(&k->secret.list_blob);
	clv_buf_fini(&k->secret.tls_cert);
}

/* Fetching: list, then own copy, then certificate. */

void
secret_fetch_failed(
    struct keeper *k, const char *what, int result, const char *text)
{
	snprintf(k->secret.failure, sizeof(k->secret.failure), "%s",
	    clv_result_text(result));
	log_warning("%s: %s%s%s", what, clv_result_text(result),
	    text[0] != '\0' ? ": " : "", text);
}

static void
on_list(struct keeper *k, void *arg, const struct db_result *r)
{
	const struct db_field *f;
	int result = r->result;

	(void)arg;
	k->secret.fetching = false;
	k->secret.failure[0] = '\0';
	if (result == CLV_OK && r->rows == 1) {
		f = db_field(r, 0, 1);
		result = secret_accept_list(k, f->p, f->len);
	}
	if (result != CLV_OK && result != CLV_E_EXISTS)
		secret_fetch_failed(
		    k, "signed list from the database", result, r->text);
	/* A forged list stops nobody who has a true one. */
	if (r->result == CLV_OK && k->secret.list != NULL)
		secret_fetch_next(k);
	else
		secret_prove(k);
}

/* What is missing and can be had from the database now? */
void
secret_fetch_next(struct keeper *k)
{
	struct clv_list *list = k->secret.list;
	uint8_t buf[8];
	struct clv_param p;
	bool old;

	if (k->secret.fetching)
		return;
	if (!k->db.up || !k->db.known) { /* and yet a list may have come */
		secret_prove(k);
		return;
	}
	p = clv_param_u64(list != NULL ? list->version : 0, buf);
	if ((list == NULL || list->version < k->db.list_version) &&
	    !k->secret.list_asked) {
		k->secret.fetching = true;
		k->secret.list_asked = true;
		db_call(
		    k, CLV_STMT_GET_LIST, &p, 1, KEEPER_SQL_MS, on_list, NULL);
		return;
	}
	if (k->node_number == 0 || k->copied[0] != '\0') {
		secret_prove(k);
		return;
	}
	old =
	    k->secret.keyring != NULL &&
	    (clv_keyring_newest(k->secret.keyring) < newest_generation(list) ||
		!secret_signs(k));
	if (k->secret.keyring == NULL || (old && !k->secret.copy_asked)) {
		k->secret.copy_asked = true;
		secret_copy_fetch(k);
		return;
	}
	if (!secret_tls_is_current(k) &&
	    clv_list_prove(list, k->secret.keyring) == CLV_OK) {
		secret_tls_fetch(k);
		return;
	}
	secret_prove(k);
}

void
secret_on_hello(struct keeper *k)
{
	secret_copy_daily(k);
	if (k->identity == NULL)
		return;
	serving_database_older(k, k->db.asked_list > k->seen.list_version
				      ? k->db.asked_list
				      : k->seen.list_version);
	if (k->secret.copy_due && k->secret.keyring != NULL &&
	    k->node_number != 0)
		secret_put_own_copy(k);
	k->secret.copy_asked = k->secret.list_asked = false;
	secret_fetch_next(k);
}

int
secret_accept_keyring(struct keeper *k, struct clv_keyring **keyring)
{
	int r;

	if (k->secret.list == NULL || k->copied[0] != '\0')
		return CLV_E_NOT_READY;
	if (clv_keyring_follow(*keyring, k->system_pk) != CLV_OK)
		return secret_signed_before(k, *keyring) ? CLV_E_STALE
							 : CLV_E_WRONG_SYSTEM;
	r = clv_list_prove(k->secret.list, *keyring);
	if (r != CLV_OK)
		return r;
	if (k->secret.keyring != NULL &&
	    clv_keyring_newest(*keyring) <
		clv_keyring_newest(k->secret.keyring))
		return CLV_E_STALE;
	secret_copy_use(k, keyring);
	/* A node that is not approved yet has no row of its own: then it is
	 * written when it is. */
	k->secret.copy_due = true;
	if (k->node_number != 0)
		secret_put_own_copy(k);
	secret_fetch_next(k);
	return CLV_OK;
}
