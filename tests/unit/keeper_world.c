/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper_rig.h"
#include "keeper_wrap.h"

/* The rig's system, and those who ask something of it. */

static void
party_of(const struct clv_identity *id, struct clv_party *ret)
{
	snprintf(ret->name, sizeof(ret->name), "%s", id->name);
	memcpy(ret->sign_pk, id->sign_pk, sizeof(ret->sign_pk));
	memcpy(ret->box_pk, id->box_pk, sizeof(ret->box_pk));
	rig_thumb(id, ret->thumb);
}

/* As if it were the hash of its certificate. */
void
rig_thumb(const struct clv_identity *id, uint8_t thumb[static 32])
{
	crypto_hash_sha256(thumb, id->sign_pk, sizeof(id->sign_pk));
}

static void
fill_list(struct clv_list *l)
{
	struct clv_list_generation *g = clv_list_add_generation(l);
	uint8_t key[CLV_KEY_LEN];

	memcpy(l->system_id, clv_keyring_system_id(rig.keyring), 16);
	l->version = 1;
	l->epoch = RIG_EPOCH0;
	snprintf(l->network_name, sizeof(l->network_name), "mss.example.org");
	snprintf(l->address, sizeof(l->address), "192.0.2.10");
	l->port = CLV_WIRE_PORT;
	l->escrow_policy = CLV_ESCROW_AUTO;
	crypto_hash_sha256(l->cert_thumb[0], (const uint8_t *)"cert", 4);
	g->number = 1;
	g->state = CLV_GEN_CURRENT;
	clv_keyring_subkey(
	    rig.keyring, 1, CLV_SUBKEY_COMMITMENT, g->commitment);
	clv_keyring_subkey(rig.keyring, 1, CLV_SUBKEY_DISTRIBUTION, key);
	clv_key_check(key, g->check);
	for (unsigned i = 0; i < rig.n; i++) {
		struct clv_list_node *n = clv_list_add_node(l);

		party_of(rig.node[i].id, &n->party);
		n->number = (uint8_t)(i + 1);
		n->sealed = true;
	}
	for (unsigned i = 0; i < 2; i++) {
		struct clv_list_member *m = clv_list_add_member(l);

		party_of(rig.member[i], &m->party);
		snprintf(m->scope, sizeof(m->scope), "%s",
		    i == 0 ? "all" : "payroll");
	}
}

static void
fill_database(void)
{
	struct clv_list *l = NULL;

	RIG_REQUIRE(clv_list_new(&l) == CLV_OK);
	fill_list(l);
	RIG_REQUIRE(clv_list_sign(l, rig.keyring, &rig_db.lists[0]) == CLV_OK);
	memcpy(rig_db.system_id, l->system_id, 16);
	rig_db.versions[0] = 1;
	rig_db.epoch = RIG_EPOCH0;
	rig_db.holder = 1;
	for (unsigned i = 0; i < rig.n; i++) {
		RIG_REQUIRE(clv_escrow_seal(rig.guard, rig.keyring,
				(uint8_t)(i + 1), rig.node[i].id->box_pk,
				&rig_db.escrow[i + 1]) == CLV_OK);
		rig_db.escrow_generation[i + 1] = 1;
	}
	memcpy(rig_db.tls_thumb, l->cert_thumb[0], 32);
	RIG_REQUIRE(clv_tls_row_seal(rig.guard, rig.keyring, 1, "cert", 4,
			"private key", 11, &rig_db.tls) == CLV_OK);
	clv_list_free(&l);
}

static void
node_init(unsigned i)
{
	struct rig_node *n = &rig.node[i];
	char name[16];

	n->i = i;
	snprintf(name, sizeof(name), "n%u", i + 1);
	RIG_REQUIRE(clv_identity_new(rig.guard, name, &n->id) == CLV_OK);
	snprintf(n->config.node, sizeof(n->config.node), "%s", name);
	snprintf(n->config.role, sizeof(n->config.role), "server");
	n->config.refresh_interval = 60;
	snprintf(n->config.database, sizeof(n->config.database), "host=/a");
	snprintf(n->config.cluster, sizeof(n->config.cluster), "yes");
	snprintf(n->config.state_dir, sizeof(n->config.state_dir), "rig-%u", i);
	sodium_bin2base64(n->config.system, sizeof(n->config.system),
	    clv_keyring_sign_pk(rig.keyring), CLV_SIGN_PK_LEN,
	    sodium_base64_VARIANT_ORIGINAL);
}

void
rig_init(unsigned n)
{
	memset(&rig, 0, sizeof(rig));
	rig.n = n;
	rig.now = rig.tick = 1000000;
	RIG_REQUIRE(sodium_init() >= 0);
	RIG_REQUIRE(clv_guard_new(1 << 16, &rig.guard) == CLV_OK);
	RIG_REQUIRE(clv_keyring_new(rig.guard, &rig.keyring) == CLV_OK);
	for (unsigned i = 0; i < n; i++)
		node_init(i);
	RIG_REQUIRE(
	    clv_identity_new(rig.guard, "m1", &rig.member[0]) == CLV_OK);
	RIG_REQUIRE(
	    clv_identity_new(rig.guard, "m2", &rig.member[1]) == CLV_OK);
	rig_db_init();
	fill_database();
}

/* Local clients. */

int
rig_connect(unsigned i)
{
	struct rig_node *n = &rig.node[i];
	int c = 0;

	while (c < RIG_CONNS && n->conns[c].used)
		c++;
	RIG_REQUIRE(c < RIG_CONNS);
	memset(&n->conns[c], 0, sizeof(n->conns[c]));
	n->conns[c].used = true;
	rig_readable(n->loop, FD_BASE + 100 * (int)i);
	return c;
}

void
rig_send(unsigned i, int c, enum ctl_op op, const void *p, size_t len)
{
	struct ctl_header h = {CTL_MAGIC, (uint16_t)op, 0, 0, (uint32_t)len};
	struct rig_conn *conn = &rig.node[i].conns[c];

	RIG_REQUIRE(sizeof(h) + len <= sizeof(conn->request));
	memcpy(conn->request, &h, sizeof(h));
	if (len > 0)
		memcpy(conn->request + sizeof(h), p, len);
	conn->request_len = sizeof(h) + len;
	conn->op = (uint16_t)op;
	conn->answers = 0;
	rig_readable(rig.node[i].loop, FD_BASE + 100 * (int)i + 1 + c);
	rig_check();
}

void
rig_hang_up(unsigned i, int c)
{
	rig.node[i].conns[c].gone = true;
	rig_readable(rig.node[i].loop, FD_BASE + 100 * (int)i + 1 + c);
	rig_check();
}

int
rig_result(unsigned i, int c)
{
	const struct rig_conn *conn = &rig.node[i].conns[c];

	RIG_REQUIRE(conn->answers <= 1);
	if (conn->answers == 0)
		return 1;
	RIG_REQUIRE(conn->answer_op == conn->op);
	return conn->result;
}

int
rig_ctl(unsigned i, enum ctl_op op, const void *p, size_t len)
{
	int c = rig_connect(i);

	rig_send(i, c, op, p, len);
	rig_settle();
	return c;
}

enum role_state
rig_state(unsigned i)
{
	return rig.node[i].k->serving.state;
}

void
rig_start_role(unsigned i)
{
	struct ctl_start start = {.resource = "mss", .by_agent = 1};
	int c = rig_ctl(i, CTL_START, &start, sizeof(start));

	RIG_REQUIRE(rig_result(i, c) == CLV_OK);
	rig_hang_up(i, c);
}

void
rig_up(unsigned i)
{
	rig_start(i);
	rig_settle();
	rig_start_role(i);
	rig_settle();
}

int
rig_promote(unsigned i)
{
	int c = rig_ctl(i, CTL_PROMOTE, NULL, 0), r;

	for (int t = 0; t < 400 && rig_result(i, c) == 1; t++)
		rig_run(10);
	r = rig_result(i, c);
	rig_hang_up(i, c);
	return r;
}

void
rig_standby(void)
{
	rig_init(3);
	for (unsigned i = 0; i < 3; i++)
		rig_up(i);
	rig_run(100);
}

void
rig_active(void)
{
	rig_standby();
	RIG_REQUIRE(rig_promote(0) == CLV_OK);
	rig_run(100);
}

/* Administration. */

void
rig_admin_begin(struct clv_buf *b, uint8_t op, uint8_t id)
{
	uint8_t bytes[16];

	memset(bytes, id, sizeof(bytes));
	clv_buf_init(b);
	clv_buf_u8(b, op);
	clv_buf_raw(b, bytes, sizeof(bytes));
}

int
rig_admin(unsigned i, const struct clv_buf *b)
{
	int c = rig_connect(i);

	rig_send(i, c, CTL_ADMIN, b->data, b->len);
	return c;
}

int
rig_admin_result(unsigned i, int c, char *text, size_t cap)
{
	const struct rig_conn *conn = &rig.node[i].conns[c];
	struct clv_rd r;
	int result;

	if (rig_result(i, c) == 1)
		return 1;
	clv_rd_init(&r, conn->body, conn->len);
	result = (int32_t)clv_rd_u32(&r);
	if (text != NULL)
		clv_rd_str(&r, text, cap);
	RIG_REQUIRE(!r.failed && result == conn->result);
	return result;
}

int
rig_ask(unsigned i, struct clv_buf *b, uint64_t ms)
{
	int c = rig_admin(i, b), r = 1;

	for (uint64_t t = 0; t <= ms && r == 1; t += 10) {
		r = rig_admin_result(i, c, rig.said, sizeof(rig.said));
		if (r == 1)
			rig_run(10);
	}
	rig_hang_up(i, c);
	clv_buf_fini(b);
	return r;
}

int
rig_add_member(unsigned i, uint8_t id, const char *name)
{
	struct clv_buf b;

	rig_member_add(&b, id, name);
	return rig_ask(i, &b, 30000);
}

void
rig_named(struct clv_buf *b, uint8_t op, uint8_t id, const char *name)
{
	rig_admin_begin(b, op, id);
	clv_buf_str(b, name);
}

void
rig_member_add(struct clv_buf *b, uint8_t id, const char *name)
{
	uint8_t seed[32] = {id}, sk[64], pk[32];

	rig_named(b, ADMIN_MEMBER_ADD, id, name);
	crypto_hash_sha256(pk, seed, sizeof(seed));
	clv_buf_raw(b, pk, 32);
	crypto_box_seed_keypair(pk, sk, seed);
	clv_buf_raw(b, pk, 32);
	crypto_sign_seed_keypair(pk, sk, seed);
	clv_buf_raw(b, pk, 32);
	clv_buf_str(b, "payroll");
}

/* The server port. */

void
rig_request_raw(
    unsigned i, const uint8_t thumb[static 32], const void *p, size_t len)
{
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_u64(&b, ++rig.conns);
	clv_buf_raw(&b, thumb, 32);
	clv_buf_bytes(&b, p, len);
	rig_tell(i, CHAN_REQUEST, &b);
}

void
rig_join_raw(unsigned i, uint64_t conn, const uint8_t thumb[static 32],
    const uint8_t binding[static 32], const void *p, size_t len)
{
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_u64(&b, conn);
	clv_buf_raw(&b, thumb, 32);
	clv_buf_raw(&b, binding, 32);
	clv_buf_bytes(&b, p, len);
	rig_tell(i, CHAN_JOIN, &b);
}

void
rig_request(unsigned i, const struct clv_identity *id, const uint8_t *thumb,
    struct clv_wire_request *q)
{
	const struct clv_wire_holds none = {0};
	uint8_t own[32];
	struct clv_buf b, payload;

	clv_buf_init(&b);
	clv_buf_init(&payload);
	if (q->op == CLV_WIRE_FETCH && q->payload == NULL) {
		clv_wire_holds_format(&none, &payload);
		q->payload = payload.data;
		q->payload_len = payload.len;
	}
	rig_thumb(id, own);
	memcpy(q->system_id, clv_keyring_system_id(rig.keyring), 16);
	snprintf(q->name, sizeof(q->name), "%s", id->name);
	randombytes_buf(q->nonce, sizeof(q->nonce));
	RIG_REQUIRE(clv_wire_request_format(q, id->sign_sk, &b) == CLV_OK);
	rig_request_raw(i, thumb != NULL ? thumb : own, b.data, b.len);
	if (payload.data != NULL)
		q->payload = NULL;
	clv_buf_fini(&payload);
	clv_buf_fini(&b);
}

/* As if node i had just said something, and the speaker had heard it. */
static uint64_t
hear_of(unsigned i)
{
	return ++rig.node[i].k->peers.stamp;
}

/* The process that runs there, or one that nobody knows. */
static void
voice_of(uint8_t number, const uint8_t *instance, struct peer_voice *ret)
{
	static uint64_t stamp;
	struct keeper *k = NULL;

	if (number >= 1 && number <= rig.n)
		k = rig.node[number - 1].k;
	memset(ret->instance, 0xf0 | number, sizeof(ret->instance));
	if (instance != NULL || k != NULL)
		memcpy(ret->instance, instance != NULL ? instance : k->instance,
		    sizeof(ret->instance));
	if (k != NULL && memcmp(ret->instance, k->instance, 16) == 0)
		ret->stamp = ++k->peers.stamp;
	else
		ret->stamp = rig.now + ++stamp;
}

/* What a server node says over CPG: as daemon/keeper/peer_msg.h has it. */
static void
say(unsigned i, uint8_t kind, const struct clv_buf *fields,
    const uint8_t *sign_sk, const char *domain, uint8_t number,
    const uint8_t *instance)
{
	uint8_t sig[CLV_SIG_LEN];
	struct peer_voice v;
	struct clv_buf b, m;

	clv_buf_init(&b);
	clv_buf_u8(&b, kind);
	clv_buf_raw(&b, clv_keyring_system_id(rig.keyring), 16);
	clv_buf_u8(&b, number);
	voice_of(number, instance, &v);
	clv_buf_raw(&b, v.instance, 16);
	clv_buf_u64(&b, v.stamp);
	clv_buf_u8(&b, 1);
	clv_buf_raw(&b, rig.node[i].k->instance, 16);
	clv_buf_u64(&b, hear_of(i));
	clv_buf_raw(&b, fields->data, fields->len);
	if (sign_sk != NULL)
		clv_sign(sign_sk, domain, b.data, b.len, sig);
	else
		clv_keyring_sign(rig.keyring, domain, b.data, b.len, sig);
	clv_buf_raw(&b, sig, sizeof(sig));
	clv_buf_init(&m);
	clv_buf_u32(&m, number);
	clv_buf_u8(&m, 0);
	clv_buf_bytes(&m, b.data, b.len);
	rig_put(&rig.node[i].from_cpg, CHAN_DELIVER, &m);
	clv_buf_fini(&m);
	clv_buf_fini(&b);
}

void
rig_peer_say(unsigned i, uint8_t kind, const struct clv_buf *fields,
    const uint8_t *sign_sk, const char *domain, uint8_t number)
{
	say(i, kind, fields, sign_sk, domain, number, NULL);
}

void
rig_alive(unsigned i, unsigned from, uint64_t version, uint32_t generation,
    uint64_t epoch, enum peer_role role)
{
	struct clv_buf f;

	clv_buf_init(&f);
	clv_buf_u64(&f, version);
	clv_buf_u32(&f, generation);
	clv_buf_u64(&f, epoch);
	clv_buf_u8(&f, (uint8_t)role);
	rig_peer_say(i, PEER_ALIVE, &f, rig.node[from].id->sign_sk,
	    "claviger-alive-1", (uint8_t)(from + 1));
	clv_buf_fini(&f);
}

void
rig_propose(unsigned i, unsigned from, const uint8_t instance[static 16],
    uint64_t epoch)
{
	struct clv_buf f;

	clv_buf_init(&f);
	clv_buf_u64(&f, epoch);
	say(i, PEER_PROPOSE, &f, NULL, "claviger-propos1", (uint8_t)(from + 1),
	    instance);
	clv_buf_fini(&f);
}

void
rig_refuse(unsigned i, unsigned from, uint64_t highest)
{
	const struct keeper *k = rig.node[i].k;
	struct clv_buf f;

	clv_buf_init(&f);
	clv_buf_raw(&f, k->instance, 16);
	clv_buf_u64(&f, k->witness.epoch);
	clv_buf_u8(&f, 0);
	clv_buf_u64(&f, highest);
	rig_peer_say(i, PEER_PROMISE, &f, rig.node[from].id->sign_sk,
	    "claviger-promis1", (uint8_t)(from + 1));
	clv_buf_fini(&f);
}

void
rig_parse(const void *p, size_t len, struct peer_msg *ret)
{
	static const uint8_t nobody[16];

	RIG_REQUIRE(len > CLV_SIG_LEN && peer_msg_parse(p, len - CLV_SIG_LEN,
					     clv_keyring_system_id(rig.keyring),
					     nobody, ret) == CLV_OK);
}

/* Throw away the answer so far: what statement was it, and whose? */
uint64_t
rig_forge_begin(struct clv_buf *result)
{
	struct clv_rd r;
	uint64_t id;

	clv_rd_init(&r, result->data, result->len);
	id = clv_rd_u64(&r);
	clv_buf_reset(result);
	return id;
}

void
rig_forge_hello(struct clv_buf *result, const struct rig_db *db)
{
	uint64_t id = rig_forge_begin(result);
	const uint64_t v[6] = {
	    db->lease_ms, db->versions[0], db->timeline, db->server_id, 0, 0};

	rig_result_put(result, id, CLV_OK, "", 1, 9);
	clv_buf_bytes(result, db->system_id, 16);
	clv_buf_u32(result, 8);
	clv_buf_u64(result, db->schema);
	clv_buf_u32(result, 8);
	clv_buf_u64(result, db->epoch);
	clv_buf_u32(result, 8);
	clv_buf_u64(result, db->holder);
	clv_buf_bytes(result, db->instance, 16);
	for (int i = 0; i < 4; i++) {
		clv_buf_u32(result, 8);
		clv_buf_u64(result, v[i]);
	}
}

int
rig_promise_of(const struct rig_msg *m)
{
	struct peer_msg msg;

	rig_parse(m->body.data, m->body.len, &msg);
	return msg.kind == PEER_PROMISE ? msg.accepted : -1;
}
