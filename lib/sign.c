/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/buf.h>
#include <claviger/keyring.h>
#include <claviger/result.h>
#include "sign.h"

/*
 * Plain Ed25519 over domain || message, so that any tool can verify; the
 * message is public by nature, its copy in a heap buffer gives nothing away.
 */
static int
join_domain(struct clv_buf *b, const char *domain, const void *p, size_t len)
{
	if (strlen(domain) != CLV_DOMAIN_LEN)
		return CLV_E_INVALID;
	clv_buf_init(b);
	b->max = CLV_BUF_MAX + CLV_DOMAIN_LEN;
	clv_buf_raw(b, domain, CLV_DOMAIN_LEN);
	clv_buf_raw(b, p, len);
	return clv_buf_result(b);
}

int
clv_sign(const uint8_t sk[static CLV_SIGN_SK_LEN], const char *domain,
    const void *p, size_t len, uint8_t ret_sig[static CLV_SIG_LEN])
{
	struct clv_buf b = {0};
	int r = join_domain(&b, domain, p, len);

	if (r == CLV_OK)
		crypto_sign_detached(ret_sig, NULL, b.data, b.len, sk);
	clv_buf_fini(&b);
	return r;
}

int
clv_verify(const uint8_t pk[static CLV_SIGN_PK_LEN], const char *domain,
    const void *p, size_t len, const uint8_t sig[static CLV_SIG_LEN])
{
	struct clv_buf b = {0};
	int r = join_domain(&b, domain, p, len);

	if (r == CLV_OK &&
	    crypto_sign_verify_detached(sig, b.data, b.len, pk) != 0)
		r = CLV_E_SIGNATURE;
	clv_buf_fini(&b);
	return r;
}

int
clv__put_signed(struct clv_buf *ret, const struct clv_buf *body,
    const uint8_t sig[static CLV_SIG_LEN])
{
	size_t before = ret->len;

	clv_buf_raw(ret, body->data, body->len);
	clv_buf_raw(ret, sig, CLV_SIG_LEN);
	if (ret->failed)
		ret->len = before;
	return clv_buf_result(ret);
}
