/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sodium.h>
#include "daemon/cli/cli_init.h"
#include "daemon/base/record.h"
#include "daemon/base/state.h"
#include "daemon/front/tls.h"

void
cli_system_init(struct init *s)
{
	memset(s, 0, sizeof(*s));
	cli_host_init(&s->host);
	clv_buf_init(&s->cert);
	clv_buf_init(&s->key);
	clv_buf_init(&s->list);
	clv_buf_init(&s->escrow);
	clv_buf_init(&s->tls_row);
	clv_buf_init(&s->backup);
	s->state_fd = -1;
}

void
cli_system_fini(struct cli *c, struct init *s)
{
	clv_guard_put(c->guard, s->passphrase);
	clv_keyring_free(&s->keyring);
	cli_host_fini(&s->host);
	clv_buf_fini(&s->cert);
	clv_buf_fini(&s->key);
	clv_buf_fini(&s->list);
	clv_buf_fini(&s->escrow);
	clv_buf_fini(&s->tls_row);
	clv_buf_fini(&s->backup);
	if (s->state_fd >= 0)
		close(s->state_fd);
}

/* The network name's certificate: for people it names the name and address;
 * what counts is its thumbprint in the signed list. */
static int
make_certificate(struct init *s)
{
	const char *names[] = {s->config.network_name, s->config.address};
	const char *cn = s->config.network_name;
	int r = s->ed25519 ? cert_make_ed25519(cn, names, 2, &s->cert, &s->key)
			   : cert_make(cn, names, 2, &s->cert, &s->key);

	return r != CLV_OK
		   ? r
		   : cert_thumb(s->cert.data, s->cert.len, s->cert_thumb);
}

static int
add_generation(struct cli *c, const struct init *s, struct clv_list *list)
{
	struct clv_list_generation *g = clv_list_add_generation(list);
	uint8_t *key = clv_guard_get(c->guard, CLV_KEY_LEN);
	int r = g == NULL || key == NULL ? CLV_E_NOMEM : CLV_OK;

	if (r == CLV_OK) {
		g->number = clv_keyring_newest(s->keyring);
		g->state = CLV_GEN_CURRENT;
		r = clv_keyring_subkey(s->keyring, g->number,
		    CLV_SUBKEY_COMMITMENT, g->commitment);
	}
	if (r == CLV_OK)
		r = clv_keyring_subkey(
		    s->keyring, g->number, CLV_SUBKEY_DISTRIBUTION, key);
	if (r == CLV_OK)
		clv_key_check(key, g->check);
	clv_guard_put(c->guard, key);
	return r;
}

static int
add_node(const struct init *s, struct clv_list *list)
{
	struct clv_list_node *n = clv_list_add_node(list);

	if (n == NULL)
		return CLV_E_NOMEM;
	n->party = s->host.party;
	n->number = INIT_NODE;
	n->sealed = true;
	return CLV_OK;
}

static int
make_list(struct cli *c, struct init *s)
{
	struct clv_list *list = NULL;
	int r = clv_list_new(&list);

	if (r != CLV_OK)
		return r;
	memcpy(list->system_id, clv_keyring_system_id(s->keyring),
	    sizeof(list->system_id));
	list->version = 1;
	list->epoch = INIT_EPOCH;
	snprintf(list->network_name, sizeof(list->network_name), "%s",
	    s->config.network_name);
	snprintf(list->address, sizeof(list->address), "%s", s->config.address);
	list->port = s->config.port;
	list->escrow_policy = s->policy;
	memcpy(list->cert_thumb[0], s->cert_thumb, 32);
	r = add_generation(c, s, list);
	if (r == CLV_OK)
		r = add_node(s, list);
	if (r == CLV_OK)
		r = clv_list_sign(list, s->keyring, &s->list);
	clv_list_free(&list);
	return r;
}

static int
make_record(struct init *s)
{
	struct record r = {.generation = clv_keyring_newest(s->keyring),
	    .time_s = (uint64_t)time(NULL)};

	memcpy(r.system_id, clv_keyring_system_id(s->keyring),
	    sizeof(r.system_id));
	snprintf(r.where, sizeof(r.where), "%s", s->where);
	return record_format(&r, s->keyring, &s->backup);
}

static int
make_rows(struct cli *c, struct init *s)
{
	int r = clv_escrow_seal(
	    c->guard, s->keyring, INIT_NODE, s->host.party.box_pk, &s->escrow);

	if (r == CLV_OK)
		r = clv_tls_row_seal(c->guard, s->keyring,
		    clv_keyring_newest(s->keyring), s->cert.data, s->cert.len,
		    s->key.data, s->key.len, &s->tls_row);
	return r == CLV_OK ? make_record(s) : r;
}

int
cli_system_make(struct cli *c, struct init *s)
{
	int r = cli_host_make(c, s->config.node, NULL, &s->host);

	if (r != CLV_OK)
		return r;
	r = clv_keyring_new(c->guard, &s->keyring);
	if (r == CLV_OK) {
		cli_base64(clv_keyring_sign_pk(s->keyring), s->config.system);
		r = make_certificate(s);
	}
	if (r == CLV_OK)
		r = make_list(c, s);
	if (r == CLV_OK)
		r = make_rows(c, s);
	return r == CLV_OK
		   ? r
		   : cli_fail(c, r, NULL, "the system cannot be made: %s",
			 clv_result_text(r));
}

static int
save_state(struct cli *c, struct init *s)
{
	struct state st = {.epoch = INIT_EPOCH,
	    .list_version = 1,
	    .generation = clv_keyring_newest(s->keyring)};
	char path[320];
	int r = cli_become(c, &s->config);

	if (r != CLV_OK)
		return r;
	memcpy(st.system_id, clv_keyring_system_id(s->keyring),
	    sizeof(st.system_id));
	snprintf(path, sizeof(path), "%s/state", s->config.state_dir);
	cli_undo_add(&s->undo, path, false);
	snprintf(path, sizeof(path), "%s/state.bak", s->config.state_dir);
	cli_undo_add(&s->undo, path, false);
	r = state_save(s->config.state_dir, &st);
	cli_unbecome();
	return r == CLV_OK ? r
			   : cli_fail(c, r, "look at the disk",
				 "%s/state cannot be written: %s",
				 s->config.state_dir, clv_result_text(r));
}

int
cli_system_save(struct cli *c, struct init *s)
{
	int r = cli_host_save(c, &s->config, &s->host, &s->undo);

	if (r == CLV_OK)
		r = cli_state_put(c, &s->config, "list", s->list.data,
		    s->list.len, 0600, &s->undo);
	if (r == CLV_OK)
		r = save_state(c, s);
	return r == CLV_OK ? cli_config_put(c, &s->config, &s->undo) : r;
}
