/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/identity.h>
#include <claviger/result.h>
#include "keyring.h"
#include "manifest.h"
#include "pack.h"

#define STACK_LEN 2048 /* as in envelope.c; a hash alone needs less */
#define MAC_LEN 32

void
clv_record_hash(
    const void *p, size_t len, uint8_t ret[static CLV_RECORD_HASH_LEN])
{
	crypto_generichash_blake2b(ret, CLV_RECORD_HASH_LEN, p, len, NULL, 0);
}

/* Keyed BLAKE2b-256; the key is on the stack nowhere afterwards. */
static void
mac(const uint8_t key[static CLV_KEY_LEN], const char *personal,
    const uint8_t *p, size_t len, uint8_t ret[static 32])
{
	crypto_generichash_blake2b_salt_personal(
	    ret, 32, p, len, key, CLV_KEY_LEN, NULL, (const uint8_t *)personal);
	sodium_stackzero(STACK_LEN);
}

CLV__CLEARS_REGISTERS void
clv__manifest_entry(const uint8_t key[static CLV_KEY_LEN],
    const struct clv_change *c, uint8_t ret[static CLV__ENTRY_LEN])
{
	uint8_t in[4 + CLV__INDEX_NAME_MAX + 8 + 1 + CLV_RECORD_HASH_LEN], *at;

	at = clv__pack_str(in, c->name, strlen(c->name));
	at = clv__pack_u64(at, c->version);
	at = clv__pack_u8(at, c->deleted);
	at = clv__pack_raw(at, c->record_hash, CLV_RECORD_HASH_LEN);
	mac(key, "claviger-index01", in, (size_t)(at - in), ret);
}

CLV__CLEARS_REGISTERS void
clv__newest_make(uint32_t version, const uint8_t data_key[static CLV_KEY_LEN],
    struct clv__newest *ret)
{
	ret->version = version;
	mac(data_key, "claviger-newest1", NULL, 0, ret->check);
}

void
clv__newest_parse(const uint8_t manifest[static CLV_MANIFEST_MAC_LEN],
    struct clv__newest *ret)
{
	memcpy(&ret->version, manifest, sizeof(ret->version));
	ret->version = be32toh(ret->version);
	memcpy(ret->check, manifest + 4, sizeof(ret->check));
}

static uint8_t *
pack_newest(uint8_t *at, const struct clv__newest *n)
{
	at = clv__pack_u32(at, n->version);
	return clv__pack_raw(at, n->check, sizeof(n->check));
}

CLV__CLEARS_REGISTERS void
clv__manifest_mac(const uint8_t key[static CLV_KEY_LEN],
    const struct clv__manifest *m, uint8_t ret[static CLV_MANIFEST_MAC_LEN])
{
	uint8_t in[CLV_SYSTEM_ID_LEN + 4 + CLV_NAME_MAX + 8 + 8 +
		   CLV__ENTRY_LEN + 4 + CLV__CHECK_LEN + CLV__LINKS_LEN];
	uint8_t *at;

	at = clv__pack_raw(in, m->system_id, CLV_SYSTEM_ID_LEN);
	at = clv__pack_str(at, m->app, strlen(m->app));
	at = clv__pack_u64(at, m->counter);
	at = clv__pack_u64(at, m->count);
	at = clv__pack_raw(at, m->sum, CLV__ENTRY_LEN);
	at = pack_newest(at, &m->newest);
	at = clv__pack_raw(at, m->links, CLV__LINKS_LEN);
	ret = pack_newest(ret, &m->newest);
	mac(key, "claviger-manifst", in, (size_t)(at - in), ret);
	memcpy(ret + MAC_LEN, m->links, CLV__LINKS_LEN);
}

const uint8_t *
clv__manifest_links(const uint8_t manifest[static CLV_MANIFEST_MAC_LEN])
{
	return manifest + CLV_MANIFEST_HEAD_LEN;
}

const uint8_t *
clv__manifest_link(const uint8_t manifest[static CLV_MANIFEST_MAC_LEN],
    uint64_t counter, uint64_t at)
{
	uint64_t ago = counter - at;

	if (at > counter || ago > CLV_MANIFEST_LINKS)
		return NULL;
	if (ago == 0)
		return manifest + CLV_MANIFEST_HEAD_LEN - MAC_LEN;
	return clv__manifest_links(manifest) + (ago - 1) * CLV_LINK_LEN;
}

bool
clv_manifest_link(const uint8_t mac[static CLV_MANIFEST_MAC_LEN],
    uint64_t counter, uint64_t at, uint8_t ret[static CLV_LINK_LEN])
{
	const uint8_t *link = clv__manifest_link(mac, counter, at);

	if (link == NULL || sodium_is_zero(link, CLV_LINK_LEN))
		return false;
	memcpy(ret, link, CLV_LINK_LEN);
	return true;
}

int
clv_head_check(const struct clv_head *seen, uint64_t counter,
    const uint8_t mac[static CLV_MANIFEST_MAC_LEN])
{
	uint8_t link[CLV_LINK_LEN];

	if (counter < seen->counter)
		return CLV_E_ROLLBACK;
	if (seen->linked > 0 &&
	    clv_manifest_link(mac, counter, seen->linked, link) &&
	    memcmp(link, seen->link, sizeof(link)) != 0)
		return CLV_E_FORKED;
	return CLV_OK;
}
