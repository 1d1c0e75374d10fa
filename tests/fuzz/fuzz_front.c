/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/keeper_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/*
 * A keeper and a front that the input plays: it answers statements as it
 * likes, forges, replays and reorders, says what the cluster does and who asks
 * for what. Where a signature stands before a parser, the message is signed
 * here, as an enrolled peer or member could. The rig checks the safety rules
 * after each message, and that what the keeper says is well-formed.
 */
struct input {
	const uint8_t *p;
	size_t len;
};

static uint8_t
byte(struct input *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return *in->p++;
}

static const uint8_t *
bytes(struct input *in, size_t max, size_t *ret_len)
{
	const uint8_t *at = in->p;
	size_t n = byte(in);

	at = in->p;
	if (n > in->len)
		n = in->len;
	if (n > max)
		n = max;
	in->p += n;
	in->len -= n;
	*ret_len = n;
	return at;
}

/* The same numbers for the same input. */
static uint64_t random_state;

static uint32_t
random_word(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 16);
}

static void
random_fill(void *const p, const size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)p)[i] = (uint8_t)random_word();
}

static const char *
random_name(void)
{
	return "the same for the same input";
}

static randombytes_implementation same = {
    .implementation_name = random_name,
    .random = random_word,
    .buf = random_fill,
};

static void
deliver(enum chan_type type, const struct clv_buf *b)
{
	struct rig_node *n = &rig.node[0];

	rig_put(&n->from_net, type, b);
	while (n->from_net.head != NULL)
		rig_deliver(n, &n->from_net);
}

static void
raw_message(struct input *in)
{
	uint8_t type = byte(in);
	struct clv_buf b;
	const uint8_t *p;
	size_t n;

	p = bytes(in, 255, &n);
	clv_buf_init(&b);
	clv_buf_raw(&b, p, n);
	deliver((enum chan_type)type, &b);
	clv_buf_fini(&b);
}

static void
put_field(struct input *in, struct clv_buf *b)
{
	const struct clv_buf *rows[] = {&rig_db.lists[0], &rig_db.escrow[1],
	    &rig_db.escrow[2], &rig_db.tls, &rig_db.join, &rig.node[0].list};
	uint8_t what = byte(in);
	const uint8_t *p;
	size_t n;

	if (what < 64) { /* a small number */
		clv_buf_u32(b, 8);
		clv_buf_u64(b, what);
	} else if (what < 96) { /* one of this system's */
		const uint64_t v[] = {rig_db.epoch, rig_db.versions[0],
		    rig_db.timeline, rig_db.server_id,
		    rig.node[0].k->seen.epoch + 256, UINT64_MAX};

		clv_buf_u32(b, 8);
		clv_buf_u64(b, v[what % 6]);
	} else if (what < 128) {
		clv_buf_u32(b, 1);
		clv_buf_u8(b, what & 1);
	} else if (what < 160) {
		clv_buf_bytes(b, rows[what % 6]->data, rows[what % 6]->len);
	} else if (what < 192) {
		clv_buf_bytes(b,
		    what & 1 ? rig_db.system_id : rig.node[0].k->instance, 16);
	} else {
		p = bytes(in, 255, &n);
		clv_buf_bytes(b, p, n);
	}
}

static void
forged_result(struct input *in)
{
	struct rig_msg *m = rig_take(&rig.node[0].sql);
	uint8_t rows, columns, how = byte(in);
	struct clv_buf b;
	struct clv_rd r;

	if (m == NULL)
		return;
	rows = how & 8 ? byte(in) : how & 1;
	columns = how & 16 ? byte(in) : 9;
	if (how & 32)
		columns = 2;
	clv_rd_init(&r, m->body.data, m->body.len);
	clv_buf_init(&b);
	rig_result_put(&b, clv_rd_u64(&r), how & 64 ? -(int)(byte(in) % 50) : 0,
	    "", rows, columns);
	for (unsigned i = 0; i < (unsigned)rows * columns && in->len > 0; i++)
		put_field(in, &b);
	deliver(CHAN_SQL_RESULT, &b);
	if (how & 128) /* and the same once more */
		deliver(CHAN_SQL_RESULT, &b);
	clv_buf_fini(&b);
	rig_msg_free(m);
}

static void
honest_result(void)
{
	struct rig_node *n = &rig.node[0];

	rig_do_sql(n);
	while (n->from_db.head != NULL)
		rig_deliver(n, &n->from_db);
}

static void
cluster(struct input *in)
{
	uint8_t how = byte(in);
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_u8(&b, how & 1);
	clv_buf_u8(&b, how >> 1 & 1);
	clv_buf_u8(&b, how >> 2 & 1);
	clv_buf_u32(&b, how >> 4 & 7);
	clv_buf_u64(&b, how & 128 ? UINT64_MAX : rig.now);
	deliver(CHAN_CLUSTER, &b);
	clv_buf_fini(&b);
}

static const char *const domains[] = {"claviger-propos1", "claviger-promis1",
    "claviger-alive-1", "claviger-unlockd"};

static void
put_number(struct input *in, struct clv_buf *b)
{
	uint8_t what = byte(in);
	uint64_t epoch = rig.node[0].k->witness.epoch;

	if (what < 128)
		clv_buf_u64(b, what);
	else if (what < 160)
		clv_buf_u64(b, epoch);
	else if (what < 192) /* a proposal of node 2 or 3 above ours */
		clv_buf_u64(b, ((rig.node[0].k->seen.epoch >> 8) + 1) << 8 |
				   (2 + (what & 1)));
	else
		clv_buf_u64(b, UINT64_MAX - (what & 1));
}

static void
peer(struct input *in)
{
	uint8_t kind = byte(in) % 5, from = (uint8_t)(1 + byte(in) % 4);
	bool by_system = kind == 1 || kind == 4;
	struct clv_buf f;
	const uint8_t *p;
	size_t n;

	clv_buf_init(&f);
	if (kind == 1 || kind == 2) {
		if (kind == 2)
			clv_buf_raw(&f, rig.node[0].k->instance, 16);
		put_number(in, &f);
		if (kind == 2) {
			clv_buf_u8(&f, byte(in) & 1);
			put_number(in, &f);
		}
	} else if (kind >= 3) {
		put_number(in, &f);
		clv_buf_u32(&f, byte(in));
		put_number(in, &f);
		clv_buf_u8(&f, byte(in) & 3);
	} else {
		p = bytes(in, 255, &n);
		clv_buf_raw(&f, p, n);
	}
	rig_peer_say(0, kind, &f,
	    by_system ? NULL : rig.node[from == 4 ? 1 : from - 1].id->sign_sk,
	    domains[kind > 0 ? kind - 1 : 0], from);
	rig_deliver(&rig.node[0], &rig.node[0].from_cpg);
	clv_buf_fini(&f);
}

static void
evidence(struct input *in, struct clv_buf *ret)
{
	struct clv_wire_answer a = {.op = CLV_WIRE_FETCH,
	    .epoch = rig.node[0].k->seen.epoch + byte(in),
	    .list_version = byte(in),
	    .generation = byte(in) % 4};
	struct clv_buf body;

	clv_buf_init(&body);
	memcpy(a.system_id, rig_db.system_id, 16);
	RIG_REQUIRE(clv_wire_answer_format(&a, rig.keyring, &body) == CLV_OK);
	RIG_REQUIRE(clv_wire_evidence_cut(body.data, body.len, ret) == CLV_OK);
	clv_buf_fini(&body);
}

/* A name, or heads; or rubbish in their place. */
static void
about_apps(struct input *in, uint8_t op, uint8_t how, struct clv_buf *ret)
{
	static const char *const apps[] = {"payroll", "crm", "none", ""};
	const uint8_t *p;
	size_t n;

	if (how & 8) {
		p = bytes(in, 255, &n);
		clv_buf_raw(ret, p, n);
	} else if (op == CLV_WIRE_APPS) {
		clv_buf_str(ret, apps[byte(in) % 4]);
	} else {
		clv_buf_u32(ret, 1);
		clv_buf_str(ret, apps[byte(in) % 4]);
		put_number(in, ret);
		clv_buf_u64(ret, 0); /* no link */
		clv_buf_u64(ret, 0);
	}
}

static void
request(struct input *in)
{
	const struct clv_identity *who[] = {
	    rig.member[0], rig.member[1], rig.node[1].id, rig.node[2].id};
	struct clv_wire_request q = {.op = 1};
	struct clv_buf e, payload;
	uint8_t how = byte(in), thumb[32] = {0};
	const uint8_t *p;
	size_t n;

	clv_buf_init(&e);
	clv_buf_init(&payload);
	q.op = (uint8_t)(1 + (how & 3));
	if (q.op == CLV_WIRE_APPS && (how & 128) != 0)
		q.op = CLV_WIRE_HEADS;
	if (q.op == CLV_WIRE_FETCH && (how & 128) != 0)
		q.op = CLV_WIRE_RENEW;
	if (how & 4)
		evidence(in, &e);
	q.evidence = e.data;
	q.evidence_len = e.len;
	if (q.op == CLV_WIRE_ADMIN) {
		memcpy(q.challenge,
		    rig.node[0].k->challenges[how & 8 ? 0 : 1].bytes, 32);
		clv_buf_u8(&payload, byte(in) % 12);
		random_fill(thumb, 16);
		clv_buf_raw(&payload, thumb, 16);
		p = bytes(in, 255, &n);
		clv_buf_raw(&payload, p, n);
		q.payload = payload.data;
		q.payload_len = payload.len;
	}
	if (q.op == CLV_WIRE_RENEW) {
		clv_buf_u32(&payload, byte(in));
		put_number(in, &payload);
	}
	if (q.op == CLV_WIRE_APPS || q.op == CLV_WIRE_HEADS ||
	    q.op == CLV_WIRE_RENEW) {
		about_apps(in, q.op, how, &payload);
		q.payload = payload.data;
		q.payload_len = payload.len;
	}
	rig_request(0, who[how >> 4 & 3], how & 64 ? thumb : NULL, &q);
	rig_deliver(&rig.node[0], &rig.node[0].from_net);
	clv_buf_fini(&payload);
	clv_buf_fini(&e);
}

static void
tidy(void)
{
	for (int c = 0; c < RIG_CONNS; c++)
		if (rig.node[0].conns[c].used &&
		    (rig.node[0].conns[c].answers > 0 || c > RIG_CONNS - 4))
			rig_hang_up(0, c);
}

static void
control(struct input *in)
{
	uint8_t op = byte(in) % 12;
	struct ctl_start start = {.resource = "mss", .by_agent = 1};
	const uint8_t *p;
	size_t n;

	tidy();
	p = bytes(in, 255, &n);
	if (op == CTL_START)
		rig_send(0, rig_connect(0), CTL_START, &start, sizeof(start));
	else
		rig_send(0, rig_connect(0), (enum ctl_op)op, p, n);
}

static const char *
name(uint8_t which)
{
	static const char *const names[] = {
	    "n1", "n2", "n3", "m1", "m2", "app1", "port", "address"};

	return names[which % 8];
}

/* A host that is not enrolled. It may have the token that is outstanding, and
 * what was offered; or one thing of the proof is another. */
static void
join(struct input *in)
{
	struct keeper *k = rig.node[0].k;
	uint8_t how = byte(in), slot = byte(in) % KEEPER_OFFERS;
	const struct join_offer *o = &k->offers[slot];
	struct clv_wire_request q = {.op = CLV_WIRE_JOIN};
	uint8_t seed[32] = {9}, thumb[32] = {slot}, binding[32] = {slot};
	uint64_t conn = o->conn != 0 && how & 1 ? o->conn : slot + 1u;
	struct clv_token_proof proof = {.party = {.name = ""}};
	struct clv_wire_join w;
	struct clv_token *t = NULL;
	struct clv_buf payload, b;
	const struct clv_identity *id = rig.member[how >> 1 & 1];
	const uint8_t *p;
	size_t n;

	clv_buf_init(&payload);
	clv_buf_init(&b);
	RIG_REQUIRE(clv_token_new(rig.guard, &t) == CLV_OK);
	crypto_sign_seed_keypair(t->sign_pk, t->sign_sk, seed);
	snprintf(q.name, sizeof(q.name), "%s", how & 4 ? "app1" : id->name);
	if (how & 8) {
		memcpy(proof.system_pk, k->system_pk, 32);
		memcpy(proof.binding, how & 16 ? o->binding : binding, 32);
		memcpy(proof.challenge, o->challenge, 32);
		memcpy(proof.nonce, o->nonce, 32);
		memcpy(q.challenge, o->challenge, 32);
		snprintf(
		    proof.party.name, sizeof(proof.party.name), "%s", id->name);
		memcpy(proof.party.sign_pk, id->sign_pk, 32);
		memcpy(proof.party.box_pk, id->box_pk, 32);
		memcpy(proof.party.thumb, thumb, 32);
		w = (struct clv_wire_join){.party = proof.party};
		memcpy(w.token_pk, t->sign_pk, 32);
		RIG_REQUIRE(clv_token_sign(t, &proof, w.proof) == CLV_OK);
		RIG_REQUIRE(clv_wire_join_format(&w, id, &payload) == CLV_OK);
		if (how & 32 && payload.len > 0)
			payload.data[byte(in) % payload.len] ^= 1;
	} else if (how & 32) {
		p = bytes(in, 255, &n);
		clv_buf_raw(&payload, p, n);
	}
	q.payload = payload.data;
	q.payload_len = payload.len;
	if (how & 64)
		q.op = (uint8_t)(1 + byte(in) % 6);
	if (clv_wire_request_format(&q, id->sign_sk, &b) == CLV_OK)
		rig_join_raw(0, conn, thumb, binding, b.data,
		    how & 128 ? byte(in) % (b.len + 1) : b.len);
	rig_deliver(&rig.node[0], &rig.node[0].from_net);
	clv_token_free(&t);
	clv_buf_fini(&b);
	clv_buf_fini(&payload);
}

/* The token of join(), for one or another host. */
static void
outstanding(struct input *in)
{
	uint8_t how = byte(in), seed[32] = {9}, sk[64], pk[32];
	struct clv_buf b;

	tidy();
	crypto_sign_seed_keypair(pk, sk, seed);
	rig_named(&b, how & 1 ? ADMIN_TOKEN_DROP : ADMIN_TOKEN_ADD,
	    how >> 1 & 7, name(how >> 4));
	if ((how & 1) == 0) {
		clv_buf_str(&b, "all");
		clv_buf_raw(&b, pk, 32);
		clv_buf_u32(&b, 60u * (1u + byte(in)));
	}
	rig_send(0, rig_connect(0), CTL_ADMIN, b.data, b.len);
	clv_buf_fini(&b);
}

static void
administration(struct input *in)
{
	uint8_t op = byte(in) % 12, id = byte(in) % 8, which = byte(in);
	struct clv_buf b;

	tidy();
	rig_named(&b, op, id, name(which));
	if (op == ADMIN_MEMBER_ADD) {
		clv_buf_fini(&b);
		rig_member_add(&b, id, name(which));
	} else if (op == ADMIN_SETTING) {
		clv_buf_str(&b, name(byte(in)));
	} else if (op == ADMIN_ROTATE_BEGIN) {
		clv_buf_fini(&b);
		rig_admin_begin(&b, op, id);
	} else if (op == ADMIN_ROTATE_FINISH || op == ADMIN_BACKUP_DONE) {
		clv_buf_fini(&b);
		rig_admin_begin(&b, op, id);
		clv_buf_u32(&b, which % 4);
		clv_buf_str(&b, "n1:/b");
	} else if (op == ADMIN_NODE_APPROVE) {
		clv_buf_str(&b, "0123");
	}
	rig_send(0, rig_connect(0), CTL_ADMIN, b.data, b.len);
	clv_buf_fini(&b);
}

static void
front_word(struct input *in)
{
	uint8_t how = byte(in);
	struct clv_buf b;

	clv_buf_init(&b);
	if (how < 64) {
		clv_buf_u8(&b, how & 1);
		clv_buf_str(&b, "so it is");
		deliver(CHAN_DATABASE, &b);
	} else if (how < 128) {
		deliver(CHAN_CLOSED, &b);
	} else {
		clv_buf_u32(&b, how & 1 ? 0 : (uint32_t)-how);
		clv_buf_str(&b, "");
		deliver(CHAN_LISTENING, &b);
	}
	clv_buf_fini(&b);
}

static void
one(struct input *in)
{
	uint8_t what = byte(in);

	if (what >= 254) {
		what == 255 ? join(in) : outstanding(in);
		return;
	}
	switch (what % 13) {
	case 0: raw_message(in); break;
	case 1: honest_result(); break;
	case 2:
	case 3: forged_result(in); break;
	case 4:
		rig.now += 20u * byte(in);
		rig_timers();
		break;
	case 5: cluster(in); break;
	case 6: peer(in); break;
	case 7: request(in); break;
	case 8: control(in); break;
	case 9: administration(in); break;
	case 10: front_word(in); break;
	case 11: /* for a while all is as it should be */
		rig_cluster(&rig.node[0]);
		rig_run(byte(in));
		break;
	case 12:
		rig_deliver(&rig.node[0], &rig.node[0].from_cpg);
		rig_deliver(&rig.node[0], &rig.node[0].from_net);
		break;
	}
}

/* Promoted, with the promise of a peer and an honest database. */
static void
promote(void)
{
	struct keeper *k = rig.node[0].k;
	struct clv_buf f;

	rig_send(0, rig_connect(0), CTL_PROMOTE, NULL, 0);
	clv_buf_init(&f);
	clv_buf_raw(&f, k->instance, 16);
	clv_buf_u64(&f, k->witness.epoch);
	clv_buf_u8(&f, 1);
	clv_buf_u64(&f, k->witness.epoch);
	rig_peer_say(0, 2, &f, rig.node[1].id->sign_sk, "claviger-promis1", 2);
	clv_buf_fini(&f);
	rig_settle();
	RIG_REQUIRE(rig_state(0) == ROLE_ACTIVE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, len};
	bool promoted;

	if (len == 0 || len > 4096)
		return 0;
	random_state = 0x2545f4914f6cdd1d;
	randombytes_set_implementation(&same);
	promoted = (byte(&in) & 1) != 0;
	rig_init(3);
	rig.quiet_checks = rig.few = true; /* the database is the input's */
	rig.members = 3;
	rig_up(0);
	if (promoted)
		promote();
	for (unsigned steps = 0; in.len > 0 && steps < 400; steps++) {
		one(&in);
		RIG_REQUIRE(rig.node[0].sql.n < 4096);
	}
	rig_fini();
	return 0;
}
