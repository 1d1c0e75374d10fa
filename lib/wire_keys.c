/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <claviger/buf.h>
#include <claviger/result.h>
#include <claviger/wire.h>
#include "list.h"

/* Plaintext: u32 refresh_s, u32 permit_ms, u32 n, n x { u32 generation, str
 * application, raw key }. */
#define TERMS_LEN (4 + 4 + 4)
#define ENTRY_MIN (4 + 4 + CLV_KEY_LEN)
#define PLAIN_MAX (CLV_WIRE_ANSWER_MAX - 1024 - crypto_box_SEALBYTES)
/* What a shortest entry becomes in memory bounds the arena that is needed. */
#define ENTRIES_MAX ((PLAIN_MAX - TERMS_LEN) / ENTRY_MIN)

/* A member gets what is or was in use. What is not yet published may still
 * vanish: nothing may be encrypted under it, so nobody needs it. */
static bool
is_given(const struct clv_list_generation *g)
{
	return g->state == CLV_GEN_PUBLISHED || g->state == CLV_GEN_CURRENT ||
	       g->state == CLV_GEN_RETIRED;
}

static size_t
count_given(const struct clv_list *list)
{
	size_t i, n = 0;

	for (i = 0; i < list->generation_count; i++)
		n += is_given(&list->generations[i]);
	return n;
}

/* Number of keys per generation and the length of their names together. */
static size_t
measure_scope(const char *scope, size_t *ret_names_len)
{
	char name[CLV_NAME_MAX];
	size_t n = 0;

	*ret_names_len = 0;
	if (strcmp(scope, "all") == 0)
		return 1;
	while (clv__scope_next(&scope, name)) {
		*ret_names_len += strlen(name);
		n++;
	}
	return n;
}

static void
put_key(struct clv_buf *b, uint32_t generation, const char *app,
    const uint8_t key[static CLV_KEY_LEN])
{
	clv_buf_u32(b, generation);
	clv_buf_str(b, app);
	clv_buf_raw(b, key, CLV_KEY_LEN);
}

/* keys: two keys in guarded memory, the distribution key and the one of an
 * application. */
static int
put_generation(struct clv_buf *b, const struct clv_keyring *k,
    uint32_t generation, const char *scope, uint8_t keys[2][CLV_KEY_LEN])
{
	char app[CLV_NAME_MAX];

	if (clv_keyring_subkey(
		k, generation, CLV_SUBKEY_DISTRIBUTION, keys[0]) != CLV_OK)
		return CLV_E_STALE;
	if (strcmp(scope, "all") == 0) {
		put_key(b, generation, "", keys[0]);
		return CLV_OK;
	}
	while (clv__scope_next(&scope, app)) {
		clv_app_key(keys[0], clv_keyring_system_id(k), app, keys[1]);
		put_key(b, generation, app, keys[1]);
	}
	return CLV_OK;
}

static int
put_keys(struct clv_buf *b, const struct clv_keyring *k,
    const struct clv_list *list, const char *scope,
    const struct clv_wire_terms *terms, uint8_t keys[2][CLV_KEY_LEN])
{
	size_t i, names_len;
	int r = CLV_OK;

	clv_buf_u32(b, terms->refresh_s);
	clv_buf_u32(b, terms->permit_ms);
	clv_buf_u32(b,
	    (uint32_t)(count_given(list) * measure_scope(scope, &names_len)));
	for (i = 0; r == CLV_OK && i < list->generation_count; i++)
		if (is_given(&list->generations[i]))
			r = put_generation(
			    b, k, list->generations[i].number, scope, keys);
	return r == CLV_OK ? clv_buf_result(b) : r;
}

/* No more than a day: what is added to a clock does not overflow it. */
static bool
are_terms_valid(const struct clv_wire_terms *t)
{
	return t->refresh_s >= 1 && t->refresh_s <= CLV_WIRE_REFRESH_MAX &&
	       t->permit_ms <= CLV_WIRE_REFRESH_MAX * 1000u;
}

static int
seal(const struct clv_buf *plain, const uint8_t box_pk[static 32],
    struct clv_buf *ret)
{
	size_t len = plain->len + crypto_box_SEALBYTES;
	uint8_t *out = malloc(len); /* only ever holds ciphertext */
	int r = CLV_E_INVALID;	    /* a weak public key */

	if (out == NULL)
		return CLV_E_NOMEM;
	if (crypto_box_seal(out, plain->data, plain->len, box_pk) == 0) {
		clv_buf_raw(ret, out, len);
		r = clv_buf_result(ret);
	}
	free(out);
	return r;
}

int
clv_wire_keys_seal(struct clv_guard *guard, const struct clv_keyring *k,
    const struct clv_list *list, const char *scope,
    const struct clv_wire_terms *terms, const uint8_t box_pk[static 32],
    struct clv_buf *ret)
{
	size_t names_len, n, len;
	struct clv_buf plain = {0};
	uint8_t(*keys)[CLV_KEY_LEN];
	int r = CLV_E_FULL;

	if (clv_scope_check(scope) != CLV_OK || !are_terms_valid(terms))
		return CLV_E_INVALID;
	n = measure_scope(scope, &names_len);
	len = TERMS_LEN + count_given(list) * (n * ENTRY_MIN + names_len);
	if (len > PLAIN_MAX)
		return CLV_E_FULL;
	keys = clv_guard_get(guard, 2 * sizeof(*keys));
	/* A buffer over guarded memory of the exact length never grows. */
	plain.data = clv_guard_get(guard, len);
	plain.cap = plain.max = len;
	if (keys == NULL || plain.data == NULL)
		goto out;
	r = put_keys(&plain, k, list, scope, terms, keys);
	if (r == CLV_OK)
		r = seal(&plain, box_pk, ret);
out:
	clv_guard_put(guard, plain.data);
	clv_guard_put(guard, keys);
	return r;
}

static int
get_keys(const uint8_t *plain, size_t len, struct clv_guard *guard,
    struct clv_wire_terms *ret_terms, struct clv_wire_key **ret_keys,
    size_t *ret_n)
{
	struct clv_wire_terms terms;
	struct clv_wire_key *keys;
	struct clv_rd r;
	size_t i, n;

	clv_rd_init(&r, plain, len);
	terms.refresh_s = clv_rd_u32(&r);
	terms.permit_ms = clv_rd_u32(&r);
	n = clv_rd_u32(&r);
	if (r.failed || !are_terms_valid(&terms) || n > r.len / ENTRY_MIN ||
	    n > ENTRIES_MAX)
		return CLV_E_FORMAT;
	keys = clv_guard_get(guard, n * sizeof(*keys));
	if (keys == NULL)
		return CLV_E_FULL;
	for (i = 0; i < n; i++) {
		keys[i].generation = clv_rd_u32(&r);
		clv_rd_str(&r, keys[i].app, sizeof(keys[i].app));
		clv_rd_copy(&r, keys[i].key, sizeof(keys[i].key));
		if (keys[i].app[0] != '\0' &&
		    clv_name_check(keys[i].app) != CLV_OK)
			r.failed = true;
	}
	if (clv_rd_end(&r) != CLV_OK) {
		clv_guard_put(guard, keys);
		return CLV_E_FORMAT;
	}
	*ret_terms = terms;
	*ret_keys = keys;
	*ret_n = n;
	return CLV_OK;
}

int
clv_wire_keys_open(struct clv_guard *guard, const struct clv_identity *id,
    const void *p, size_t len, struct clv_wire_terms *ret_terms,
    struct clv_wire_key **ret_keys, size_t *ret_n)
{
	uint8_t *plain;
	int r;

	if (len < crypto_box_SEALBYTES ||
	    len > PLAIN_MAX + crypto_box_SEALBYTES)
		return CLV_E_FORMAT;
	plain = clv_guard_get(guard, len - crypto_box_SEALBYTES);
	if (plain == NULL)
		return CLV_E_FULL;
	if (crypto_box_seal_open(plain, p, len, id->box_pk, id->box_sk) != 0)
		r = CLV_E_DAMAGED;
	else
		r = get_keys(plain, len - crypto_box_SEALBYTES, guard,
		    ret_terms, ret_keys, ret_n);
	clv_guard_put(guard, plain);
	return r;
}
