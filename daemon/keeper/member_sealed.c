/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/keeper/member_answers.h"

/*
 * Members ask for their keys every minute, and to seal them anew costs more
 * than all else of the answer: so what was sealed is kept for as long as this
 * server is active. It is what the front and the wire have seen already, and of
 * use to that one member alone. An entry is found by everything that goes into
 * it; one place for each, and a bound on them all.
 */
#define PLACES 32768
#define BYTES_MAX (16u << 20)
#define HASH_LEN 32

struct place {
	uint8_t of[HASH_LEN];
	uint8_t *data; /* NULL: empty */
	size_t len;
};

struct sealed_keys {
	size_t bytes;
	struct place place[PLACES];
};

/* A generation's key is told by its check, its part by its state. */
static int
hash_of(const struct clv_list *list, const char *scope,
    const struct clv_wire_terms *terms, const uint8_t box_pk[static 32],
    uint8_t ret[static HASH_LEN])
{
	struct clv_buf b;
	int r;

	clv_buf_init(&b);
	clv_buf_raw(&b, box_pk, 32);
	clv_buf_u32(&b, terms->refresh_s);
	clv_buf_u32(&b, terms->permit_ms);
	clv_buf_str(&b, scope);
	for (size_t i = 0; i < list->generation_count; i++) {
		const struct clv_list_generation *g = &list->generations[i];

		clv_buf_u32(&b, g->number);
		clv_buf_u8(&b, g->state);
		clv_buf_raw(&b, g->commitment, sizeof(g->commitment));
		clv_buf_raw(&b, g->check, sizeof(g->check));
	}
	r = clv_buf_result(&b);
	if (r == CLV_OK)
		crypto_generichash(ret, HASH_LEN, b.data, b.len, NULL, 0);
	clv_buf_fini(&b);
	return r;
}

static struct place *
place_of(struct sealed_keys *s, const uint8_t hash[static HASH_LEN])
{
	return &s->place[(hash[0] << 8 | hash[1]) % PLACES];
}

static void
empty(struct sealed_keys *s, struct place *p)
{
	s->bytes -= p->len;
	free(p->data);
	memset(p, 0, sizeof(*p));
}

static void
keep(struct sealed_keys *s, const uint8_t hash[static HASH_LEN],
    const struct clv_buf *sealed)
{
	struct place *p = place_of(s, hash);

	empty(s, p);
	if (sealed->len > BYTES_MAX - s->bytes ||
	    (p->data = malloc(sealed->len)) == NULL)
		return;
	memcpy(p->of, hash, sizeof(p->of));
	memcpy(p->data, sealed->data, sealed->len);
	p->len = sealed->len;
	s->bytes += p->len;
}

int
member_seal_keys(struct keeper *k, const char *scope,
    const struct clv_wire_terms *terms, const uint8_t box_pk[static 32],
    struct clv_buf *ret)
{
	const struct clv_list *list = k->secret.list;
	uint8_t hash[HASH_LEN];
	const struct place *p;
	int r;

	if (k->sealed == NULL)
		k->sealed = calloc(1, sizeof(*k->sealed));
	r = hash_of(list, scope, terms, box_pk, hash);
	if (k->sealed == NULL || r != CLV_OK)
		return CLV_E_NOMEM;
	p = place_of(k->sealed, hash);
	if (p->data != NULL && memcmp(p->of, hash, sizeof(hash)) == 0) {
		clv_buf_raw(ret, p->data, p->len);
		return clv_buf_result(ret);
	}
	r = clv_wire_keys_seal(
	    k->guard, k->secret.keyring, list, scope, terms, box_pk, ret);
	if (r == CLV_OK)
		keep(k->sealed, hash, ret);
	return r;
}

void
member_forget_sealed(struct keeper *k)
{
	if (k->sealed == NULL)
		return;
	for (size_t i = 0; i < PLACES; i++)
		free(k->sealed->place[i].data);
	free(k->sealed);
	k->sealed = NULL;
}
