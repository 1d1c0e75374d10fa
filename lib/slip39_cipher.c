/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include "lib/slip39_impl.h"

#define HALF_MAX (CLV_SLIP39_SECRET_MAX / 2)
#define ROUNDS 4
#define ITERATIONS 2500u /* of a round, when the exponent is 0 */
#define SALT "shamir"
#define SALT_LEN (sizeof(SALT) - 1 + 2)

/* Everything secret of one operation, in one piece of guarded memory. */
struct cipher {
	crypto_auth_hmacsha256_state keyed, state;
	uint8_t block[crypto_auth_hmacsha256_BYTES];
	uint8_t sum[crypto_auth_hmacsha256_BYTES];
	uint8_t left[HALF_MAX], right[HALF_MAX];
	uint8_t salt[SALT_LEN];
	size_t salt_len;
	size_t half;
	uint32_t iterations;
	size_t password_len;
	uint8_t password[]; /* the round's number, the passphrase */
};

bool
clv__slip39_is_passphrase(const char *passphrase)
{
	for (const char *p = passphrase; *p != '\0'; p++) {
		if (*p < 0x20 || *p > 0x7e)
			return false;
	}
	return true;
}

static void
hmac_end(struct cipher *c)
{
	crypto_auth_hmacsha256_final(&c->state, c->block);
	for (size_t i = 0; i < sizeof(c->sum); i++)
		c->sum[i] ^= c->block[i];
	c->state = c->keyed;
}

/* PBKDF2 (RFC 8018, 5.2) with HMAC-SHA-256, which libsodium has inside of
 * scrypt alone. Half a secret is less than one block of it. */
static void
derive(struct cipher *c)
{
	static const uint8_t block_index[4] = {0, 0, 0, 1};

	memset(c->sum, 0, sizeof(c->sum));
	crypto_auth_hmacsha256_init(&c->keyed, c->password, c->password_len);
	c->state = c->keyed;
	crypto_auth_hmacsha256_update(&c->state, c->salt, c->salt_len);
	crypto_auth_hmacsha256_update(&c->state, c->right, c->half);
	crypto_auth_hmacsha256_update(&c->state, block_index, 4);
	hmac_end(c);
	for (uint32_t i = 1; i < c->iterations; i++) {
		crypto_auth_hmacsha256_update(
		    &c->state, c->block, sizeof(c->block));
		hmac_end(c);
	}
}

static int
make(struct clv_guard *guard, const struct clv_slip39_share *of,
    const char *passphrase, size_t len, struct cipher **ret)
{
	size_t passphrase_len = passphrase == NULL ? 0 : strlen(passphrase);
	struct cipher *c =
	    clv_guard_get(guard, sizeof(*c) + 1 + passphrase_len);

	if (c == NULL)
		return CLV_E_FULL;
	if (passphrase != NULL)
		memcpy(c->password + 1, passphrase, passphrase_len);
	c->password_len = 1 + passphrase_len;
	c->half = len / 2;
	c->iterations = ITERATIONS << of->exponent;
	if (!of->extendable) {
		memcpy(c->salt, SALT, sizeof(SALT) - 1);
		c->salt[SALT_LEN - 2] = (uint8_t)(of->id >> 8);
		c->salt[SALT_LEN - 1] = (uint8_t)of->id;
		c->salt_len = SALT_LEN;
	}
	*ret = c;
	return CLV_OK;
}

/* A Feistel network of four rounds; backwards it decrypts. */
static int
run(struct clv_guard *guard, const struct clv_slip39_share *of,
    const char *passphrase, bool backwards, uint8_t *p, size_t len)
{
	struct cipher *c = NULL;
	int r = make(guard, of, passphrase, len, &c);

	if (r != CLV_OK)
		return r;
	memcpy(c->left, p, c->half);
	memcpy(c->right, p + c->half, c->half);
	for (uint8_t i = 0; i < ROUNDS; i++) {
		c->password[0] = backwards ? ROUNDS - 1 - i : i;
		derive(c);
		for (size_t k = 0; k < c->half; k++) {
			uint8_t next = c->left[k] ^ c->sum[k];

			c->left[k] = c->right[k];
			c->right[k] = next;
		}
	}
	memcpy(p, c->right, c->half);
	memcpy(p + c->half, c->left, c->half);
	clv_guard_put(guard, c);
	return CLV_OK;
}

int
clv__slip39_encrypt(struct clv_guard *guard, const struct clv_slip39_share *of,
    const char *passphrase, uint8_t *p, size_t len)
{
	return run(guard, of, passphrase, false, p, len);
}

int
clv__slip39_decrypt(struct clv_guard *guard, const struct clv_slip39_share *of,
    const char *passphrase, uint8_t *p, size_t len)
{
	return run(guard, of, passphrase, true, p, len);
}
