/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <sodium.h>
#include "daemon/admin/admin_ops.h"
#include "daemon/cli/escrow/cli_restore.h"
#include "daemon/front/tls.h"

/*
 * The generation that restore --older makes, in the keyring and in the signed
 * list. Sealed copies of other nodes and of the recovery recipient are left
 * alone: should somebody find what opens one, it is not lost.
 */

static int
copy(struct cli *c, const struct clv_keyring *k, struct clv_keyring **ret)
{
	char *text = NULL;
	size_t len = 0;
	int r = clv_keyring_format(k, &text, &len);

	if (r == CLV_OK)
		r = clv_keyring_parse(c->guard, text, len, ret);
	clv_guard_put(c->guard, text);
	return r;
}

/* The next number above `seen`, and none in between: what these named is
 * another secret. */
static int
add_above(struct clv_keyring *k, uint32_t seen)
{
	uint32_t last = clv_keyring_newest(k), number = last;
	int r = CLV_OK;

	while (r == CLV_OK && number <= seen) {
		r = clv_keyring_add(k, &number);
		if (r == CLV_OK && number - 1 > last)
			r = clv_keyring_drop(k, number - 1);
	}
	return r;
}

int
restore_newer_make(struct cli *c, struct restore *s)
{
	int r = copy(c, s->keyring, &s->newer);

	if (r == CLV_OK)
		r = add_above(s->newer, s->seen_generation);
	return r == CLV_OK
		   ? r
		   : cli_fail(c, r, NULL, "no generation can be made: %s",
			 clv_result_text(r));
}

static int
describe(struct restore *s, struct admin_change *a)
{
	uint32_t number = clv_keyring_newest(s->newer);
	uint8_t unused[CLV_KEY_LEN];
	int r;

	a->new_keyring = s->newer;
	r = admin_describe_generation(a, number);
	a->new_keyring = NULL; /* s has it */
	for (size_t i = 0; r == CLV_OK && i < a->next->generation_count; i++) {
		struct clv_list_generation *g = &a->next->generations[i];

		if (g->number == number)
			g->state = CLV_GEN_CURRENT;
		else if (clv_keyring_subkey(s->newer, g->number,
			     CLV_SUBKEY_COMMITMENT, unused) != CLV_OK)
			g->state = CLV_GEN_DESTROYED;
		else if (g->state < CLV_GEN_RETIRED)
			g->state = CLV_GEN_RETIRED;
	}
	return r;
}

/* Does the key of that certificate open with what is there? */
static int
key_opens(struct cli *c, const struct restore *s,
    const uint8_t thumb[static 32], bool *ret)
{
	struct clv_buf cert;
	uint8_t *key = NULL;
	size_t key_len = 0;
	int r = cli_db_run(c, s->db, CLV_STMT_GET_TLS, NULL, 0);

	*ret = false;
	for (size_t i = 0; r == CLV_OK && i < clv_store_rows(s->db); i++) {
		size_t thumb_len, len;
		const void *of = clv_store_get(s->db, i, 0, &thumb_len);
		const void *row = clv_store_get(s->db, i, 1, &len);

		if (thumb_len != 32 || memcmp(of, thumb, thumb_len) != 0)
			continue;
		clv_buf_init(&cert);
		*ret |= clv_tls_row_open(c->guard, s->keyring, row, len, &cert,
			    &key, &key_len) == CLV_OK;
		clv_guard_put(c->guard, key);
		clv_buf_fini(&cert);
		key = NULL;
	}
	return r;
}

/* As init makes it. Every host pins it, and is told by hand. */
static int
make_certificate(struct cli *c, struct restore *s, struct clv_list *list)
{
	const char *names[] = {list->network_name, list->address};
	size_t n = list->address[0] != '\0' ? 2 : 1;
	struct clv_buf cert, key;
	int r;

	clv_buf_init(&cert);
	clv_buf_init(&key);
	r = cert_make(list->network_name, names, n, &cert, &key);
	if (r == CLV_OK)
		r = cert_thumb(cert.data, cert.len, s->tls_thumb);
	if (r == CLV_OK)
		r = clv_tls_row_seal(c->guard, s->newer,
		    clv_keyring_newest(s->newer), cert.data, cert.len, key.data,
		    key.len, &s->tls_row);
	clv_buf_fini(&cert);
	clv_buf_fini(&key);
	return r;
}

static void
drop_next(struct clv_list *list)
{
	memset(list->cert_thumb[1], 0, sizeof(list->cert_thumb[1]));
	list->cert_switched = list->cert_lost[1] = false;
}

static int
keep_certificates(struct cli *c, struct restore *s, struct clv_list *list)
{
	bool opens[CLV_LIST_CERTS] = {false};
	int r = CLV_OK;

	for (size_t i = 0; r == CLV_OK && i < CLV_LIST_CERTS; i++)
		r = key_opens(c, s, list->cert_thumb[i], &opens[i]);
	if (r != CLV_OK || (opens[0] && opens[1]))
		return r;
	drop_next(list);
	if (opens[0])
		return CLV_OK;
	r = make_certificate(c, s, list);
	memcpy(list->cert_thumb[0], s->tls_thumb, sizeof(s->tls_thumb));
	list->cert_lost[0] = false;
	return r;
}

int
restore_newer_apply(struct cli *c, struct restore *s, struct admin_change *a)
{
	int r = describe(s, a);

	return r == CLV_OK ? keep_certificates(c, s, a->next) : r;
}
