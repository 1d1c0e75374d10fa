/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include <claviger/buf.h>
#include <claviger/result.h>

#include "daemon/base/state.h"
#include "daemon/base/system_pin.h"

/* u16 format, raw key of the configuration, raw key in force, BLAKE2b-256 of
 * all that. Everybody may read it. */
#define FILE_NAME "successor"
#define FORMAT 1
#define HASH_LEN 32
#define FILE_LEN (2 + 2 * CLV_SIGN_PK_LEN + HASH_LEN)

static int
of_config(const struct config *c, uint8_t ret[static CLV_SIGN_PK_LEN])
{
	size_t len = 0;

	if (sodium_base642bin(ret, CLV_SIGN_PK_LEN, c->system,
		strlen(c->system), NULL, &len, NULL,
		sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    len != CLV_SIGN_PK_LEN)
		return CLV_E_CONFIG;
	return CLV_OK;
}

static int
parse(const uint8_t *p, size_t len, uint8_t ret[static CLV_SIGN_PK_LEN])
{
	uint8_t hash[HASH_LEN];
	struct clv_rd r;

	if (len != FILE_LEN)
		return CLV_E_DAMAGED;
	crypto_generichash(hash, sizeof(hash), p, len - HASH_LEN, NULL, 0);
	if (memcmp(hash, p + len - HASH_LEN, HASH_LEN) != 0)
		return CLV_E_DAMAGED;
	clv_rd_init(&r, p, len);
	if (clv_rd_u16(&r) != FORMAT)
		return CLV_E_VERSION;
	if (memcmp(clv_rd_raw(&r, CLV_SIGN_PK_LEN), ret, CLV_SIGN_PK_LEN) == 0)
		clv_rd_copy(&r, ret, CLV_SIGN_PK_LEN);
	return CLV_OK;
}

int
system_pin_load(const struct config *c, uint8_t ret[static CLV_SIGN_PK_LEN])
{
	void *p = NULL;
	size_t len = 0;
	int r = of_config(c, ret);

	if (r != CLV_OK)
		return r;
	r = file_read(c->state_dir, FILE_NAME, FILE_LEN + 1, &p, &len);
	if (r == CLV_OK)
		r = parse(p, len, ret);
	free(p);
	return r == CLV_E_NOT_FOUND ? CLV_OK : r;
}

int
system_pin_save(
    const struct config *c, const uint8_t pk[static CLV_SIGN_PK_LEN])
{
	uint8_t base[CLV_SIGN_PK_LEN], hash[HASH_LEN];
	struct clv_buf b;
	int r = of_config(c, base);

	if (r != CLV_OK)
		return r;
	clv_buf_init(&b);
	clv_buf_u16(&b, FORMAT);
	clv_buf_raw(&b, base, sizeof(base));
	clv_buf_raw(&b, pk, CLV_SIGN_PK_LEN);
	r = clv_buf_result(&b);
	if (r == CLV_OK) {
		crypto_generichash(hash, sizeof(hash), b.data, b.len, NULL, 0);
		clv_buf_raw(&b, hash, sizeof(hash));
		r = clv_buf_result(&b);
	}
	if (r == CLV_OK)
		r = file_replace(c->state_dir, FILE_NAME, b.data, b.len, 0444);
	clv_buf_fini(&b);
	return r;
}
