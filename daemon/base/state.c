/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <claviger/result.h>
#include "daemon/base/log.h"
#include "daemon/base/state.h"

/*
 * magic 8, version u32, system id 16, epoch u64, list version u64, generation
 * u32, all big-endian, then the BLAKE2b-256 of all that.
 */
#define BODY_LEN 48
#define SUM_LEN 32
#define STATE_LEN (BODY_LEN + SUM_LEN)
#define STATE_VERSION 1

static const char magic[8] = "CLVSTATE";
static const char primary[] = "state";
static const char backup[] = "state.bak";

static uint8_t *
put_be(uint8_t *p, uint64_t v, unsigned len)
{
	unsigned i;

	for (i = 0; i < len; i++)
		p[i] = (uint8_t)(v >> (8 * (len - 1 - i)));
	return p + len;
}

static uint64_t
get_be(const uint8_t *p, unsigned len)
{
	uint64_t v = 0;
	unsigned i;

	for (i = 0; i < len; i++)
		v = v << 8 | p[i];
	return v;
}

static void
state_sum(const uint8_t *body, uint8_t sum[static SUM_LEN])
{
	static const uint8_t personal[] = "claviger-state-1";

	_Static_assert(
	    sizeof(personal) - 1 == crypto_generichash_blake2b_PERSONALBYTES,
	    "a personalization is 16 bytes");
	crypto_generichash_blake2b_salt_personal(
	    sum, SUM_LEN, body, BODY_LEN, NULL, 0, NULL, personal);
}

static void
state_format(const struct state *s, uint8_t out[static STATE_LEN])
{
	uint8_t *p = out;

	memcpy(p, magic, sizeof(magic));
	p = put_be(p + sizeof(magic), STATE_VERSION, 4);
	memcpy(p, s->system_id, sizeof(s->system_id));
	p = put_be(p + sizeof(s->system_id), s->epoch, 8);
	p = put_be(p, s->list_version, 8);
	p = put_be(p, s->generation, 4);
	state_sum(out, p);
}

static int
state_parse(const uint8_t *p, size_t len, struct state *ret)
{
	uint8_t sum[SUM_LEN];

	if (len != STATE_LEN || memcmp(p, magic, sizeof(magic)) != 0)
		return CLV_E_DAMAGED;
	state_sum(p, sum);
	if (sodium_memcmp(sum, p + BODY_LEN, SUM_LEN) != 0)
		return CLV_E_DAMAGED;
	if (get_be(p + 8, 4) != STATE_VERSION)
		return CLV_E_VERSION;
	memcpy(ret->system_id, p + 12, sizeof(ret->system_id));
	ret->epoch = get_be(p + 28, 8);
	ret->list_version = get_be(p + 36, 8);
	ret->generation = (uint32_t)get_be(p + 44, 4);
	return CLV_OK;
}

/* CLV_OK, CLV_E_NOT_FOUND, CLV_E_VERSION, or CLV_E_DAMAGED for whatever else
 * keeps it from being read. */
static int
copy_load(const char *dir, const char *name, struct state *ret)
{
	size_t len = 0;
	void *p = NULL;
	int rc;

	rc = file_read(dir, name, STATE_LEN, &p, &len);
	if (rc == CLV_OK)
		rc = state_parse(p, len, ret);
	else if (rc != CLV_E_NOT_FOUND)
		rc = CLV_E_DAMAGED;
	free(p);
	return rc;
}

static uint64_t
max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Both are valid: never less than either, unless the host was made part of
 * another system; then the primary, which is written first, is the newer. */
static void
state_join(struct state *a, const struct state *b)
{
	if (memcmp(a->system_id, b->system_id, sizeof(a->system_id)) != 0)
		return;
	a->epoch = max_u64(a->epoch, b->epoch);
	a->list_version = max_u64(a->list_version, b->list_version);
	a->generation = (uint32_t)max_u64(a->generation, b->generation);
}

int
state_load(const char *dir, struct state *s)
{
	struct state a = {.epoch = 0}, b = {.epoch = 0};
	int ra = copy_load(dir, primary, &a);
	int rb = copy_load(dir, backup, &b);

	memset(s, 0, sizeof(*s));
	if (ra == CLV_E_NOT_FOUND && rb == CLV_E_NOT_FOUND)
		return CLV_E_NOT_FOUND;
	if (ra == CLV_E_VERSION || rb == CLV_E_VERSION)
		return CLV_E_VERSION;
	if (ra != CLV_OK && rb != CLV_OK)
		return CLV_E_DAMAGED;
	if (ra != CLV_OK || rb != CLV_OK)
		log_warning("%s/%s is damaged or absent; %s is used", dir,
		    ra != CLV_OK ? primary : backup,
		    ra != CLV_OK ? backup : primary);
	if (ra == CLV_OK && rb == CLV_OK)
		state_join(&a, &b);
	*s = ra == CLV_OK ? a : b;
	return CLV_OK;
}

int
state_save(const char *dir, const struct state *s)
{
	uint8_t out[STATE_LEN];
	int rc;

	state_format(s, out);
	if ((rc = file_replace(dir, primary, out, sizeof(out), 0600)) != CLV_OK)
		return rc;
	return file_replace(dir, backup, out, sizeof(out), 0600);
}
