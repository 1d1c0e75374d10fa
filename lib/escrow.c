/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/age.h>
#include <claviger/buf.h>
#include <claviger/list.h>
#include <claviger/result.h>
#include "keyring.h"
#include "sign.h"

#define ESCROW_DOMAIN "claviger-escrw-1"

struct row {
	uint8_t node;
	uint32_t generation;
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	const uint8_t *file; /* borrowed */
	size_t file_len;
	const uint8_t *sig;
};

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
	clv_buf_u32(ret, row->generation);
	clv_buf_raw(ret, hash, sizeof(hash));
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
	clv_buf_u32(&body, row->generation);
	clv_buf_raw(&body, row->system_id, sizeof(row->system_id));
	clv_buf_bytes(&body, row->file, row->file_len);
	if (r == CLV_OK)
		r = clv_buf_result(&body);
	if (r == CLV_OK)
		r = clv__put_signed(ret, &body, sig);
	clv_buf_fini(&claim);
	clv_buf_fini(&body);
	return r;
}

int
clv_escrow_seal(struct clv_guard *guard, const struct clv_keyring *k,
    uint8_t node_number, const uint8_t box_pk[static 32], struct clv_buf *ret)
{
	struct row row = {
	    .node = node_number, .generation = clv_keyring_newest(k)};
	uint8_t pk[1][CLV_AGE_KEY_LEN];
	struct clv_buf file = {0};
	char *text = NULL;
	size_t len;
	int r = clv_keyring_format(k, &text, &len);

	if (r != CLV_OK)
		return r;
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

static int
parse_row(const void *p, size_t len, struct row *ret)
{
	struct clv_rd r;

	clv_rd_init(&r, p, len);
	ret->node = clv_rd_u8(&r);
	ret->generation = clv_rd_u32(&r);
	clv_rd_copy(&r, ret->system_id, sizeof(ret->system_id));
	ret->file = clv_rd_bytes(&r, &ret->file_len);
	ret->sig = clv_rd_raw(&r, CLV_SIG_LEN);
	return clv_rd_end(&r);
}

static int
verify_row(const struct row *row, const uint8_t pk[static CLV_SIGN_PK_LEN],
    const uint8_t box_pk[static 32])
{
	struct clv_buf claim = {0};
	int r = format_claim(row, box_pk, &claim);

	if (r == CLV_OK)
		r = clv_verify(
		    pk, ESCROW_DOMAIN, claim.data, claim.len, row->sig);
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
	return clv_keyring_newest(k) == row->generation ? CLV_OK
							: CLV_E_DAMAGED;
}

int
clv_escrow_check(const void *p, size_t len,
    const uint8_t pk[static CLV_SIGN_PK_LEN], uint8_t node_number,
    const uint8_t box_pk[static 32], uint32_t *ret_generation)
{
	struct row row = {0};
	int r = parse_row(p, len, &row);

	if (r == CLV_OK && row.node != node_number)
		r = CLV_E_NO_IDENTITY;
	if (r == CLV_OK)
		r = verify_row(&row, pk, box_pk);
	if (r == CLV_OK)
		*ret_generation = row.generation;
	return r;
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
	int r = parse_row(p, len, &row);

	if (r == CLV_OK && row.node != node_number)
		r = CLV_E_NO_IDENTITY;
	if (r == CLV_OK)
		r = verify_row(&row, pk, id->box_pk);
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
