/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/buf.h>
#include <claviger/result.h>
#include <claviger/token.h>
#include "lib/bech32.h"
#include "party.h"

#define HRP "claviger-token"
#define VERSION 1
#define DOMAIN "claviger-token-1"
#define CHECKSUM_LEN 6
#define BODY_MAX \
	(1 + crypto_sign_SEEDBYTES + CLV_SIGN_PK_LEN + 8 + 2 + 4 + \
	    (CLV_NAME_MAX - 1) + 4 + 253)

_Static_assert(BODY_MAX <= CLV__BECH32_DATA_MAX, "bech32 takes it");
_Static_assert(CLV_TOKEN_TEXT_MAX >=
		   sizeof(HRP) + 1 + (BODY_MAX * 8 + 4) / 5 + CHECKSUM_LEN,
    "room for the longest");
_Static_assert(sizeof(CLV_TOKEN_PREFIX) == sizeof(HRP) + 1, "and '1'");

static struct clv_token *
get_token(struct clv_guard *guard)
{
	struct clv_token *t = clv_guard_get(guard, sizeof(*t));

	if (t != NULL)
		t->guard = guard;
	return t;
}

void
clv_token_free(struct clv_token **t)
{
	if (*t != NULL)
		clv_guard_put((*t)->guard, *t);
	*t = NULL;
}

int
clv_token_new(struct clv_guard *guard, struct clv_token **ret)
{
	struct clv_token *t = get_token(guard);

	if (t == NULL)
		return CLV_E_FULL;
	crypto_sign_keypair(t->sign_pk, t->sign_sk);
	*ret = t;
	return CLV_OK;
}

/* Host name characters. */
static bool
is_network_name(const char *s)
{
	return s[0] != '\0' && s[0] != '-' && s[0] != '.' &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")] == '\0';
}

static bool
is_valid(const struct clv_token *t)
{
	return clv_name_check(t->name) == CLV_OK && t->port != 0 &&
	       is_network_name(t->network_name) &&
	       !sodium_is_zero(t->system_pk, sizeof(t->system_pk));
}

int
clv_token_format(const struct clv_token *t, char **ret_text)
{
	struct clv_buf b = {.max = BODY_MAX};
	char *text = NULL;
	int r = CLV_E_INVALID;

	if (!is_valid(t))
		return r;
	clv_buf_u8(&b, VERSION);
	/* The first half of libsodium's secret key is the seed. */
	clv_buf_raw(&b, t->sign_sk, crypto_sign_SEEDBYTES);
	clv_buf_raw(&b, t->system_pk, sizeof(t->system_pk));
	clv_buf_u64(&b, t->expires_s);
	clv_buf_u16(&b, t->port);
	clv_buf_str(&b, t->name);
	clv_buf_str(&b, t->network_name);
	r = clv_buf_result(&b);
	if (r == CLV_OK) {
		text = clv_guard_get(t->guard, CLV_TOKEN_TEXT_MAX);
		r = text != NULL ? CLV_OK : CLV_E_FULL;
	}
	if (r == CLV_OK) {
		clv__bech32_format(HRP, b.data, b.len, text);
		*ret_text = text;
	}
	clv_buf_fini(&b);
	return r;
}

static int
parse_body(const uint8_t *p, size_t len, struct clv_token *t)
{
	const uint8_t *seed;
	struct clv_rd r;

	clv_rd_init(&r, p, len);
	if (clv_rd_u8(&r) != VERSION)
		return r.failed ? CLV_E_DAMAGED : CLV_E_VERSION;
	seed = clv_rd_raw(&r, crypto_sign_SEEDBYTES);
	clv_rd_copy(&r, t->system_pk, sizeof(t->system_pk));
	t->expires_s = clv_rd_u64(&r);
	t->port = clv_rd_u16(&r);
	clv_rd_str(&r, t->name, sizeof(t->name));
	clv_rd_str(&r, t->network_name, sizeof(t->network_name));
	if (clv_rd_end(&r) != CLV_OK || !is_valid(t))
		return CLV_E_DAMAGED;
	crypto_sign_seed_keypair(t->sign_pk, t->sign_sk, seed);
	return CLV_OK;
}

/* How many bytes a text of this length holds. */
static size_t
body_len(size_t chars)
{
	const size_t more = sizeof(HRP) - 1 + 1 + CHECKSUM_LEN;

	return chars > more ? (chars - more) * 5 / 8 : 0;
}

int
clv_token_parse(
    struct clv_guard *guard, const char *text, struct clv_token **ret)
{
	size_t len = body_len(strlen(text));
	struct clv_token *t = NULL;
	uint8_t *body = NULL;
	int r;

	if (strncmp(text, CLV_TOKEN_PREFIX, sizeof(CLV_TOKEN_PREFIX) - 1) != 0)
		return CLV_E_FORMAT;
	if (len == 0 || len > BODY_MAX)
		return CLV_E_DAMAGED;
	t = get_token(guard);
	body = clv_guard_get(guard, BODY_MAX);
	r = t != NULL && body != NULL ? CLV_OK : CLV_E_FULL;
	if (r == CLV_OK && clv__bech32_parse(HRP, text, body, len) != CLV_OK)
		r = CLV_E_DAMAGED;
	if (r == CLV_OK)
		r = parse_body(body, len, t);
	if (r == CLV_OK) {
		*ret = t;
		t = NULL; /* transferred */
	}
	clv_guard_put(guard, body);
	clv_token_free(&t);
	return r;
}

static void
put_proof(struct clv_buf *b, const struct clv_token_proof *p)
{
	clv_buf_raw(b, p->system_pk, sizeof(p->system_pk));
	clv_buf_raw(b, p->binding, sizeof(p->binding));
	clv_buf_raw(b, p->challenge, sizeof(p->challenge));
	clv_buf_raw(b, p->nonce, sizeof(p->nonce));
	clv__party_put(b, &p->party);
}

int
clv_token_sign(const struct clv_token *t, const struct clv_token_proof *p,
    uint8_t ret_sig[static CLV_SIG_LEN])
{
	struct clv_buf b = {0};
	int r;

	put_proof(&b, p);
	r = clv_buf_result(&b);
	if (r == CLV_OK)
		r = clv_sign(t->sign_sk, DOMAIN, b.data, b.len, ret_sig);
	clv_buf_fini(&b);
	return r;
}

int
clv_token_verify(const uint8_t token_pk[static CLV_SIGN_PK_LEN],
    const struct clv_token_proof *p, const uint8_t sig[static CLV_SIG_LEN])
{
	struct clv_buf b = {0};
	int r;

	put_proof(&b, p);
	r = clv_buf_result(&b);
	if (r == CLV_OK)
		r = clv_verify(token_pk, DOMAIN, b.data, b.len, sig);
	clv_buf_fini(&b);
	return r;
}
