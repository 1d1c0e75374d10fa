/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include "daemon/keeper/audit_row.h"

#define FILE_FORMAT 1
#define SUM_LEN 32

static void
put_text(struct clv_buf *b, const char *text, size_t cap)
{
	char line[AUDIT_TEXT_MAX];
	size_t i;

	for (i = 0; text[i] != '\0' && i + 1 < cap; i++)
		line[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	line[i] = '\0';
	clv_buf_str(b, line);
}

void
audit_fields_format(const struct audit_row *r, struct clv_buf *ret)
{
	clv_buf_u64(ret, r->time_s);
	clv_buf_u64(ret, r->epoch);
	put_text(ret, r->node, sizeof(r->node));
	put_text(ret, r->who, sizeof(r->who));
	put_text(ret, r->operation, sizeof(r->operation));
	put_text(ret, r->object, sizeof(r->object));
	put_text(ret, r->result, sizeof(r->result));
	put_text(ret, r->text, sizeof(r->text));
	clv_buf_u64(ret, r->lost);
}

int
audit_row_seal(const struct clv_buf *fields, uint64_t seq,
    const struct clv_keyring *k, struct audit_head *head, struct clv_buf *ret)
{
	uint8_t sig[CLV_SIG_LEN];
	int r;

	clv_buf_raw(ret, clv_keyring_system_id(k), CLV_SYSTEM_ID_LEN);
	clv_buf_u64(ret, seq);
	clv_buf_raw(ret, head->link, sizeof(head->link));
	clv_buf_raw(ret, fields->data, fields->len);
	r = clv_buf_result(ret);
	if (r == CLV_OK)
		r = clv_keyring_sign(k, AUDIT_DOMAIN, ret->data, ret->len, sig);
	if (r != CLV_OK)
		return r;
	clv_buf_raw(ret, sig, sizeof(sig));
	r = clv_buf_result(ret);
	if (r != CLV_OK)
		return r;
	head->seq = seq;
	audit_row_link(ret->data, ret->len, head->link);
	return CLV_OK;
}

int
audit_row_parse(const void *p, size_t len, struct audit_row *ret)
{
	struct audit_row r;
	struct clv_rd rd;
	int rc;

	if (len < CLV_SIG_LEN)
		return CLV_E_FORMAT;
	clv_rd_init(&rd, p, len - CLV_SIG_LEN);
	clv_rd_copy(&rd, r.system_id, sizeof(r.system_id));
	r.seq = clv_rd_u64(&rd);
	clv_rd_copy(&rd, r.before, sizeof(r.before));
	r.time_s = clv_rd_u64(&rd);
	r.epoch = clv_rd_u64(&rd);
	clv_rd_str(&rd, r.node, sizeof(r.node));
	clv_rd_str(&rd, r.who, sizeof(r.who));
	clv_rd_str(&rd, r.operation, sizeof(r.operation));
	clv_rd_str(&rd, r.object, sizeof(r.object));
	clv_rd_str(&rd, r.result, sizeof(r.result));
	clv_rd_str(&rd, r.text, sizeof(r.text));
	r.lost = clv_rd_u64(&rd);
	rc = clv_rd_end(&rd);
	if (rc == CLV_OK)
		*ret = r;
	return rc;
}

void
audit_keys_of(const struct clv_list *list, struct audit_keys *ret)
{
	const struct clv_succession *s = list->successions;

	ret->n = 0;
	for (size_t i = 0; i < list->succession_count; i++)
		memcpy(ret->pk[ret->n++], s[i].old_pk, CLV_SIGN_PK_LEN);
	memcpy(ret->pk[ret->n++],
	    list->has_next_key ? s[list->succession_count - 1].new_pk
			       : list->sign_pk,
	    CLV_SIGN_PK_LEN);
}

static int
verify(const void *p, size_t len, const uint8_t *pk)
{
	return clv_verify(pk, AUDIT_DOMAIN, p, len - CLV_SIG_LEN,
	    (const uint8_t *)p + len - CLV_SIG_LEN);
}

int
audit_row_read(const void *p, size_t len, const struct audit_keys *keys,
    unsigned *key, struct audit_row *ret)
{
	unsigned i = *key;
	int r;

	if (len < CLV_SIG_LEN)
		return CLV_E_FORMAT;
	r = verify(p, len, keys->pk[i]);
	for (unsigned n = 1; r != CLV_OK && n < keys->n; n++) {
		i = (*key + n) % keys->n;
		r = verify(p, len, keys->pk[i]);
	}
	if (r == CLV_OK)
		r = audit_row_parse(p, len, ret);
	if (r == CLV_OK)
		*key = i;
	return r;
}

void
audit_row_link(const void *p, size_t len, uint8_t ret[static AUDIT_LINK_LEN])
{
	crypto_hash_sha256(ret, p, len);
}

void
audit_file_format(const struct audit_file *f, struct clv_buf *ret)
{
	uint8_t sum[SUM_LEN];

	clv_buf_u32(ret, FILE_FORMAT);
	clv_buf_raw(ret, f->system_id, sizeof(f->system_id));
	clv_buf_u64(ret, f->seen.seq);
	clv_buf_raw(ret, f->seen.link, sizeof(f->seen.link));
	clv_buf_u64(ret, f->lost);
	crypto_generichash(sum, sizeof(sum), ret->data, ret->len, NULL, 0);
	clv_buf_raw(ret, sum, sizeof(sum));
}

int
audit_file_parse(const void *p, size_t len, struct audit_file *ret)
{
	uint8_t sum[SUM_LEN];
	struct audit_file f;
	struct clv_rd rd;

	if (len < sizeof(sum))
		return CLV_E_DAMAGED;
	len -= sizeof(sum);
	crypto_generichash(sum, sizeof(sum), p, len, NULL, 0);
	if (sodium_memcmp(sum, (const uint8_t *)p + len, sizeof(sum)) != 0)
		return CLV_E_DAMAGED;
	clv_rd_init(&rd, p, len);
	if (clv_rd_u32(&rd) != FILE_FORMAT)
		return CLV_E_VERSION;
	clv_rd_copy(&rd, f.system_id, sizeof(f.system_id));
	f.seen.seq = clv_rd_u64(&rd);
	clv_rd_copy(&rd, f.seen.link, sizeof(f.seen.link));
	f.lost = clv_rd_u64(&rd);
	if (clv_rd_end(&rd) != CLV_OK)
		return CLV_E_DAMAGED;
	*ret = f;
	return CLV_OK;
}
