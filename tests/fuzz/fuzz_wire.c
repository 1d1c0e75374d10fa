/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sodium.h>
#include <claviger/wire.h>
#include "fuzz.h"

/*
 * The first byte says which of the messages the rest is. Heads and self-signed
 * parties are signed here, sealed keys are sealed here.
 */
static const uint8_t seed[32] = {42};

static const struct clv_identity *
fuzz_identity(void)
{
	static struct clv_identity *id;

	if (id == NULL) {
		FUZZ_REQUIRE(
		    clv_identity_new(fuzz_guard(), "fuzz", &id) == CLV_OK);
		crypto_box_seed_keypair(id->box_pk, id->box_sk, seed);
		crypto_sign_seed_keypair(id->sign_pk, id->sign_sk, seed);
	}
	return id;
}

static void
try_request(const uint8_t *p, size_t len)
{
	const struct clv_identity *id = fuzz_identity();
	struct clv_wire_request r;
	struct clv_buf b = {0};

	clv_wire_request_verify(p, len, id->sign_pk);
	if (clv_wire_request_parse(p, len, &r) != CLV_OK)
		return;
	FUZZ_REQUIRE(clv_wire_request_format(&r, id->sign_sk, &b) == CLV_OK);
	FUZZ_REQUIRE(b.len == len && memcmp(b.data, p, len - CLV_SIG_LEN) == 0);
	FUZZ_REQUIRE(
	    clv_wire_request_verify(b.data, b.len, id->sign_pk) == CLV_OK);
	clv_buf_fini(&b);
}

static void
try_raw_answer(const uint8_t *p, size_t len)
{
	const uint8_t *pk = clv_keyring_sign_pk(fuzz_keyring());
	struct clv_wire_answer a;
	struct clv_buf b = {0};

	clv_wire_answer_op(p, len);
	FUZZ_REQUIRE(clv_wire_answer_parse(p, len, pk, &a) != CLV_OK);
	FUZZ_REQUIRE(clv_wire_evidence_parse(p, len, pk, &a) != CLV_OK);
	if (clv_wire_evidence_cut(p, len, &b) == CLV_OK)
		FUZZ_REQUIRE(b.len <= len && memcmp(b.data, p, b.len) == 0);
	clv_buf_fini(&b);
}

/* p is a head; the payload, whose hash it must hold, is empty. */
static void
try_head(const uint8_t *p, size_t len)
{
	const uint8_t *pk = clv_keyring_sign_pk(fuzz_keyring());
	struct clv_buf b = {0}, again = {0};
	struct clv_wire_answer a;
	uint8_t sig[CLV_SIG_LEN];
	int r;

	FUZZ_REQUIRE(clv_keyring_sign(fuzz_keyring(), "claviger-answr-1", p,
			 len, sig) == CLV_OK);
	clv_buf_bytes(&b, p, len);
	clv_buf_raw(&b, sig, sizeof(sig));
	r = clv_wire_evidence_parse(b.data, b.len, pk, &a);
	clv_buf_bytes(&b, NULL, 0);
	if (clv_wire_answer_parse(b.data, b.len, pk, &a) == CLV_OK) {
		FUZZ_REQUIRE(r == CLV_OK);
		FUZZ_REQUIRE(clv_wire_answer_format(
				 &a, fuzz_keyring(), &again) == CLV_OK);
		FUZZ_REQUIRE(again.len == b.len &&
			     memcmp(again.data, b.data, b.len) == 0);
	}
	clv_buf_fini(&again);
	clv_buf_fini(&b);
}

static void
try_keys(const uint8_t *p, size_t len)
{
	const struct clv_identity *id = fuzz_identity();
	size_t used = clv_guard_used(fuzz_guard()), n, i;
	uint8_t *box = malloc(len + crypto_box_SEALBYTES);
	struct clv_wire_key *keys = NULL;
	struct clv_wire_terms terms;

	FUZZ_REQUIRE(box != NULL);
	crypto_box_seal(box, p, len, id->box_pk);
	if (clv_wire_keys_open(fuzz_guard(), id, box,
		len + crypto_box_SEALBYTES, &terms, &keys, &n) == CLV_OK)
		for (i = 0; i < n; i++)
			FUZZ_REQUIRE(keys[i].app[0] == '\0' ||
				     clv_name_check(keys[i].app) == CLV_OK);
	clv_guard_put(fuzz_guard(), keys);
	FUZZ_REQUIRE(clv_guard_used(fuzz_guard()) == used);
	free(box);
}

/* Signed by the fixed identity: only a body that names it verifies. */
static void
try_party(const uint8_t *p, size_t len)
{
	struct clv_buf b = {0};
	struct clv_party party;
	uint8_t sig[CLV_SIG_LEN];
	char text[CLV_FINGERPRINT_TEXT];

	FUZZ_REQUIRE(clv_sign(fuzz_identity()->sign_sk, "claviger-join-01", p,
			 len, sig) == CLV_OK);
	clv_buf_raw(&b, p, len);
	clv_buf_raw(&b, sig, sizeof(sig));
	if (clv_party_parse(b.data, b.len, &party) == CLV_OK) {
		clv_party_fingerprint(&party, text);
		FUZZ_REQUIRE(strlen(text) == CLV_FINGERPRINT_TEXT - 1);
	}
	clv_buf_fini(&b);
}

/* p is a certificate row without its signature. */
static void
try_tls_row(const uint8_t *p, size_t len)
{
	struct clv_buf b = {0}, cert = {0};
	uint8_t sig[CLV_SIG_LEN], *key = NULL;
	size_t used = clv_guard_used(fuzz_guard()), key_len;

	FUZZ_REQUIRE(clv_keyring_sign(fuzz_keyring(), "claviger-tlskey1", p,
			 len, sig) == CLV_OK);
	clv_buf_raw(&b, p, len);
	clv_buf_raw(&b, sig, sizeof(sig));
	clv_tls_row_open(
	    fuzz_guard(), fuzz_keyring(), b.data, b.len, &cert, &key, &key_len);
	clv_guard_put(fuzz_guard(), key);
	FUZZ_REQUIRE(clv_guard_used(fuzz_guard()) == used);
	clv_buf_fini(&cert);
	clv_buf_fini(&b);
}

static void
try_escrow_row(const uint8_t *p, size_t len)
{
	struct clv_keyring *k = NULL;

	FUZZ_REQUIRE(
	    clv_escrow_open(p, len, clv_keyring_sign_pk(fuzz_keyring()),
		fuzz_identity(), 3, &k) != CLV_OK);
}

/* Two payloads, both of one encoding only. */
static void
try_heads(const uint8_t *p, size_t len)
{
	struct clv_wire_head heads[CLV_WIRE_HEADS_MAX];
	struct clv_wire_holds holds;
	struct clv_buf b = {0};
	size_t n;

	if (clv_wire_heads_parse(p, len, heads, &n) == CLV_OK) {
		FUZZ_REQUIRE(clv_wire_heads_format(heads, n, &b) == CLV_OK);
		FUZZ_REQUIRE(b.len == len && memcmp(b.data, p, len) == 0);
	}
	clv_buf_reset(&b);
	if (clv_wire_holds_parse(p, len, &holds) == CLV_OK) {
		clv_wire_holds_format(&holds, &b);
		FUZZ_REQUIRE(b.len == len && memcmp(b.data, p, len) == 0);
	}
	clv_buf_fini(&b);
}

/* What a host that is not enrolled says, its party signed by the fixed
 * identity; and what it is offered. */
static void
try_join(const uint8_t *p, size_t len)
{
	struct clv_buf b = {0}, again = {0};
	struct clv_wire_offer o;
	struct clv_wire_join j;
	uint8_t sig[CLV_SIG_LEN];

	if (clv_wire_offer_parse(p, len, &o) == CLV_OK) {
		clv_wire_offer_format(&o, &b);
		FUZZ_REQUIRE(b.len == len && memcmp(b.data, p, len) == 0);
	}
	clv_buf_reset(&b);
	FUZZ_REQUIRE(clv_wire_join_parse(p, len, &j) != CLV_OK);
	if (len > 96) {
		FUZZ_REQUIRE(
		    clv_sign(fuzz_identity()->sign_sk, "claviger-join-01",
			p + 96, len - 96, sig) == CLV_OK);
		clv_buf_raw(&b, p, 96);
		clv_buf_u32(&b, (uint32_t)(len - 96 + sizeof(sig)));
		clv_buf_raw(&b, p + 96, len - 96);
		clv_buf_raw(&b, sig, sizeof(sig));
	}
	if (clv_wire_join_parse(b.data, b.len, &j) == CLV_OK &&
	    strcmp(j.party.name, "fuzz") == 0 &&
	    memcmp(j.party.box_pk, fuzz_identity()->box_pk, 32) == 0) {
		FUZZ_REQUIRE(clv_wire_join_format(
				 &j, fuzz_identity(), &again) == CLV_OK);
		FUZZ_REQUIRE(again.len == b.len &&
			     memcmp(again.data, b.data, b.len) == 0);
	}
	clv_buf_fini(&again);
	clv_buf_fini(&b);
}

/* A token's text: one for one content. */
static void
try_token(const uint8_t *p, size_t len)
{
	char *text = malloc(len + 1), *again = NULL;
	struct clv_token *t = NULL;

	FUZZ_REQUIRE(text != NULL);
	memcpy(text, p, len);
	text[len] = '\0';
	if (clv_token_parse(fuzz_guard(), text, &t) == CLV_OK) {
		FUZZ_REQUIRE(clv_token_format(t, &again) == CLV_OK);
		FUZZ_REQUIRE(strcmp(text, again) == 0);
	}
	clv_guard_put(fuzz_guard(), again);
	clv_token_free(&t);
	free(text);
}

/* What was taken once is walked without a surprise. */
static void
try_apps(const uint8_t *p, size_t len)
{
	char last[CLV_NAME_MAX] = "a";
	struct clv_wire_apps apps;
	struct clv_wire_app app;

	if (clv_wire_apps_parse(p, len, last, &apps) != CLV_OK)
		return;
	FUZZ_REQUIRE(clv_acl_check(apps.system_admins) == CLV_OK);
	while (clv_wire_apps_next(&apps, &app)) {
		FUZZ_REQUIRE(strcmp(app.name, last) > 0);
		FUZZ_REQUIRE(clv_acl_check(app.users) == CLV_OK);
		memcpy(last, app.name, sizeof(last));
	}
	FUZZ_REQUIRE(clv_rd_end(&apps.rest) == CLV_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const tries[])(const uint8_t *, size_t) = {try_request,
	    try_raw_answer, try_head, try_keys, try_party, try_tls_row,
	    try_escrow_row, try_heads, try_apps, try_join, try_token};

	fuzz_keyring();
	fuzz_identity();
	if (len > 0 && data[0] < sizeof(tries) / sizeof(tries[0]))
		tries[data[0]](data + 1, len - 1);
	return 0;
}
