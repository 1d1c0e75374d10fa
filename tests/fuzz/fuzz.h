/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <claviger/buf.h>
#include <claviger/guard.h>
#include <claviger/identity.h>
#include <claviger/keyring.h>
#include <claviger/result.h>

/*
 * A target takes any bytes. Where a signature stands before the parser, the
 * target signs the bytes itself with the fixed keys below, so that the parser
 * is reached; and whatever was taken must give the same bytes when it is
 * written again: one encoding for one content.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define FUZZ_REQUIRE(x) \
	do { \
		if (!(x)) { \
			fprintf( \
			    stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			abort(); \
		} \
	} while (0)

static const char fuzz_keyring_text[] =
    "claviger-keyring 1\n"
    "system a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf\n"
    "signing AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    "generation 1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n"
    "generation 7 QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=\n"
    "end\n";

/* Made once for the life of the process. */
static inline struct clv_guard *
fuzz_guard(void)
{
	static struct clv_guard *guard;

	if (guard == NULL)
		FUZZ_REQUIRE(clv_guard_new(1 << 18, &guard) == CLV_OK);
	return guard;
}

static inline const struct clv_keyring *
fuzz_keyring(void)
{
	static struct clv_keyring *k;

	if (k == NULL)
		FUZZ_REQUIRE(clv_keyring_parse(fuzz_guard(), fuzz_keyring_text,
				 sizeof(fuzz_keyring_text) - 1, &k) == CLV_OK);
	return k;
}

#endif
