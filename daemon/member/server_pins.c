/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include <claviger/buf.h>
#include <claviger/result.h>

#include "daemon/member/server_pins.h"
#include "daemon/base/state.h"

/* u16 format, 32 B the configuration's, n x 32 B, 32 B BLAKE2b of all that */
#define FILE_NAME "pins"
#define FORMAT 1
#define HASH_LEN 32
#define FILE_LEN (2 + 32 + CLV_LIST_CERTS * 32 + HASH_LEN)

static int
of_config(const struct config *c, uint8_t ret[static 32])
{
	size_t len = 0;

	if (sodium_hex2bin(ret, 32, c->server_thumbprint,
		strlen(c->server_thumbprint), ":", &len, NULL) != 0 ||
	    len != 32)
		return CLV_E_CONFIG;
	return CLV_OK;
}

static int
parse(const uint8_t *p, size_t len, const uint8_t base[static 32],
    struct server_pins *ret)
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
	if (memcmp(clv_rd_raw(&r, 32), base, 32) != 0)
		return CLV_OK; /* pinned anew since */
	clv_rd_copy(&r, ret->thumb, sizeof(ret->thumb));
	return CLV_OK;
}

int
server_pins_load(const struct config *c, struct server_pins *ret)
{
	uint8_t base[32];
	void *p = NULL;
	size_t len = 0;
	int r = of_config(c, base);

	if (r != CLV_OK)
		return r;
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->thumb[0], base, sizeof(base));
	r = file_read(c->state_dir, FILE_NAME, FILE_LEN + 1, &p, &len);
	if (r == CLV_OK)
		r = parse(p, len, base, ret);
	free(p);
	return r == CLV_E_NOT_FOUND ? CLV_OK : r;
}

int
server_pins_save(const struct config *c, const struct server_pins *pins)
{
	uint8_t base[32], hash[HASH_LEN];
	struct server_pins now;
	struct clv_buf b;
	int r = of_config(c, base);

	if (r != CLV_OK)
		return r;
	if (server_pins_load(c, &now) == CLV_OK &&
	    memcmp(&now, pins, sizeof(now)) == 0)
		return CLV_OK;
	clv_buf_init(&b);
	clv_buf_u16(&b, FORMAT);
	clv_buf_raw(&b, base, sizeof(base));
	clv_buf_raw(&b, pins->thumb, sizeof(pins->thumb));
	r = clv_buf_result(&b);
	if (r == CLV_OK) {
		crypto_generichash(hash, sizeof(hash), b.data, b.len, NULL, 0);
		clv_buf_raw(&b, hash, sizeof(hash));
		r = clv_buf_result(&b);
	}
	if (r == CLV_OK)
		r = file_replace(c->state_dir, FILE_NAME, b.data, b.len, 0600);
	clv_buf_fini(&b);
	return r;
}
