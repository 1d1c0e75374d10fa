/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <time.h>
#include <sodium.h>
#include <claviger/buf.h>
#include <claviger/list.h>
#include <claviger/result.h>
#include "age_impl.h"
#include "keyring.h"
#include "sign.h"

/* Of a row without times, as the first release wrote it, and with them. */
#define ESCROW_DOMAIN_PLAIN "claviger-escrw-1"
#define ESCROW_DOMAIN "claviger-escrw-2"

struct row {
	uint8_t node;
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	const uint8_t *file; /* borrowed */
	size_t file_len;
	bool plain;
	struct clv_escrow_about about;
	const uint8_t *sig;
};

static void
put_about(struct clv_buf *b, const struct row *row)
{
	if (row->plain)
		return;
	clv_buf_u64(b, row->about.sealed_s);
	clv_buf_u64(b, row->about.proven_s);
	clv_buf_u32(b, row->about.held_count);
	for (uint32_t i = 0; i < row->about.held_count; i++)
		clv_buf_u32(b, row->about.held[i]);
}

/* What is signed: the row, the recipient's key beside it, and the file by its
 * hash. */
static int
format_claim(
    const struct row *row, const uint8_t box_pk[static 32], struct clv_buf *ret)
{
	uint8_t hash[32];

	crypto_generichash(
	    hash, sizeof(hash), row->file, row->file_len, NULL, 0);
	clv_buf_raw(ret, row->system_id, sizeof(row->system_id));
	clv_buf_u8(ret, row->node);
	clv_buf_raw(ret, box_pk, 32);
	clv_buf_u32(ret, row->about.generation);
	clv_buf_raw(ret, hash, sizeof(hash));
	put_about(ret, row);
	return clv_buf_result(ret);
}

static int
format_row(const struct row *row, const struct clv_keyring *k,
    const uint8_t box_pk[static 32], struct clv_buf *ret)
{
	struct clv_buf claim = {0}, body = {0};
	uint8_t sig[CLV_SIG_LEN];
	int r = format_claim(row, box_pk, &claim);

	if (r == CLV_OK)
		r = clv_keyring_sign(
		    k, ESCROW_DOMAIN, claim.data, claim.len, sig);
	clv_buf_u8(&body, row->node);
	clv_buf_u32(&body, row->about.generation);
	clv_buf_raw(&body, row->system_id, sizeof(row->system_id));
	clv_buf_bytes(&body, row->file, row->file_len);
	put_about(&body, row);
	if (r == CLV_OK)
		r = clv_buf_result(&body);
	if (r == CLV_OK)
		r = clv__put_signed(ret, &body, sig);
	clv_buf_fini(&claim);
	clv_buf_fini(&body);
	return r;
}

static void
set_held(struct clv_escrow_about *about, const struct clv_keyring *k)
{
	about->held_count = (uint32_t)clv_keyring_count(k);
	for (uint32_t i = 0; i < about->held_count; i++)
		about->held[i] = clv_keyring_number(k, i);
}

int
clv_escrow_seal(struct clv_guard *guard, const struct clv_keyring *k,
    uint8_t node_number, const uint8_t box_pk[static 32], struct clv_buf *ret)
{
	struct row row = {
	    .node = node_number,
	    .about = {.generation = clv_keyring_newest(k),
		.sealed_s = (uint64_t)time(NULL)},
	};
	uint8_t pk[1][CLV_AGE_KEY_LEN];
	struct clv_buf file = {0};
	char *text = NULL;
	size_t len;
	int r = clv_keyring_format(k, &text, &len);

	if (r != CLV_OK)
		return r;
	set_held(&row.about, k);
	memcpy(pk[0], box_pk, sizeof(pk[0]));
	memcpy(row.system_id, clv_keyring_system_id(k), sizeof(row.system_id));
	r = clv_age_seal(guard, (const uint8_t(*)[CLV_AGE_KEY_LEN])pk, 1, false,
	    text, len, &file);
	row.file = file.data;
	row.file_len = file.len;
	if (r == CLV_OK)
		r = format_row(&row, k, box_pk, ret);
	clv_buf_fini(&file);
	clv_guard_put(clv__keyring_guard(k), text);
	return r;
}

static void
parse_about(struct clv_rd *r, struct row *ret)
{
	struct clv_escrow_about *about = &ret->about;

	ret->plain = r->len == CLV_SIG_LEN;
	if (ret->plain) {
		about->held_count = 1;
		about->held[0] = about->generation;
		return;
	}
	about->sealed_s = clv_rd_u64(r);
	about->proven_s = clv_rd_u64(r);
	about->held_count = clv_rd_u32(r);
	if (about->held_count > CLV_GENERATIONS_MAX)
		r->failed = true;
	for (uint32_t i = 0; !r->failed && i < about->held_count; i++)
		about->held[i] = clv_rd_u32(r);
}

static int
parse_row(const void *p, size_t len, struct row *ret)
{
	struct clv_rd r;

	clv_rd_init(&r, p, len);
	ret->node = clv_rd_u8(&r);
	ret->about.generation = clv_rd_u32(&r);
	clv_rd_copy(&r, ret->system_id, sizeof(ret->system_id));
	ret->file = clv_rd_bytes(&r, &ret->file_len);
	parse_about(&r, ret);
	ret->sig = clv_rd_raw(&r, CLV_SIG_LEN);
	return clv_rd_end(&r);
}

static int
verify_row(const struct row *row, const uint8_t pk[static CLV_SIGN_PK_LEN],
    const uint8_t box_pk[static 32])
{
	const char *domain = row->plain ? ESCROW_DOMAIN_PLAIN : ESCROW_DOMAIN;
	struct clv_buf claim = {0};
	int r = format_claim(row, box_pk, &claim);

	if (r == CLV_OK)
		r = clv_verify(pk, domain, claim.data, claim.len, row->sig);
	clv_buf_fini(&claim);
	return r;
}

/* The row speaks for the keyring inside it: it must be the same system's and
 * as new as it says. */
static int
check_keyring(const struct row *row, const struct clv_keyring *k,
    const uint8_t pk[static CLV_SIGN_PK_LEN])
{
	if (sodium_memcmp(clv_keyring_sign_pk(k), pk, CLV_SIGN_PK_LEN) != 0 ||
	    sodium_memcmp(clv_keyring_system_id(k), row->system_id,
		CLV_SYSTEM_ID_LEN) != 0)
		return CLV_E_WRONG_SYSTEM;
	if (clv_keyring_newest(k) != row->about.generation)
		return CLV_E_DAMAGED;
	for (uint32_t i = 0; !row->plain && i < clv_keyring_count(k); i++)
		if (i >= row->about.held_count ||
		    row->about.held[i] != clv_keyring_number(k, i))
			return CLV_E_DAMAGED;
	return CLV_OK;
}

/* For the one recipient of the row, as far as that shows without his key: of
 * whom a stanza is, nobody else can tell. */
static int
check_form(const struct row *row)
{
	struct clv__age_header h;
	struct clv__age_stanza stanza;
	uint8_t share[CLV_AGE_KEY_LEN], body[CLV__AGE_BODY_LEN];
	size_t used = 0, at = 0;
	int r;

	clv__age_header_init(&h);
	r = clv__age_header_put(&h, row->file, row->file_len, &used);
	if (r == CLV_OK &&
	    (h.state != CLV__AGE_HEADER_DONE || h.stanzas != 1 ||
		!clv__age_header_next(&h, &at, &stanza) ||
		!clv__age_stanza_is(&stanza, "X25519") || stanza.args != 2 ||
		clv__age_base64(stanza.arg[1], share, sizeof(share)) !=
		    CLV_OK ||
		row->file_len - used <= CLV__AGE_NONCE_LEN + CLV__AGE_TAG_LEN))
		r = CLV_E_FORMAT;
	if (r == CLV_OK)
		r = clv__age_stanza_body(&stanza, body);
	clv__age_header_fini(&h);
	return r;
}

static int
read_row(const void *p, size_t len, const uint8_t pk[static CLV_SIGN_PK_LEN],
    uint8_t node_number, const uint8_t box_pk[static 32], struct row *ret)
{
	int r = parse_row(p, len, ret);

	if (r == CLV_OK && ret->node != node_number)
		r = CLV_E_NO_IDENTITY;
	return r == CLV_OK ? verify_row(ret, pk, box_pk) : r;
}

int
clv_escrow_check(const void *p, size_t len,
    const uint8_t pk[static CLV_SIGN_PK_LEN], uint8_t node_number,
    const uint8_t box_pk[static 32], struct clv_escrow_about *ret)
{
	struct row row = {0};
	int r = read_row(p, len, pk, node_number, box_pk, &row);

	if (r == CLV_OK)
		r = check_form(&row);
	if (r == CLV_OK)
		*ret = row.about;
	return r;
}

int
clv_escrow_prove(const void *p, size_t len, const struct clv_identity *id,
    uint8_t node_number, const struct clv_keyring *opened, struct clv_buf *ret)
{
	struct row row = {0};
	uint64_t now_s = (uint64_t)time(NULL);
	int r = read_row(
	    p, len, clv_keyring_sign_pk(opened), node_number, id->box_pk, &row);

	if (r == CLV_OK)
		r = check_keyring(&row, opened, clv_keyring_sign_pk(opened));
	if (r != CLV_OK)
		return r;
	/* It grows also under a clock that was set back: a proof can be told
	 * from the one before. */
	row.about.proven_s =
	    now_s > row.about.proven_s ? now_s : row.about.proven_s + 1;
	set_held(&row.about, opened);
	row.plain = false;
	return format_row(&row, opened, id->box_pk, ret);
}

int
clv_escrow_open(const void *p, size_t len,
    const uint8_t pk[static CLV_SIGN_PK_LEN], const struct clv_identity *id,
    uint8_t node_number, struct clv_keyring **ret)
{
	struct clv_keyring *k = NULL;
	uint8_t *text = NULL;
	struct row row = {0};
	size_t text_len = 0;
	int r = read_row(p, len, pk, node_number, id->box_pk, &row);

	if (r == CLV_OK)
		r = clv_age_open(id->guard, id->box_sk, row.file, row.file_len,
		    CLV_KEYRING_TEXT_MAX, &text, &text_len);
	if (r == CLV_OK)
		r = clv_keyring_parse(
		    id->guard, (const char *)text, text_len, &k);
	if (r == CLV_OK)
		r = check_keyring(&row, k, pk);
	if (r == CLV_OK) {
		*ret = k;
		k = NULL; /* transferred */
	}
	clv_keyring_free(&k);
	clv_guard_put(id->guard, text);
	return r;
}
