/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"

/* The two texts with secrets: keyring and host identity. */

static void
try_keyring(const char *text, size_t len)
{
	struct clv_keyring *k = NULL;
	char *again = NULL;
	size_t again_len = 0;

	if (clv_keyring_parse(fuzz_guard(), text, len, &k) != CLV_OK)
		return;
	FUZZ_REQUIRE(clv_keyring_format(k, &again, &again_len) == CLV_OK);
	FUZZ_REQUIRE(again_len == len && memcmp(again, text, len) == 0);
	clv_guard_put(fuzz_guard(), again);
	clv_keyring_free(&k);
}

static void
try_identity(const char *text, size_t len)
{
	struct clv_identity *id = NULL;
	char *again = NULL;

	if (clv_identity_parse(fuzz_guard(), text, len, &id) != CLV_OK)
		return;
	FUZZ_REQUIRE(clv_name_check(id->name) == CLV_OK);
	FUZZ_REQUIRE(clv_identity_format(id, &again) == CLV_OK);
	FUZZ_REQUIRE(strlen(again) == len);
	/* Bech32 may be all upper or all lower case (BIP 173). */
	FUZZ_REQUIRE(strncasecmp(again, text, len) == 0);
	clv_guard_put(fuzz_guard(), again);
	clv_identity_free(&id);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	try_keyring((const char *)data, len);
	try_identity((const char *)data, len);
	FUZZ_REQUIRE(clv_guard_used(fuzz_guard()) == 0);
	return 0;
}
