/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sys/socket.h>
#include <unistd.h>

#include "daemon/api/api_impl.h"
#include "fuzz.h"
#include "tests/unit/vault_rig.h"
#include "tests/unit/vault_wrap.h"

/*
 * The local API and the vault behind it, with a caller who says what the input
 * says, and a database that gives true answers, or what the input makes of
 * them. Messages: u8 what, u8 flags, u16 length, body. Nothing that was not
 * written may be read, each request is answered, and no secret is left.
 */
enum what {		/* or an operation of the API */
	DATABASE = 200, /* the next statement: pairs of field and change */
	FAIL = 201,	/* it fails: u8 result */
	CLOCK = 202,	/* u8 tenths of a second pass */
	KEYS = 203,	/* u8 generations are known */
	DROP = 204,
	RESTART = 205
};

/* Nothing is synced to a disk. */
int __wrap_file_replace(const char *dir, const char *name, const void *p,
    size_t len, unsigned mode);
int
__wrap_file_replace(
    const char *dir, const char *name, const void *p, size_t len, unsigned mode)
{
	(void)dir;
	(void)name;
	(void)p;
	(void)len;
	(void)mode;
	return CLV_OK;
}

static struct api api;
static struct api_conn conn;
static int peer;
static bool has_written;

static void
check_value(struct clv_rd *rd)
{
	const uint8_t *p;
	size_t len;

	(void)clv_rd_u64(rd);
	(void)clv_rd_u8(rd);
	p = clv_rd_bytes(rd, &len);
	FUZZ_REQUIRE(clv_rd_end(rd) == CLV_OK);
	if (!has_written)
		FUZZ_REQUIRE(len == 3 && (memcmp(p, "one", 3) == 0 ||
					     memcmp(p, "two", 3) == 0));
}

static void
hear(void)
{
	static struct {
		struct clv_api_header h;
		uint8_t body[CLV_API_MSG_MAX];
	} msg;
	struct clv_rd rd;
	ssize_t n;

	while ((n = recv(peer, &msg, sizeof(msg), MSG_DONTWAIT)) > 0) {
		FUZZ_REQUIRE(
		    (size_t)n >= sizeof(msg.h) && n <= CLV_API_MSG_MAX);
		FUZZ_REQUIRE(msg.h.magic == CLV_API_MAGIC &&
			     msg.h.len == (size_t)n - sizeof(msg.h) &&
			     msg.h.result <= 0 && msg.h.result > CLV_E_LAST);
		clv_rd_init(&rd, msg.body, msg.h.len);
		if (msg.h.op == CLV_API_GET && msg.h.result == CLV_OK)
			check_value(&rd);
	}
}

static void
settle(void)
{
	for (unsigned i = 0; i < 100 && conn.call != NULL; i++) {
		rig_settle();
		rig_advance(1000);
	}
	rig_settle();
	FUZZ_REQUIRE(conn.call == NULL);
	hear();
}

static void
ask(uint8_t op, uint8_t flags, const uint8_t *p, size_t len)
{
	struct clv_api_header h = {.magic = CLV_API_MAGIC,
	    .op = op,
	    .flags = flags,
	    .len = (uint32_t)len,
	    .id = 1};
	struct clv_rd rd;

	if (op == CLV_API_ADMIN) /* another target's */
		return;
	if (conn.call != NULL)
		settle();
	has_written |= op == CLV_API_PUT || op == CLV_API_DELETE;
	clv_rd_init(&rd, p, len);
	api_dispatch(&conn, &h, &rd);
}

/* Change a field of a true answer. */
static void
change(struct rig_call *c, uint8_t at, uint8_t how, uint8_t *copy)
{
	size_t n = c->result.rows * c->result.columns;
	struct db_field *f = (struct db_field *)(uintptr_t)c->result.fields;
	struct db_field was;

	if (n == 0)
		return;
	f += at % n;
	was = *f;
	switch (how % 8) {
	case 0: f->len = 0; break;
	case 1: f->len /= 2; break;
	case 2: *f = c->result.fields[(at + 1u) % n]; break;
	case 3: c->result.rows--; break;
	case 4: c->result.columns--; break;
	default: /* how is in the place of a byte */
		if (was.len == 0 || was.len > 100000)
			break;
		memcpy(copy, was.p, was.len);
		copy[how % was.len] ^= (uint8_t)(1u << (how % 8));
		f->p = copy;
	}
}

static void
forge(const uint8_t *p, size_t len)
{
	static uint8_t copies[8][100000];
	struct rig_call *c = rig.calls;

	if (c == NULL)
		return;
	rig_do(c);
	for (size_t i = 0; i < 8 && 2 * i + 1 < len; i++)
		change(c, p[2 * i], p[2 * i + 1], copies[i]);
	rig_answer(c);
}

static void
step(uint8_t what, uint8_t flags, const uint8_t *p, size_t len)
{
	uint8_t first = len > 0 ? p[0] : 0;

	switch (what) {
	case DATABASE: forge(p, len); break;
	case FAIL:
		if (rig.calls != NULL)
			rig_fail_call(
			    rig.calls, -1 - first % -(CLV_E_LAST + 1));
		break;
	case CLOCK: rig_advance(first * 100u); break;
	case KEYS:
		rig_generations(first % 3);
		vault_on_keys(rig.vault);
		break;
	case DROP: vault_drop(rig.vault); break;
	case RESTART:
		settle();
		rig_restart();
		break;
	default: ask(what, flags, p, len);
	}
	hear();
}

static void
begin(void)
{
	int fds[2];

	rig_init();
	FUZZ_REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) == 0);
	has_written = false;
	api = (struct api){.k = &rig.k};
	conn = (struct api_conn){.api = &api, .fd = fds[0]};
	conn.link = &api.conns; /* root */
	api.conns = &conn;
	peer = fds[1];
	rig.member.lease = true;
	rig.member.permit_until_ms = UINT64_MAX;
	FUZZ_REQUIRE(rig_put("shop", "a", "one")->result == CLV_OK);
	FUZZ_REQUIRE(rig_put("shop", "a", "two")->result == CLV_OK);
	FUZZ_REQUIRE(rig_put("shop", "b", "two")->result == CLV_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t n;

	begin();
	while (len >= 4 && !conn.gone) {
		n = (size_t)data[2] << 8 | data[3];
		if (n > len - 4)
			n = len - 4;
		step(data[0], data[1], data + 4, n);
		data += 4 + n;
		len -= 4 + n;
	}
	settle();
	close(conn.fd);
	close(peer);
	free(api.spare);
	rig_fini();
	return 0;
}
