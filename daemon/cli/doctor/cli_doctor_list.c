/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include "daemon/cli/doctor/cli_doctor.h"

/* The signed list in the database, and the signed rows beside it. */

static bool
ask(struct doctor *d, enum clv_stmt stmt, const struct clv_param *p, size_t n)
{
	int r = clv_store_run(d->store, stmt, p, n, CLI_TIMEOUT_MS);

	if (r == CLV_OK)
		return true;
	doctor_found(d, "", "look into PostgreSQL's log",
	    "the database did not do '%s': %s", clv_store_stmt_name(stmt),
	    clv_store_text(d->store));
	return false;
}

/* What several checks need, whether or not they are told of it. */

static int
get_list(struct doctor *d)
{
	uint8_t zero[8];
	struct clv_param p = clv_param_u64(0, zero);
	const void *body;
	size_t len;
	int r =
	    clv_store_run(d->store, CLV_STMT_GET_LIST, &p, 1, CLI_TIMEOUT_MS);

	if (r == CLV_OK && clv_store_rows(d->store) == 0)
		r = CLV_E_NOT_FOUND;
	if (r != CLV_OK)
		return r;
	body = clv_store_get(d->store, 0, 1, &len);
	clv_buf_raw(&d->list_blob, body, len);
	r = clv_buf_result(&d->list_blob);
	return r == CLV_OK ? clv_list_open(body, len, d->pk, &d->list) : r;
}

static int
load_identity(struct doctor *d)
{
	char why[IDENTITY_CRED_WHY_LEN];
	int r = cli_guard(d->c);

	return r == CLV_OK ? cli_host_identity(d->c, &d->id, why) : r;
}

/* This node's copy. CLV_E_NOT_FOUND: there is none. */
static int
get_keyring(struct doctor *d)
{
	const struct clv_list_node *node;
	uint8_t number[8];
	struct clv_param p;
	const void *row;
	size_t len;
	int r = load_identity(d);

	if (r != CLV_OK)
		return r;
	node = clv_list_node_by_name(d->list, d->id->name);
	if (node == NULL)
		return CLV_E_UNKNOWN_PEER;
	p = clv_param_u64(node->number, number);
	r = clv_store_run(d->store, CLV_STMT_GET_ESCROW, &p, 1, CLI_TIMEOUT_MS);
	if (r == CLV_OK && clv_store_rows(d->store) == 0)
		r = CLV_E_NOT_FOUND;
	if (r != CLV_OK)
		return r;
	row = clv_store_get(d->store, 0, 0, &len);
	r = clv_escrow_open(row, len, d->pk, d->id, node->number, &d->keyring);
	return r == CLV_OK ? clv_list_prove(d->list, d->keyring) : r;
}

void
doctor_open_list(struct doctor *d)
{
	d->list_blob.max = CLV_LIST_LEN_MAX + 64;
	d->list_result = get_list(d);
	d->keyring_result = d->list != NULL ? get_keyring(d) : CLV_E_NOT_FOUND;
}

/* The file that this node goes by when the database is away. */
static void
check_file(struct doctor *d)
{
	struct clv_list *mine = NULL;
	size_t mine_len = 0;
	void *file = NULL;
	int r = cli_become(d->c, &d->c->config);

	if (r == CLV_OK) {
		r = file_read(d->c->config.state_dir, "list",
		    CLV_LIST_LEN_MAX + 64, &file, &mine_len);
		cli_unbecome();
	}
	if (r == CLV_OK)
		r = clv_list_open(file, mine_len, d->pk, &mine);
	if (r == CLV_E_NOT_FOUND)
		doctor_note(d, "version %" PRIu64 "; none on disk yet",
		    d->list->version);
	else if (r != CLV_OK)
		doctor_found(d, "",
		    "remove it and restart clavigerd: it fetches it again",
		    "%s/list cannot be used: %s", d->c->config.state_dir,
		    clv_result_text(r));
	else if (mine->version == d->list->version &&
		 (mine_len != d->list_blob.len ||
		     memcmp(file, d->list_blob.data, mine_len) != 0))
		doctor_found(d, "", NULL,
		    "version %" PRIu64 " in the database is not the one on "
		    "this node's disk, though the system signed both",
		    mine->version);
	else if (mine->version < d->list->version && d->daemon == CLV_OK)
		doctor_note(d, "version %" PRIu64 "; %" PRIu64 " on disk",
		    d->list->version, mine->version);
	free(file);
	clv_list_free(&mine);
}

/* Server nodes find each other by the key that the system had first. */
static void
check_name(struct doctor *d)
{
	char first[sodium_base64_ENCODED_LEN(
	    CLV_SIGN_PK_LEN, sodium_base64_VARIANT_ORIGINAL)];

	if (!d->is_server || d->list->succession_count == 0)
		return;
	sodium_bin2base64(first, sizeof(first), clv_list_first_pk(d->list),
	    CLV_SIGN_PK_LEN, sodium_base64_VARIANT_ORIGINAL);
	if (strcmp(d->c->config.system, first) != 0)
		doctor_found(d, "",
		    "write that key there, and restart clavigerd",
		    "'system' in %s is not %s, the key that the system had "
		    "first: this node does not find the others",
		    d->c->path, first);
}

void
doctor_list(struct doctor *d)
{
	uint64_t newest = d->hello[DOCTOR_HELLO_LIST];

	if (d->list_result == CLV_E_NOT_FOUND) {
		doctor_found(d, "", NULL, "the database has none");
		return;
	}
	if (d->list == NULL) {
		doctor_found(d, "", NULL,
		    "version %" PRIu64 " in the database is forged: %s", newest,
		    clv_result_text(d->list_result));
		return;
	}
	if (d->list->version != newest)
		doctor_found(d, "", NULL,
		    "version %" PRIu64 " was put in the place of version "
		    "%" PRIu64,
		    d->list->version, newest);
	doctor_note(d,
	    "version %" PRIu64 ", %zu server nodes, %zu members, "
	    "%zu applications",
	    d->list->version, d->list->node_count, d->list->member_count,
	    d->list->app_count);
	check_name(d);
	check_file(d);
}

/* What a revocation has not ended, only a rotation does. */
static void
check_lost(struct doctor *d)
{
	const struct clv_list *list = d->list;

	if (list->sign_lost)
		doctor_found(d, "",
		    "claviger node revoke NODE --rotate "
		    "--backup FILE, with a revoked node",
		    "a revoked node may have the system's signing key");
	if (list->lost_generation == 0)
		return;
	if (list->reencrypt > list->lost_generation)
		doctor_note(d,
		    "generation %u; %u, which a revoked host may have, is "
		    "being replaced",
		    clv_list_current(list)->number, list->lost_generation);
	else
		doctor_found(d, "",
		    "claviger member revoke HOST --rotate --backup FILE, or "
		    "node revoke NODE in its place",
		    "a revoked host may have keys of generation %u, and what "
		    "is under them is in use",
		    list->lost_generation);
}

void
doctor_generation(struct doctor *d)
{
	uint32_t current = clv_list_current(d->list)->number;

	if (current < d->seen.generation)
		doctor_found(d, "",
		    "find out who changed the database: see RESTORED DATABASE "
		    "in claviger(1)",
		    "generation %u is current in the database, and %u was seen "
		    "here: a rotation was undone",
		    current, d->seen.generation);
	if (d->daemon == CLV_OK && (d->st.flags & CTL_FLAG_PROVEN) == 0)
		doctor_found(d, "", NULL,
		    "this node does not hold generation %u: it cannot serve",
		    current);
	doctor_note(d, "generation %u", current);
	check_lost(d);
}

/* The network name's keys: rows that the keyring of our own copy opens. */

static void
check_tls_row(struct doctor *d, const uint8_t *thumb, size_t row)
{
	char hex[CLI_HEX];
	struct clv_buf cert;
	size_t len, key_len;
	const void *p = clv_store_get(d->store, row, 1, &len);
	uint8_t *key = NULL;
	int r;

	clv_buf_init(&cert);
	r = clv_tls_row_open(
	    d->c->guard, d->keyring, p, len, &cert, &key, &key_len);
	if (r != CLV_OK)
		doctor_found(d, "", NULL,
		    "the row of the certificate with thumbprint %s was "
		    "changed: %s",
		    cli_hex(thumb, hex), clv_result_text(r));
	else
		doctor_cert(d, d->list->network_name, cert.data, cert.len);
	clv_guard_put(d->c->guard, key);
	clv_buf_fini(&cert);
}

static void
find_tls_row(struct doctor *d, const uint8_t thumb[static 32])
{
	char hex[CLI_HEX];
	const void *p;
	size_t len;

	for (size_t row = 0; row < clv_store_rows(d->store); row++) {
		p = clv_store_get(d->store, row, 0, &len);
		if (len != 32 || memcmp(p, thumb, 32) != 0)
			continue;
		if (d->keyring != NULL)
			check_tls_row(d, thumb, row);
		return;
	}
	doctor_found(d, "", NULL,
	    "the database has no row of the certificate with thumbprint %s",
	    cli_hex(thumb, hex));
}

void
doctor_certificates(struct doctor *d)
{
	static const uint8_t none[32];

	if (!ask(d, CLV_STMT_GET_TLS, NULL, 0))
		return;
	for (size_t i = 0; i < CLV_LIST_CERTS; i++)
		if (memcmp(d->list->cert_thumb[i], none, sizeof(none)) != 0)
			find_tls_row(d, d->list->cert_thumb[i]);
	if (d->keyring == NULL)
		doctor_note(d, "there; whether it opens is not known, for this "
			       "node's sealed copy does not");
}
