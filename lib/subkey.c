/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include "keyring.h"

/* Keys below the distribution key. Each use has an own 16-byte
 * personalisation, so that no two of them ever give the same value. */

CLV__CLEARS_REGISTERS void
clv_app_key(const uint8_t distribution[static CLV_KEY_LEN],
    const uint8_t system_id[static CLV_SYSTEM_ID_LEN], const char *app,
    uint8_t ret[static CLV_KEY_LEN])
{
	crypto_generichash_blake2b_state st;
	size_t len = strlen(app);
	uint8_t prefix[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16),
	    (uint8_t)(len >> 8), (uint8_t)len};

	crypto_generichash_blake2b_init_salt_personal(&st, distribution,
	    CLV_KEY_LEN, CLV_KEY_LEN, NULL,
	    (const unsigned char *)"claviger-app-key");
	crypto_generichash_blake2b_update(&st, system_id, CLV_SYSTEM_ID_LEN);
	crypto_generichash_blake2b_update(&st, prefix, sizeof(prefix));
	crypto_generichash_blake2b_update(&st, (const unsigned char *)app, len);
	crypto_generichash_blake2b_final(&st, ret, CLV_KEY_LEN);
	sodium_memzero(&st, sizeof(st));
	sodium_stackzero(CLV__HASH_STACK_LEN);
}

CLV__CLEARS_REGISTERS void
clv_key_check(
    const uint8_t key[static CLV_KEY_LEN], uint8_t ret[static CLV_KEY_LEN])
{
	crypto_generichash_blake2b_salt_personal(ret, CLV_KEY_LEN, NULL, 0, key,
	    CLV_KEY_LEN, NULL, (const unsigned char *)"claviger-keychk1");
}
