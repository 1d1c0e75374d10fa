/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/buf.h>
#include <claviger/result.h>
#include <claviger/wire.h>
#include "sign.h"

/*
 * Request: u8 version, u8 op, raw system id 16, str name, raw nonce,
 * raw challenge, u64 seen epoch, u64 seen list, u32 seen generation,
 * bytes evidence, bytes payload, signature over all before it.
 *
 * Answer head: u8 version, u32 result (two's complement), u8 op,
 * raw system id 16, raw nonce, u64 epoch, u64 list version, u32 generation,
 * raw check, u8 encrypt, str name, str server, str text, raw BLAKE2b-256 of the
 * payload.
 */
#define REQUEST_DOMAIN "claviger-reqst-1"
#define ANSWER_DOMAIN "claviger-answr-1"
#define HASH_LEN 32
/* The longest head is below 600 bytes. */
#define EVIDENCE_MAX 1024

static void
put_request(struct clv_buf *b, const struct clv_wire_request *r)
{
	clv_buf_u8(b, CLV_WIRE_VERSION);
	clv_buf_u8(b, r->op);
	clv_buf_raw(b, r->system_id, sizeof(r->system_id));
	clv_buf_str(b, r->name);
	clv_buf_raw(b, r->nonce, sizeof(r->nonce));
	clv_buf_raw(b, r->challenge, sizeof(r->challenge));
	clv_buf_u64(b, r->seen_epoch);
	clv_buf_u64(b, r->seen_list);
	clv_buf_u32(b, r->seen_generation);
	clv_buf_bytes(b, r->evidence, r->evidence_len);
	clv_buf_bytes(b, r->payload, r->payload_len);
}

/* The rules of each operation, for who writes and who reads. */
static bool
is_request_valid(const struct clv_wire_request *r)
{
	if (r->op < CLV_WIRE_CHALLENGE || r->op > CLV_WIRE_CHAIN ||
	    clv_name_check(r->name) != CLV_OK || r->evidence_len > EVIDENCE_MAX)
		return false;
	if ((r->op == CLV_WIRE_CHALLENGE || r->op == CLV_WIRE_CHAIN) &&
	    r->payload_len != 0)
		return false;
	return r->op == CLV_WIRE_ADMIN ||
	       (r->op == CLV_WIRE_JOIN && r->payload_len != 0) ||
	       sodium_is_zero(r->challenge, sizeof(r->challenge));
}

/* Only what answers no request has no caller; a notice has nothing else. */
static bool
is_answer_valid(const struct clv_wire_answer *a)
{
	if (a->op == CLV_WIRE_NOTICE)
		return a->result == CLV_OK && a->payload_len == 0 &&
		       a->name[0] == '\0' &&
		       sodium_is_zero(a->nonce, sizeof(a->nonce));
	return a->name[0] == '\0' || clv_name_check(a->name) == CLV_OK;
}

int
clv_wire_request_format(const struct clv_wire_request *r,
    const uint8_t sign_sk[static CLV_SIGN_SK_LEN], struct clv_buf *ret)
{
	struct clv_buf b = {.max = CLV_WIRE_REQUEST_MAX - CLV_SIG_LEN};
	uint8_t sig[CLV_SIG_LEN];
	int res;

	if (!is_request_valid(r))
		return CLV_E_INVALID;
	put_request(&b, r);
	res = clv_buf_result(&b);
	if (res == CLV_OK)
		res = clv_sign(sign_sk, REQUEST_DOMAIN, b.data, b.len, sig);
	if (res == CLV_OK)
		res = clv__put_signed(ret, &b, sig);
	clv_buf_fini(&b);
	return res;
}

int
clv_wire_request_parse(const void *p, size_t len, struct clv_wire_request *ret)
{
	struct clv_wire_request q = {0};
	struct clv_rd r;

	if (len > CLV_WIRE_REQUEST_MAX)
		return CLV_E_FORMAT;
	clv_rd_init(&r, p, len);
	if (clv_rd_u8(&r) != CLV_WIRE_VERSION)
		return r.failed ? CLV_E_FORMAT : CLV_E_VERSION;
	q.op = clv_rd_u8(&r);
	clv_rd_copy(&r, q.system_id, sizeof(q.system_id));
	clv_rd_str(&r, q.name, sizeof(q.name));
	clv_rd_copy(&r, q.nonce, sizeof(q.nonce));
	clv_rd_copy(&r, q.challenge, sizeof(q.challenge));
	q.seen_epoch = clv_rd_u64(&r);
	q.seen_list = clv_rd_u64(&r);
	q.seen_generation = clv_rd_u32(&r);
	q.evidence = clv_rd_bytes(&r, &q.evidence_len);
	q.payload = clv_rd_bytes(&r, &q.payload_len);
	clv_rd_raw(&r, CLV_SIG_LEN);
	if (clv_rd_end(&r) != CLV_OK || !is_request_valid(&q))
		return CLV_E_FORMAT;
	*ret = q;
	return CLV_OK;
}

int
clv_wire_request_verify(
    const void *p, size_t len, const uint8_t sign_pk[static CLV_SIGN_PK_LEN])
{
	const uint8_t *body = p;

	if (len < CLV_SIG_LEN || len > CLV_WIRE_REQUEST_MAX)
		return CLV_E_SIGNATURE;
	len -= CLV_SIG_LEN;
	return clv_verify(sign_pk, REQUEST_DOMAIN, body, len, body + len);
}

/* A server's own words may quote a foreign text: no control byte gets out,
 * because no reader would take it. */
static void
put_text(struct clv_buf *b, const char *text, size_t cap)
{
	char clean[256];
	size_t n = strnlen(text, cap - 1), i;

	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		clean[i] = c < 0x20 || c == 0x7f ? ' ' : text[i];
	}
	clv_buf_bytes(b, clean, n);
}

static void
put_head(struct clv_buf *b, const struct clv_wire_answer *a)
{
	uint8_t hash[HASH_LEN];

	_Static_assert(sizeof(a->text) <= 256, "put_text holds it");
	clv_buf_u8(b, CLV_WIRE_VERSION);
	clv_buf_u32(b, (uint32_t)a->result);
	clv_buf_u8(b, a->op);
	clv_buf_raw(b, a->system_id, sizeof(a->system_id));
	clv_buf_raw(b, a->nonce, sizeof(a->nonce));
	clv_buf_u64(b, a->epoch);
	clv_buf_u64(b, a->list_version);
	clv_buf_u32(b, a->generation);
	clv_buf_raw(b, a->check, sizeof(a->check));
	clv_buf_u8(b, a->encrypt);
	clv_buf_str(b, a->name);
	put_text(b, a->server, sizeof(a->server));
	put_text(b, a->text, sizeof(a->text));
	crypto_generichash(
	    hash, sizeof(hash), a->payload, a->payload_len, NULL, 0);
	clv_buf_raw(b, hash, sizeof(hash));
}

int
clv_wire_answer_format(const struct clv_wire_answer *a,
    const struct clv_keyring *k, struct clv_buf *ret)
{
	struct clv_buf head = {0}, body = {.max = CLV_WIRE_ANSWER_MAX};
	uint8_t sig[CLV_SIG_LEN];
	int r;

	if (a->result > 0 || !is_answer_valid(a))
		return CLV_E_INVALID;
	put_head(&head, a);
	r = clv_buf_result(&head);
	if (r == CLV_OK)
		r = clv_keyring_sign(
		    k, ANSWER_DOMAIN, head.data, head.len, sig);
	if (r != CLV_OK)
		goto out;
	clv_buf_bytes(&body, head.data, head.len);
	clv_buf_raw(&body, sig, sizeof(sig));
	clv_buf_bytes(&body, a->payload, a->payload_len);
	r = clv_buf_result(&body);
	if (r == CLV_OK) {
		clv_buf_raw(ret, body.data, body.len);
		r = clv_buf_result(ret);
	}
out:
	clv_buf_fini(&head);
	clv_buf_fini(&body);
	return r;
}

/* The head is parsed only after its signature was verified. */
static int
get_head(const uint8_t *p, size_t len, struct clv_wire_answer *a,
    uint8_t hash[static HASH_LEN])
{
	struct clv_rd r;
	uint32_t result;
	uint8_t encrypt;

	clv_rd_init(&r, p, len);
	if (clv_rd_u8(&r) != CLV_WIRE_VERSION)
		return r.failed ? CLV_E_FORMAT : CLV_E_VERSION;
	result = clv_rd_u32(&r);
	a->op = clv_rd_u8(&r);
	clv_rd_copy(&r, a->system_id, sizeof(a->system_id));
	clv_rd_copy(&r, a->nonce, sizeof(a->nonce));
	a->epoch = clv_rd_u64(&r);
	a->list_version = clv_rd_u64(&r);
	a->generation = clv_rd_u32(&r);
	clv_rd_copy(&r, a->check, sizeof(a->check));
	encrypt = clv_rd_u8(&r);
	clv_rd_str(&r, a->name, sizeof(a->name));
	clv_rd_str(&r, a->server, sizeof(a->server));
	clv_rd_str(&r, a->text, sizeof(a->text));
	clv_rd_copy(&r, hash, HASH_LEN);
	if (clv_rd_end(&r) != CLV_OK || encrypt > 1 ||
	    (result != 0 && result <= INT32_MAX))
		return CLV_E_FORMAT;
	a->result = (int32_t)result;
	a->encrypt = encrypt == 1;
	return CLV_OK;
}

/* bytes head || sig from r: verified, parsed. */
static int
get_evidence(struct clv_rd *r, const uint8_t pk[static CLV_SIGN_PK_LEN],
    struct clv_wire_answer *a, uint8_t hash[static HASH_LEN])
{
	size_t len;
	const uint8_t *head = clv_rd_bytes(r, &len);
	const uint8_t *sig = clv_rd_raw(r, CLV_SIG_LEN);
	int res;

	if (sig == NULL || len > EVIDENCE_MAX - CLV_SIG_LEN - 4)
		return CLV_E_FORMAT;
	res = clv_verify(pk, ANSWER_DOMAIN, head, len, sig);
	return res == CLV_OK ? get_head(head, len, a, hash) : res;
}

int
clv_wire_answer_parse(const void *p, size_t len,
    const uint8_t pk[static CLV_SIGN_PK_LEN], struct clv_wire_answer *ret)
{
	struct clv_wire_answer a = {0};
	uint8_t said[HASH_LEN], is[HASH_LEN];
	struct clv_rd r;
	int res;

	if (len > CLV_WIRE_ANSWER_MAX)
		return CLV_E_FORMAT;
	clv_rd_init(&r, p, len);
	res = get_evidence(&r, pk, &a, said);
	if (res != CLV_OK)
		return res;
	a.payload = clv_rd_bytes(&r, &a.payload_len);
	if (clv_rd_end(&r) != CLV_OK || !is_answer_valid(&a))
		return CLV_E_FORMAT;
	crypto_generichash(is, sizeof(is), a.payload, a.payload_len, NULL, 0);
	if (sodium_memcmp(said, is, sizeof(is)) != 0)
		return CLV_E_SIGNATURE;
	*ret = a;
	return CLV_OK;
}

void
clv_wire_chain_format(const struct clv_list *list, struct clv_buf *ret)
{
	size_t n = list->succession_count - list->has_next_key;

	clv_buf_raw(ret, list->system_id, sizeof(list->system_id));
	clv_chain_format(list->successions, n, ret);
}

int
clv_wire_answer_follow(const void *p, size_t len,
    const uint8_t pk[static CLV_SIGN_PK_LEN], struct clv_wire_answer *ret,
    uint8_t ret_pk[static CLV_SIGN_PK_LEN])
{
	struct clv_succession chain[CLV_SUCCESSIONS_MAX];
	uint8_t system_id[CLV_SYSTEM_ID_LEN], last[CLV_SIGN_PK_LEN];
	struct clv_wire_answer a;
	struct clv_rd r, payload;
	const uint8_t *at;
	size_t n;
	int res;

	clv_rd_init(&r, p, len);
	clv_rd_bytes(&r, &n);
	clv_rd_raw(&r, CLV_SIG_LEN);
	at = clv_rd_bytes(&r, &n);
	if (clv_rd_end(&r) != CLV_OK)
		return CLV_E_FORMAT;
	clv_rd_init(&payload, at, n);
	clv_rd_copy(&payload, system_id, sizeof(system_id));
	clv_chain_get(&payload, chain, &n);
	if (clv_rd_end(&payload) != CLV_OK)
		return CLV_E_FORMAT;
	res = clv_chain_follow(chain, n, system_id, pk, last);
	if (res == CLV_OK)
		res = clv_wire_answer_parse(p, len, last, &a);
	if (res == CLV_OK && a.op != CLV_WIRE_CHAIN)
		res = CLV_E_PROTOCOL;
	if (res == CLV_OK &&
	    memcmp(a.system_id, system_id, sizeof(system_id)) != 0)
		res = CLV_E_WRONG_SYSTEM;
	if (res != CLV_OK)
		return res;
	*ret = a;
	memcpy(ret_pk, last, CLV_SIGN_PK_LEN);
	return CLV_OK;
}

int
clv_wire_answer_match(
    const struct clv_wire_answer *a, const struct clv_wire_request *q)
{
	if (a->op != q->op || strcmp(a->name, q->name) != 0 ||
	    sodium_memcmp(a->nonce, q->nonce, sizeof(a->nonce)) != 0)
		return CLV_E_PROTOCOL;
	if (!sodium_is_zero(q->system_id, sizeof(q->system_id)) &&
	    sodium_memcmp(a->system_id, q->system_id, sizeof(a->system_id)) !=
		0)
		return CLV_E_WRONG_SYSTEM;
	return CLV_OK;
}

uint8_t
clv_wire_answer_op(const void *p, size_t len)
{
	struct clv_rd r;

	clv_rd_init(&r, p, len);
	clv_rd_raw(&r, 4 + 1 + 4); /* head's length, version, result */
	return clv_rd_u8(&r);
}

int
clv_wire_evidence_cut(const void *p, size_t len, struct clv_buf *ret)
{
	struct clv_rd r;
	size_t n;

	clv_rd_init(&r, p, len);
	clv_rd_bytes(&r, &n);
	clv_rd_raw(&r, CLV_SIG_LEN);
	if (r.failed)
		return CLV_E_FORMAT;
	clv_buf_raw(ret, p, len - r.len);
	return clv_buf_result(ret);
}

int
clv_wire_evidence_parse(const void *p, size_t len,
    const uint8_t pk[static CLV_SIGN_PK_LEN], struct clv_wire_answer *ret)
{
	struct clv_wire_answer a = {0};
	uint8_t hash[HASH_LEN];
	struct clv_rd r;
	int res;

	clv_rd_init(&r, p, len);
	res = get_evidence(&r, pk, &a, hash);
	if (res == CLV_OK)
		res = clv_rd_end(&r);
	if (res == CLV_OK && !is_answer_valid(&a))
		res = CLV_E_FORMAT;
	if (res == CLV_OK)
		*ret = a;
	return res;
}
