/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <err.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <claviger/backup.h>
#include <claviger/guard.h>
#include <claviger/result.h>

#include "daemon/front/tls.h"
#include "serverbench.h"

#define FILE_MAX (16u << 20)

static void
must(int r, const char *what)
{
	if (r != CLV_OK)
		errx(1, "%s: %s", what, clv_result_text(r));
}

static void
file_read(const char *path, struct clv_buf *ret)
{
	FILE *f = fopen(path, "r");
	uint8_t block[65536];
	size_t n;

	if (f == NULL)
		err(1, "%s", path);
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		clv_buf_raw(ret, block, n);
	fclose(f);
	must(clv_buf_result(ret), path);
}

static void
file_write(const char *path, const struct clv_buf *b)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || fwrite(b->data, 1, b->len, f) != b->len ||
	    fclose(f) != 0)
		err(1, "%s", path);
}

static void
keyring_open(struct system *s, const char *backup, const char *passfile)
{
	char pass[256] = "", why[256];
	FILE *f = fopen(passfile, "r");

	if (f == NULL || fgets(pass, sizeof(pass), f) == NULL)
		err(1, "%s", passfile);
	fclose(f);
	pass[strcspn(pass, "\n")] = '\0';
	if (clv_backup_read(s->guard, backup, pass, &s->keyring, why) != CLV_OK)
		errx(1, "%s", why);
}

void
system_open(struct system *s, const char *backup, const char *passfile,
    const char *list, const char *tls_row)
{
	struct clv_buf b, row;
	uint8_t *key;
	size_t len;

	clv_buf_init(&b);
	clv_buf_init(&row);
	clv_buf_init(&s->cert);
	clv_buf_init(&s->key);
	must(clv_guard_new(1u << 20, &s->guard), "locked memory");
	keyring_open(s, backup, passfile);
	file_read(list, &b);
	must(clv_list_open(
		 b.data, b.len, clv_keyring_sign_pk(s->keyring), &s->list),
	    list);
	file_read(tls_row, &row);
	must(clv_tls_row_open(
		 s->guard, s->keyring, row.data, row.len, &s->cert, &key, &len),
	    tls_row);
	clv_buf_raw(&s->key, key, len);
	clv_guard_put(s->guard, key);
	clv_buf_fini(&row);
	clv_buf_fini(&b);
}

static void
party_make(struct party *p, unsigned i)
{
	const char *names[] = {p->name};
	struct clv_buf cert, key;
	const uint8_t *der;

	clv_buf_init(&cert);
	clv_buf_init(&key);
	snprintf(p->name, sizeof(p->name), "host-%05u", i);
	crypto_sign_keypair(p->sign_pk, p->sign_sk);
	crypto_box_keypair(p->box_pk, p->box_sk);
	must(cert_make(p->name, names, 1, &cert, &key), "a certificate");
	must(cert_thumb(cert.data, cert.len, p->thumb), "a thumbprint");
	der = cert.data;
	p->cert = d2i_X509(NULL, &der, (long)cert.len);
	der = key.data;
	p->key = d2i_AutoPrivateKey(NULL, &der, (long)key.len);
	if (p->cert == NULL || p->key == NULL)
		errx(1, "a certificate cannot be read");
	clv_buf_init(&p->fetch);
	clv_buf_init(&p->apps);
	clv_buf_init(&p->heads);
	clv_buf_fini(&key);
	clv_buf_fini(&cert);
}

static void
party_enrol(const struct party *p, struct clv_list *list)
{
	struct clv_list_member *m = clv_list_add_member(list);

	if (m == NULL)
		errx(1, "the list is full");
	memcpy(m->party.name, p->name, sizeof(m->party.name));
	memcpy(m->party.sign_pk, p->sign_pk, sizeof(m->party.sign_pk));
	memcpy(m->party.box_pk, p->box_pk, sizeof(m->party.box_pk));
	memcpy(m->party.thumb, p->thumb, sizeof(m->party.thumb));
	snprintf(m->scope, sizeof(m->scope), APP);
}

void
system_enrol(struct system *s, unsigned n, const char *list_out)
{
	struct clv_buf b;

	clv_buf_init(&b);
	s->parties = calloc(n, sizeof(*s->parties));
	if (s->parties == NULL)
		err(1, "calloc");
	s->list->member_count = 0; /* of a bench-server before this one */
	for (s->n = 0; s->n < n; s->n++) {
		party_make(&s->parties[s->n], s->n);
		party_enrol(&s->parties[s->n], s->list);
	}
	s->list->version++;
	must(clv_list_sign(s->list, s->keyring, &b), "the list");
	file_write(list_out, &b);
	clv_buf_fini(&b);
}

static void
party_question(const struct system *s, struct party *p, uint8_t op,
    const struct clv_buf *payload, struct clv_buf *ret)
{
	struct clv_wire_request q = {.op = op,
	    .seen_list = s->list->version,
	    .seen_generation = 1,
	    .payload = payload->data,
	    .payload_len = payload->len};
	struct clv_buf body;

	clv_buf_init(&body);
	memcpy(q.system_id, s->list->system_id, sizeof(q.system_id));
	memcpy(q.name, p->name, sizeof(q.name));
	randombytes_buf(q.nonce, sizeof(q.nonce));
	must(clv_wire_request_format(&q, p->sign_sk, &body), "a request");
	clv_buf_fini(ret);
	clv_buf_init(ret);
	clv_buf_bytes(ret, body.data, body.len);
	must(clv_buf_result(ret), "a request");
	clv_buf_fini(&body);
	if (op == CLV_WIRE_FETCH)
		p->fetch_said = q;
}

void
system_questions(struct system *s, uint64_t holds_version)
{
	const struct clv_wire_holds holds = {1, holds_version};
	const struct clv_wire_head head = {.app = APP};
	struct clv_buf fetch, apps, heads;

	clv_buf_init(&fetch);
	clv_buf_init(&apps);
	clv_buf_init(&heads);
	clv_wire_holds_format(&holds, &fetch);
	clv_buf_str(&apps, "");
	must(clv_wire_heads_format(&head, 1, &heads), "a head");
	for (unsigned i = 0; i < s->n; i++) {
		struct party *p = &s->parties[i];

		party_question(s, p, CLV_WIRE_FETCH, &fetch, &p->fetch);
		party_question(s, p, CLV_WIRE_APPS, &apps, &p->apps);
		party_question(s, p, CLV_WIRE_HEADS, &heads, &p->heads);
	}
	clv_buf_fini(&heads);
	clv_buf_fini(&apps);
	clv_buf_fini(&fetch);
}

void
system_check(
    const struct system *s, const struct party *p, const void *body, size_t n)
{
	struct clv_identity id = {.guard = s->guard};
	struct clv_wire_terms terms;
	struct clv_wire_answer a;
	struct clv_wire_key *keys;
	size_t count;

	memcpy(id.box_sk, p->box_sk, sizeof(id.box_sk));
	memcpy(id.box_pk, p->box_pk, sizeof(id.box_pk));
	must(
	    clv_wire_answer_parse(body, n, clv_keyring_sign_pk(s->keyring), &a),
	    "an answer");
	must(clv_wire_answer_match(&a, &p->fetch_said), "an answer");
	must(a.result, a.text);
	must(clv_wire_keys_open(s->guard, &id, a.payload, a.payload_len, &terms,
		 &keys, &count),
	    "the keys of an answer");
	if (count != 1 || strcmp(keys[0].app, APP) != 0)
		errx(1, "other keys than asked for");
	clv_guard_put(s->guard, keys);
}
