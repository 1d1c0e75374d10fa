/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/buf.h>
#include <claviger/identity.h>
#include <claviger/result.h>
#include "party.h"
#include "sign.h"

#define JOIN_DOMAIN "claviger-join-01"

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

int
clv_name_check(const char *name)
{
	size_t i;

	if (name[0] == '\0' || name[0] == '.' || name[0] == '-')
		return CLV_E_INVALID;
	for (i = 0; name[i] != '\0'; i++)
		if (i == CLV_NAME_MAX - 1 || !is_name_char(name[i]))
			return CLV_E_INVALID;
	return CLV_OK;
}

void
clv__party_put(struct clv_buf *b, const struct clv_party *p)
{
	clv_buf_str(b, p->name);
	clv_buf_raw(b, p->sign_pk, sizeof(p->sign_pk));
	clv_buf_raw(b, p->box_pk, sizeof(p->box_pk));
	clv_buf_raw(b, p->thumb, sizeof(p->thumb));
}

void
clv__party_get(struct clv_rd *r, struct clv_party *ret)
{
	clv_rd_str(r, ret->name, sizeof(ret->name));
	clv_rd_copy(r, ret->sign_pk, sizeof(ret->sign_pk));
	clv_rd_copy(r, ret->box_pk, sizeof(ret->box_pk));
	clv_rd_copy(r, ret->thumb, sizeof(ret->thumb));
	if (clv_name_check(ret->name) != CLV_OK)
		r->failed = true;
}

void
clv_party_fingerprint(
    const struct clv_party *p, char ret_text[static CLV_FINGERPRINT_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	crypto_generichash_state st;
	size_t len = strlen(p->name), i;
	uint8_t hash[32], prefix[4] = {0, 0, 0, (uint8_t)len};
	char *at = ret_text;

	crypto_generichash_init(&st, NULL, 0, sizeof(hash));
	crypto_generichash_update(&st, prefix, sizeof(prefix));
	crypto_generichash_update(&st, (const uint8_t *)p->name, len);
	crypto_generichash_update(&st, p->sign_pk, sizeof(p->sign_pk));
	crypto_generichash_update(&st, p->box_pk, sizeof(p->box_pk));
	crypto_generichash_update(&st, p->thumb, sizeof(p->thumb));
	crypto_generichash_final(&st, hash, sizeof(hash));
	for (i = 0; i < sizeof(hash); i++) {
		if (i != 0 && i % 2 == 0)
			*at++ = '-';
		*at++ = digits[hash[i] >> 4];
		*at++ = digits[hash[i] & 15];
	}
	*at = '\0';
}

int
clv_party_format(
    const struct clv_identity *id, const uint8_t thumb[32], struct clv_buf *ret)
{
	struct clv_buf b = {0};
	struct clv_party p = {0};
	uint8_t sig[CLV_SIG_LEN];
	int r;

	memcpy(p.name, id->name, sizeof(p.name));
	memcpy(p.sign_pk, id->sign_pk, sizeof(p.sign_pk));
	memcpy(p.box_pk, id->box_pk, sizeof(p.box_pk));
	memcpy(p.thumb, thumb, sizeof(p.thumb));
	clv__party_put(&b, &p);
	r = clv_buf_result(&b);
	if (r == CLV_OK)
		r = clv_sign(id->sign_sk, JOIN_DOMAIN, b.data, b.len, sig);
	if (r == CLV_OK)
		r = clv__put_signed(ret, &b, sig);
	clv_buf_fini(&b);
	return r;
}

/* Points of small order: a key agreed with one is known to everybody. */
static bool
is_weak(const uint8_t box_pk[static 32])
{
	static const uint8_t scalar[32] = {8};
	uint8_t q[32];

	return crypto_scalarmult(q, scalar, box_pk) != 0;
}

int
clv_party_parse(const void *p, size_t len, struct clv_party *ret)
{
	struct clv_party party = {0};
	struct clv_rd rd;
	const uint8_t *sig;
	int r;

	clv_rd_init(&rd, p, len);
	clv__party_get(&rd, &party);
	sig = clv_rd_raw(&rd, CLV_SIG_LEN);
	r = clv_rd_end(&rd);
	if (r == CLV_OK)
		r = clv_verify(
		    party.sign_pk, JOIN_DOMAIN, p, len - CLV_SIG_LEN, sig);
	if (r == CLV_OK && is_weak(party.box_pk))
		r = CLV_E_INVALID;
	if (r == CLV_OK)
		*ret = party;
	return r;
}
