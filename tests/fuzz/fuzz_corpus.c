/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sodium.h>
#include <claviger/list.h>
#include <claviger/slip39.h>
#include <claviger/wire.h>
#include "fuzz.h"

/*
 * Writes the first inputs of the fuzz targets to their folders in the one given
 * (tests/fuzz/corpus): one good message of each kind. What was found since lies
 * beside them.
 */
static const char *dir;

static void
save(const char *name, int kind, const uint8_t *p, size_t len)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	FUZZ_REQUIRE(f != NULL);
	if (kind >= 0)
		fputc(kind, f);
	FUZZ_REQUIRE(fwrite(p, 1, len, f) == len);
	FUZZ_REQUIRE(fclose(f) == 0);
}

static void
fill(struct clv_party *p, const char *name, uint8_t byte)
{
	strcpy(p->name, name);
	memset(p->sign_pk, byte, 32);
	memset(p->box_pk, byte, 32);
	memset(p->thumb, byte, 32);
}

static struct clv_list *
make_list(void)
{
	struct clv_list *l = NULL;
	struct clv_list_node *n;
	struct clv_list_member *m;
	struct clv_list_generation *g;
	struct clv_list_app *a;

	FUZZ_REQUIRE(clv_list_new(&l) == CLV_OK);
	memcpy(l->system_id, clv_keyring_system_id(fuzz_keyring()), 16);
	l->version = 3;
	l->epoch = 257;
	strcpy(l->network_name, "mss.example.org");
	strcpy(l->address, "2001:db8::10");
	l->port = CLV_WIRE_PORT;
	l->escrow_policy = CLV_ESCROW_MANUAL;
	memset(l->cert_thumb, 6, sizeof(l->cert_thumb));
	l->cert_switched = true;
	l->lost_generation = 7;
	l->cert_lost[1] = true;
	g = clv_list_add_generation(l);
	g->number = 1;
	g->state = CLV_GEN_RETIRED;
	g = clv_list_add_generation(l);
	g->number = 7;
	g->state = CLV_GEN_CURRENT;
	clv_keyring_subkey(
	    fuzz_keyring(), 7, CLV_SUBKEY_COMMITMENT, g->commitment);
	n = clv_list_add_node(l);
	fill(&n->party, "alpha", 1);
	n->number = 1;
	n->sealed = true;
	n = clv_list_add_node(l);
	fill(&n->party, "beta", 2);
	n->number = 200;
	n->revoked = true;
	m = clv_list_add_member(l);
	fill(&m->party, "app1", 3);
	strcpy(m->scope, "payroll,crm,hr");
	memset(m->next_thumb, 4, 32);
	m = clv_list_add_member(l);
	fill(&m->party, "app2", 5);
	strcpy(m->scope, "all");
	clv_acl_set(&l->system_admins, "user:ada,group:wheel");
	clv_acl_set(&l->creators, "user:dev@example.org");
	a = clv_list_add_app(l);
	strcpy(a->name, "crm");
	clv_acl_set(&a->admins, "group:crm-admins");
	clv_acl_set(&a->users, "user:crm,unit:crm@1.service");
	a->keep = 5;
	strcpy(clv_list_add_app(l)->name, "payroll");
	return l;
}

static void
save_request(void)
{
	struct clv_wire_request r = {.op = CLV_WIRE_ADMIN,
	    .seen_epoch = 257,
	    .payload = (const uint8_t *)"admin",
	    .payload_len = 5,
	    .evidence = (const uint8_t *)"evidence",
	    .evidence_len = 8};
	static const uint8_t sk[CLV_SIGN_SK_LEN];
	struct clv_buf b = {0};

	strcpy(r.name, "alpha");
	FUZZ_REQUIRE(clv_wire_request_format(&r, sk, &b) == CLV_OK);
	save("wire/request", 0, b.data, b.len);
	clv_buf_fini(&b);
}

static void
save_answer(void)
{
	struct clv_wire_answer a = {.op = CLV_WIRE_FETCH,
	    .epoch = 257,
	    .result = CLV_E_DENIED,
	    .encrypt = true};
	struct clv_buf b = {0};
	struct clv_rd r;
	size_t len;
	const uint8_t *head;

	strcpy(a.name, "app1");
	strcpy(a.server, "alpha");
	strcpy(a.text, "not allowed");
	FUZZ_REQUIRE(clv_wire_answer_format(&a, fuzz_keyring(), &b) == CLV_OK);
	b.data[b.len - 5] ^= 1; /* a signature that does not hold */
	save("wire/answer", 1, b.data, b.len);
	clv_rd_init(&r, b.data, b.len);
	head = clv_rd_bytes(&r, &len);
	save("wire/head", 2, head, len);
	clv_buf_reset(&b);
	a = (struct clv_wire_answer){.op = CLV_WIRE_NOTICE, .epoch = 257};
	FUZZ_REQUIRE(clv_wire_answer_format(&a, fuzz_keyring(), &b) == CLV_OK);
	clv_rd_init(&r, b.data, b.len);
	head = clv_rd_bytes(&r, &len);
	save("wire/notice", 2, head, len);
	clv_buf_fini(&b);
}

static void
save_keys(void)
{
	static const uint8_t key[CLV_KEY_LEN] = {7};
	struct clv_buf b = {0};

	clv_buf_u32(&b, 60);
	clv_buf_u32(&b, 65000);
	clv_buf_u32(&b, 2);
	clv_buf_u32(&b, 1);
	clv_buf_str(&b, "payroll");
	clv_buf_raw(&b, key, sizeof(key));
	clv_buf_u32(&b, 7);
	clv_buf_str(&b, "");
	clv_buf_raw(&b, key, sizeof(key));
	save("wire/keys", 3, b.data, b.len);
	clv_buf_fini(&b);
}

static void
save_heads(void)
{
	const struct clv_wire_head heads[] = {
	    {"payroll", {7, 6, "a link"}}, {"crm", {0}}};
	const struct clv_wire_holds holds = {7, 3};
	struct clv_buf b = {0};

	FUZZ_REQUIRE(clv_wire_heads_format(heads, 2, &b) == CLV_OK);
	save("wire/heads", 7, b.data, b.len);
	clv_buf_reset(&b);
	clv_wire_holds_format(&holds, &b);
	save("wire/holds", 7, b.data, b.len);
	clv_buf_fini(&b);
}

static void
save_apps(const struct clv_list *l)
{
	struct clv_buf b = {0};

	FUZZ_REQUIRE(clv_wire_apps_format(l, "all", "a", &b) == CLV_OK);
	save("wire/apps", 8, b.data, b.len);
	clv_buf_fini(&b);
}

static void
save_party(void)
{
	static const uint8_t seed[32] = {42}, thumb[32] = {1};
	struct clv_identity *id = NULL;
	struct clv_buf b = {0};
	char *text = NULL;

	FUZZ_REQUIRE(clv_identity_new(fuzz_guard(), "fuzz", &id) == CLV_OK);
	crypto_box_seed_keypair(id->box_pk, id->box_sk, seed);
	crypto_sign_seed_keypair(id->sign_pk, id->sign_sk, seed);
	FUZZ_REQUIRE(clv_party_format(id, thumb, &b) == CLV_OK);
	save("wire/party", 4, b.data, b.len - CLV_SIG_LEN);
	clv_buf_reset(&b);
	FUZZ_REQUIRE(clv_escrow_seal(fuzz_guard(), fuzz_keyring(), 3,
			 id->box_pk, &b) == CLV_OK);
	b.data[b.len - 1] ^= 1;
	save("wire/escrow", 6, b.data, b.len);
	clv_buf_fini(&b);
	FUZZ_REQUIRE(clv_identity_format(id, &text) == CLV_OK);
	save("keyring/identity", -1, (const uint8_t *)text, strlen(text));
	clv_guard_put(fuzz_guard(), text);
	clv_identity_free(&id);
}

static void
save_tls_row(void)
{
	struct clv_buf b = {0};

	FUZZ_REQUIRE(clv_tls_row_seal(fuzz_guard(), fuzz_keyring(), 7, "cert",
			 4, "key", 3, &b) == CLV_OK);
	save("wire/tls-row", 5, b.data, b.len - CLV_SIG_LEN);
	clv_buf_fini(&b);
}

/* As lines, and cut off in the middle. */
static void
save_share_set(const char *name, const struct clv_slip39_scheme *scheme)
{
	static const uint8_t secret[CLV_SLIP39_SECRET_MAX] = {42};
	struct clv_slip39_share *shares = NULL;
	char text[CLV_SLIP39_TEXT_MAX], file[64];
	struct clv_buf b = {0};
	size_t n;

	FUZZ_REQUIRE(clv_slip39_split(fuzz_guard(), scheme, secret, 16, NULL,
			 &shares, &n) == CLV_OK);
	for (size_t i = 0; i < n; i++) {
		FUZZ_REQUIRE(clv_slip39_format(
				 fuzz_guard(), &shares[i], text) == CLV_OK);
		clv_buf_raw(&b, text, strlen(text));
		clv_buf_u8(&b, '\n');
	}
	clv_guard_put(fuzz_guard(), shares);
	snprintf(file, sizeof(file), "slip39/%s", name);
	save(file, -1, b.data, b.len);
	snprintf(file, sizeof(file), "slip39/%s-cut", name);
	save(file, -1, b.data, b.len / 2);
	clv_buf_fini(&b);
}

/* As numbers, whose checksum the target makes: three shares of two groups that
 * lack one, and 33 words. */
static void
save_share_words(void)
{
	static const uint16_t fields[][4] = {{1, 16, 1 << 2 | 0, 1 << 8 | 0},
	    {1, 16, 17 << 2 | 0, 1 << 8 | 1},
	    {1, 16, 17 << 2 | 0, 1 << 8 | 17}};
	struct clv_buf b = {0};

	clv_buf_u8(&b, 0);
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned w = 0; w < 20; w++)
			clv_buf_u16(&b, w < 4 ? fields[i][w] : (uint16_t)w);
		clv_buf_u16(&b, 0xffff);
	}
	for (unsigned w = 0; w < 33; w++)
		clv_buf_u16(&b, w == 4 ? 63 : 0);
	save("slip39/numbers", -1, b.data, b.len);
	clv_buf_fini(&b);
}

static void
save_shares(void)
{
	static const struct clv_slip39_scheme plain = {.extendable = true,
	    .group_threshold = 1,
	    .groups = 1,
	    .group = {{2, 2}}};
	static const struct clv_slip39_scheme groups = {
	    .group_threshold = 2, .groups = 2, .group = {{1, 1}, {3, 3}}};

	save_share_set("two", &plain);
	save_share_set("groups", &groups);
	save_share_words();
}

int
main(int argc, char **argv)
{
	struct clv_buf b = {0};
	struct clv_list *l;

	if (argc != 2) {
		fprintf(stderr, "usage: corpus DIRECTORY\n");
		return 2;
	}
	dir = argv[1];
	l = make_list();
	FUZZ_REQUIRE(clv_list_sign(l, fuzz_keyring(), &b) == CLV_OK);
	save("list/list", -1, b.data, b.len - CLV_SIG_LEN);
	clv_buf_fini(&b);
	save_apps(l);
	clv_list_free(&l);
	save_request();
	save_answer();
	save_keys();
	save_heads();
	save_party();
	save_tls_row();
	save_shares();
	save("keyring/keyring", -1, (const uint8_t *)fuzz_keyring_text,
	    sizeof(fuzz_keyring_text) - 1);
	return 0;
}
