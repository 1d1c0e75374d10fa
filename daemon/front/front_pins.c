/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <claviger/result.h>
#include "daemon/front/front.h"

/*
 * Sorted by a keyed hash, so that with thousands of members a request does not
 * cost a walk through all of them, and how far the search goes tells nothing
 * about the thumbprints. Each candidate is compared in constant time.
 */
struct pin {
	uint8_t hash[crypto_shorthash_BYTES];
	uint8_t thumb[32];
};

struct front_pins {
	uint8_t key[crypto_shorthash_KEYBYTES];
	size_t n;
	struct pin pin[];
};

static int
by_hash(const void *a, const void *b)
{
	return memcmp(((const struct pin *)a)->hash,
	    ((const struct pin *)b)->hash, crypto_shorthash_BYTES);
}

int
front_pins_new(const uint8_t *thumbs, size_t n, struct front_pins **ret)
{
	struct front_pins *p = calloc(1, sizeof(*p) + n * sizeof(p->pin[0]));
	size_t i;

	if (p == NULL)
		return CLV_E_NOMEM;
	p->n = n;
	crypto_shorthash_keygen(p->key);
	for (i = 0; i < n; i++) {
		memcpy(p->pin[i].thumb, thumbs + i * 32, 32);
		crypto_shorthash(p->pin[i].hash, p->pin[i].thumb, 32, p->key);
	}
	qsort(p->pin, n, sizeof(p->pin[0]), by_hash);
	*ret = p;
	return CLV_OK;
}

void
front_pins_free(struct front_pins **p)
{
	free(*p);
	*p = NULL;
}

bool
front_pins_has(const struct front_pins *p, const uint8_t thumb[static 32])
{
	struct pin want;
	size_t low = 0, high, mid;
	bool found = false;

	if (p == NULL)
		return false;
	crypto_shorthash(want.hash, thumb, 32, p->key);
	for (high = p->n; low < high;) {
		mid = low + (high - low) / 2;
		if (by_hash(&p->pin[mid], &want) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < p->n && by_hash(&p->pin[low], &want) == 0; low++)
		found |= sodium_memcmp(p->pin[low].thumb, thumb, 32) == 0;
	return found;
}
