/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sodium.h>
#include <claviger/keyring.h>
#include <claviger/result.h>
#include "keyring.h"
#include "text.h"

/*
 * claviger-keyring(5). Lines end in one LF; fields are separated by one space;
 * nothing else is allowed anywhere:
 *
 *	claviger-keyring 1
 *	system <UUID, lower case, 8-4-4-4-12>
 *	signing <Base64 of the 32-byte Ed25519 seed, 44 characters>
 *	next-signing <the same of the one that follows it>
 *	generation <number> <Base64 of the 32-byte master secret>
 *	end
 *
 * with 1 to CLV_GENERATIONS_MAX generation lines, numbers ascending (gaps are
 * destroyed generations), decimal without leading zeros, 1 .. 2^32-1. A keyring
 * with the line next-signing, and no other one, is of version 2.
 */
#define MAGIC "claviger-keyring "
#define UUID_LEN 36
/* The longest line, a generation's, is 67 characters; five others. */
#define TEXT_MAX (70 * (CLV_GENERATIONS_MAX + 5))

_Static_assert(TEXT_MAX <= CLV_KEYRING_TEXT_MAX, "text fits its bound");
_Static_assert(CLV_KEY_LEN == crypto_kdf_KEYBYTES, "master secret is a key");

struct generation {
	uint32_t number;
	uint8_t secret[CLV_KEY_LEN];
};

struct signing {
	uint8_t seed[crypto_sign_SEEDBYTES];
	uint8_t sk[CLV_SIGN_SK_LEN];
	uint8_t pk[CLV_SIGN_PK_LEN];
};

struct clv_keyring { /* lies in guarded memory as a whole */
	struct clv_guard *guard;
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	struct signing sign;
	struct signing next; /* takes its place, if there is one */
	bool has_next;
	size_t count;
	struct generation generations[CLV_GENERATIONS_MAX];
};

static struct clv_keyring *
get_keyring(struct clv_guard *guard)
{
	struct clv_keyring *k = clv_guard_get(guard, sizeof(*k));

	if (k != NULL)
		k->guard = guard;
	return k;
}

void
clv_keyring_free(struct clv_keyring **keyring)
{
	if (*keyring != NULL)
		clv_guard_put((*keyring)->guard, *keyring);
	*keyring = NULL;
}

/* A random UUID, RFC 9562 section 5.4. */
static void
make_system_id(uint8_t id[static CLV_SYSTEM_ID_LEN])
{
	randombytes_buf(id, CLV_SYSTEM_ID_LEN);
	id[6] = (id[6] & 0x0f) | 0x40;
	id[8] = (id[8] & 0x3f) | 0x80;
}

static void
make_signing(struct signing *s)
{
	randombytes_buf(s->seed, sizeof(s->seed));
	crypto_sign_seed_keypair(s->pk, s->sk, s->seed);
}

int
clv_keyring_new(struct clv_guard *guard, struct clv_keyring **ret)
{
	struct clv_keyring *k = get_keyring(guard);
	uint32_t number;
	int r;

	if (k == NULL)
		return CLV_E_FULL;
	make_system_id(k->system_id);
	make_signing(&k->sign);
	r = clv_keyring_add(k, &number);
	if (r == CLV_OK)
		*ret = k;
	else
		clv_keyring_free(&k);
	return r;
}

int
clv_keyring_add(struct clv_keyring *k, uint32_t *ret_generation)
{
	uint32_t newest = clv_keyring_newest(k);
	struct generation *g;

	if (k->count == CLV_GENERATIONS_MAX || newest == UINT32_MAX)
		return CLV_E_FULL;
	g = &k->generations[k->count++];
	g->number = newest + 1;
	crypto_kdf_keygen(g->secret);
	*ret_generation = g->number;
	return CLV_OK;
}

int
clv_keyring_drop(struct clv_keyring *k, uint32_t generation)
{
	struct generation *g = k->generations;
	size_t left = k->count;

	while (left > 0 && g->number != generation) {
		g++;
		left--;
	}
	if (left == 0)
		return CLV_E_NOT_FOUND;
	if (k->count == 1)
		return CLV_E_INVALID;
	memmove(g, g + 1, (left - 1) * sizeof(*g));
	k->count--;
	sodium_memzero(
	    &k->generations[k->count], sizeof(k->generations[k->count]));
	return CLV_OK;
}

void
clv_keyring_add_next(struct clv_keyring *k)
{
	make_signing(&k->next);
	k->has_next = true;
}

int
clv_keyring_follow(
    struct clv_keyring *k, const uint8_t pk[static CLV_SIGN_PK_LEN])
{
	if (sodium_memcmp(k->sign.pk, pk, CLV_SIGN_PK_LEN) == 0)
		return CLV_OK;
	if (!k->has_next || sodium_memcmp(k->next.pk, pk, CLV_SIGN_PK_LEN) != 0)
		return CLV_E_WRONG_SYSTEM;
	memcpy(&k->sign, &k->next, sizeof(k->sign));
	sodium_memzero(&k->next, sizeof(k->next));
	k->has_next = false;
	return CLV_OK;
}

/* Text form. Every character is written to its place in guarded memory. */

static void
put_text(char **at, const char *s)
{
	size_t n = strlen(s);

	memcpy(*at, s, n);
	*at += n;
}

static void
put_key(char **at, const uint8_t key[static 32])
{
	sodium_bin2base64(*at, CLV__KEY_TEXT_LEN + 1, key, 32,
	    sodium_base64_VARIANT_ORIGINAL);
	*at += CLV__KEY_TEXT_LEN;
	put_text(at, "\n");
}

static void
put_uuid(char **at, const uint8_t id[static CLV_SYSTEM_ID_LEN])
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < CLV_SYSTEM_ID_LEN; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*(*at)++ = '-';
		*(*at)++ = digits[id[i] >> 4];
		*(*at)++ = digits[id[i] & 15];
	}
	put_text(at, "\n");
}

int
clv_keyring_format(
    const struct clv_keyring *k, char **ret_text, size_t *ret_len)
{
	char *text = clv_guard_get(k->guard, TEXT_MAX);
	char *at = text, head[32];
	size_t i;

	if (text == NULL)
		return CLV_E_FULL;
	put_text(&at, k->has_next ? MAGIC "2\nsystem " : MAGIC "1\nsystem ");
	put_uuid(&at, k->system_id);
	put_text(&at, "signing ");
	put_key(&at, k->sign.seed);
	if (k->has_next) {
		put_text(&at, "next-signing ");
		put_key(&at, k->next.seed);
	}
	for (i = 0; i < k->count; i++) {
		snprintf(head, sizeof(head), "generation %u ",
		    (unsigned)k->generations[i].number);
		put_text(&at, head);
		put_key(&at, k->generations[i].secret);
	}
	put_text(&at, "end\n");
	*at = '\0';
	*ret_text = text;
	*ret_len = (size_t)(at - text);
	return CLV_OK;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static void
parse_uuid(struct clv__text *t, uint8_t ret[static CLV_SYSTEM_ID_LEN])
{
	const char *s = clv__text_raw(t, UUID_LEN);
	int high, low;
	size_t i;

	for (i = 0; s != NULL && i < CLV_SYSTEM_ID_LEN; i++) {
		if ((i == 4 || i == 6 || i == 8 || i == 10) && *s++ != '-')
			t->failed = true;
		high = hex_value(*s++);
		low = hex_value(*s++);
		if (high < 0 || low < 0) {
			t->failed = true;
			return;
		}
		ret[i] = (uint8_t)(high << 4 | low);
	}
	clv__text_expect(t, "\n");
}

static void
parse_generation(struct clv__text *t, struct clv_keyring *k)
{
	uint32_t newest = clv_keyring_newest(k);
	struct generation *g;

	if (k->count == CLV_GENERATIONS_MAX) {
		t->failed = true;
		return;
	}
	g = &k->generations[k->count++];
	g->number = clv__text_u32(t);
	if (g->number <= newest)
		t->failed = true;
	clv__text_expect(t, " ");
	clv__text_key(t, g->secret);
}

/* CLV_E_VERSION only for what is a keyring by its first word. */
static int
parse_version(struct clv__text *t, bool *ret_has_next)
{
	uint32_t version;

	clv__text_expect(t, MAGIC);
	version = clv__text_u32(t);
	clv__text_expect(t, "\n");
	if (t->failed)
		return CLV_E_FORMAT;
	*ret_has_next = version == 2;
	return version == 1 || version == 2 ? CLV_OK : CLV_E_VERSION;
}

static int
parse_body(struct clv__text *t, struct clv_keyring *k)
{
	clv__text_expect(t, "system ");
	parse_uuid(t, k->system_id);
	clv__text_expect(t, "signing ");
	clv__text_key(t, k->sign.seed);
	if (k->has_next) {
		clv__text_expect(t, "next-signing ");
		clv__text_key(t, k->next.seed);
	}
	while (clv__text_has(t, "generation "))
		parse_generation(t, k);
	clv__text_expect(t, "end\n");
	if (k->count == 0)
		return CLV_E_FORMAT;
	return clv__text_end(t);
}

int
clv_keyring_parse(struct clv_guard *guard, const char *text, size_t len,
    struct clv_keyring **ret)
{
	struct clv_keyring *k;
	struct clv__text t;
	bool has_next;
	int r;

	clv__text_init(&t, text, len);
	r = parse_version(&t, &has_next);
	if (r != CLV_OK)
		return r;
	k = get_keyring(guard);
	if (k == NULL)
		return CLV_E_FULL;
	k->has_next = has_next;
	r = parse_body(&t, k);
	if (r != CLV_OK) {
		clv_keyring_free(&k);
		return r;
	}
	crypto_sign_seed_keypair(k->sign.pk, k->sign.sk, k->sign.seed);
	if (has_next)
		crypto_sign_seed_keypair(k->next.pk, k->next.sk, k->next.seed);
	*ret = k;
	return CLV_OK;
}

struct clv_guard *
clv__keyring_guard(const struct clv_keyring *k)
{
	return k->guard;
}

const uint8_t *
clv_keyring_system_id(const struct clv_keyring *k)
{
	return k->system_id;
}

const uint8_t *
clv_keyring_sign_pk(const struct clv_keyring *k)
{
	return k->sign.pk;
}

const uint8_t *
clv_keyring_next_pk(const struct clv_keyring *k)
{
	return k->has_next ? k->next.pk : NULL;
}

uint32_t
clv_keyring_newest(const struct clv_keyring *k)
{
	return k->count != 0 ? k->generations[k->count - 1].number : 0;
}

size_t
clv_keyring_count(const struct clv_keyring *k)
{
	return k->count;
}

uint32_t
clv_keyring_number(const struct clv_keyring *k, size_t i)
{
	return i < k->count ? k->generations[i].number : 0;
}

int
clv_keyring_sign(const struct clv_keyring *k, const char *domain, const void *p,
    size_t len, uint8_t ret_sig[static CLV_SIG_LEN])
{
	return clv_sign(k->sign.sk, domain, p, len, ret_sig);
}

int
clv__keyring_sign_next(const struct clv_keyring *k, const char *domain,
    const void *p, size_t len, uint8_t ret_sig[static CLV_SIG_LEN])
{
	return clv_sign(k->next.sk, domain, p, len, ret_sig);
}

static const struct generation *
find_generation(const struct clv_keyring *k, uint32_t number)
{
	size_t i;

	for (i = 0; i < k->count; i++)
		if (k->generations[i].number == number)
			return &k->generations[i];
	return NULL;
}

CLV__CLEARS_REGISTERS int
clv_keyring_subkey(const struct clv_keyring *k, uint32_t generation,
    enum clv_subkey which, uint8_t ret[static CLV_KEY_LEN])
{
	const struct generation *g = find_generation(k, generation);

	if (g == NULL)
		return CLV_E_NOT_FOUND;
	crypto_kdf_derive_from_key(
	    ret, CLV_KEY_LEN, which, "claviger", g->secret);
	sodium_stackzero(CLV__HASH_STACK_LEN);
	return CLV_OK;
}
