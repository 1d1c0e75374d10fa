/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>
#include <sodium.h>
#include "daemon/cli/cli_fetch.h"
#include "daemon/base/state.h"

/* A server that was shown newer evidence takes a newer epoch: how long that is
 * waited for. */
#define NEWER_TRIES 20
#define NEWER_PAUSE_MS 250
#define EVIDENCE_MAX 4096

void
cli_fetch_init(struct cli_fetch *f)
{
	memset(f, 0, sizeof(*f));
	clv_buf_init(&f->body);
	cli_host_init(&f->wire.host);
}

void
cli_fetch_fini(struct cli_fetch *f)
{
	cli_wire_close(&f->wire);
	clv_buf_fini(&f->body);
	free(f->evidence);
}

static void
load_evidence(struct cli *c, struct cli_fetch *f)
{
	if (cli_become(c, &c->config) != CLV_OK)
		return;
	if (file_read(c->config.state_dir, "evidence", EVIDENCE_MAX,
		&f->evidence, &f->evidence_len) != CLV_OK)
		f->evidence = NULL;
	cli_unbecome();
}

int
cli_fetch_ask(struct cli *c, struct cli_fetch *f, bool show_evidence)
{
	struct cli_question q = {.op = CLV_WIRE_FETCH};
	struct clv_wire_holds none = {0}; /* they are looked at and forgotten */
	struct clv_buf payload;
	int r;

	clv_buf_init(&payload);
	clv_wire_holds_format(&none, &payload);
	q.payload = payload.data;
	q.payload_len = payload.len;
	if (show_evidence && f->evidence != NULL) {
		q.evidence = f->evidence;
		q.evidence_len = f->evidence_len;
	}
	r = cli_wire_ask(c, &f->wire, &q, &f->body, &f->answer);
	clv_buf_fini(&payload);
	if (r == CLV_OK) {
		cli_printable(f->answer.server);
		cli_printable(f->answer.text);
	}
	return r;
}

static bool
is_behind(const struct cli_fetch *f)
{
	return f->answer.epoch < f->wire.seen_epoch ||
	       f->answer.result == CLV_E_STALE_EPOCH;
}

/* Ask; a server whose epoch is older than what this host accepted before is
 * refused, shown the evidence, and asked again. */
static int
ask(struct cli *c, struct cli_fetch *f)
{
	const struct timespec pause = {0, NEWER_PAUSE_MS * 1000000};
	int r = cli_fetch_ask(c, f, false);

	if (r != CLV_OK || !is_behind(f))
		return r;
	cli_warn(c,
	    "server %s serves epoch %" PRIu64 ", and this host has "
	    "accepted %" PRIu64 ": %s",
	    f->answer.server, f->answer.epoch, f->wire.seen_epoch,
	    f->evidence != NULL
		? "showing it the newest signed answer held here"
		: "no signed answer is held here to show it");
	for (int i = 0; i < NEWER_TRIES && r == CLV_OK && is_behind(f); i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		r = cli_fetch_ask(c, f, true);
	}
	return r;
}

int
cli_fetch_check(struct cli *c, const struct cli_fetch *f)
{
	const struct clv_wire_answer *a = &f->answer;
	const struct cli_wire *w = &f->wire;
	const char *next = "claviger status on the server nodes; an old server "
			   "must be stopped";

	if (a->epoch < w->seen_epoch)
		return cli_fail(c, CLV_E_STALE_EPOCH, next,
		    "server %s serves epoch %" PRIu64 ", older than %" PRIu64
		    " which this host has accepted",
		    a->server, a->epoch, w->seen_epoch);
	if (a->result != CLV_OK)
		return cli_fail(c, a->result,
		    a->result == CLV_E_UNKNOWN_PEER ||
			    a->result == CLV_E_REVOKED
			? "claviger member list on a server node"
			: "claviger status on the server nodes",
		    "server %s refused: %s", a->server,
		    a->text[0] != '\0' ? a->text : clv_result_text(a->result));
	if (a->list_version < w->seen_list ||
	    a->generation < w->seen_generation)
		return cli_fail(c, CLV_E_STALE, next,
		    "server %s answers from list %" PRIu64 " and generation "
		    "%u; this host has accepted %" PRIu64 " and %u",
		    a->server, a->list_version, a->generation, w->seen_list,
		    w->seen_generation);
	return CLV_OK;
}

/* Is the current generation's key among them, and is it the right one? */
static int
check_keys(struct cli *c, struct cli_fetch *f, const struct clv_wire_key *keys,
    size_t n)
{
	const struct clv_wire_answer *a = &f->answer;
	uint8_t check[CLV_KEY_LEN];
	bool found = false;

	for (size_t i = 0; i < n; i++) {
		if (keys[i].generation != a->generation)
			continue;
		found = true;
		f->scoped = keys[i].app[0] != '\0';
		if (f->scoped)
			continue;
		clv_key_check(keys[i].key, check);
		if (sodium_memcmp(check, a->check, sizeof(check)) != 0)
			return cli_fail(c, CLV_E_DAMAGED,
			    "claviger status on the server nodes",
			    "the key of generation %u is not the one that the "
			    "signed answer names",
			    a->generation);
	}
	if (found)
		return CLV_OK;
	return cli_fail(c, CLV_E_NOT_FOUND,
	    "claviger member list on a server "
	    "node shows the scope of this host",
	    "no key of generation %u came", a->generation);
}

int
cli_fetch_open(struct cli *c, struct cli_fetch *f)
{
	struct clv_wire_key *keys = NULL;
	struct clv_wire_terms terms;
	size_t n = 0;
	int r = clv_wire_keys_open(c->guard, f->wire.host.id, f->answer.payload,
	    f->answer.payload_len, &terms, &keys, &n);

	if (r != CLV_OK)
		return cli_fail(c, r,
		    "was this host enrolled with this identity? claviger "
		    "member list on a server node",
		    "the keys in the answer cannot be opened: %s",
		    clv_result_text(r));
	r = check_keys(c, f, keys, n);
	clv_guard_put(c->guard, keys);
	return r;
}

/* Two fetches may end in the other order: never below what is there. */
static int
raise_state(const char *dir, const struct clv_wire_answer *a)
{
	struct state s;
	int r = state_load(dir, &s);

	if (r != CLV_OK && r != CLV_E_NOT_FOUND)
		return r;
	memcpy(s.system_id, a->system_id, sizeof(s.system_id));
	if (a->epoch > s.epoch)
		s.epoch = a->epoch;
	if (a->list_version > s.list_version)
		s.list_version = a->list_version;
	if (a->generation > s.generation)
		s.generation = a->generation;
	return state_save(dir, &s);
}

static int
save_locked(const char *dir, const struct clv_wire_answer *a,
    const struct clv_buf *evidence)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = CLV_OK;

	if (fd < 0 || flock(fd, LOCK_EX) != 0)
		r = CLV_E_SYSTEM;
	if (r == CLV_OK)
		r = raise_state(dir, a);
	if (r == CLV_OK)
		r = file_replace(
		    dir, "evidence", evidence->data, evidence->len, 0600);
	if (fd >= 0)
		close(fd);
	return r;
}

/* On a server node the daemon alone writes what was seen. */
static int
save_seen(struct cli *c, const struct cli_fetch *f)
{
	struct clv_buf evidence;
	int r, saved;

	if (config_is_server(&c->config))
		return CLV_OK;
	clv_buf_init(&evidence);
	r = clv_wire_evidence_cut(f->body.data, f->body.len, &evidence);
	if (r == CLV_OK)
		r = cli_become(c, &c->config);
	if (r == CLV_OK)
		r = save_locked(c->config.state_dir, &f->answer, &evidence);
	saved = errno;
	cli_unbecome();
	clv_buf_fini(&evidence);
	if (r == CLV_OK)
		return r;
	return cli_fail(c, r, "look at the disk",
	    "what was seen cannot be written to %s: %s", c->config.state_dir,
	    r == CLV_E_SYSTEM ? strerror(saved) : clv_result_text(r));
}

static void
print(const struct cli *c, const struct cli_fetch *f)
{
	const struct clv_wire_answer *a = &f->answer;
	struct cli_json *j;

	if (cli_opt(c, "json") == NULL) {
		printf("generation    %u: its key is here and %s\n"
		       "epoch         %" PRIu64 "\n"
		       "signed list   version %" PRIu64 "\n"
		       "encrypt       %s\n"
		       "server        %s\n",
		    a->generation,
		    f->scoped ? "sealed to this host, for its applications"
			      : "the right one",
		    a->epoch, a->list_version, a->encrypt ? "yes" : "no",
		    a->server);
		return;
	}
	j = cli_json_new();
	cli_json_u64(j, "generation", a->generation);
	cli_json_u64(j, "epoch", a->epoch);
	cli_json_u64(j, "list_version", a->list_version);
	cli_json_bool(j, "encrypt", a->encrypt);
	cli_json_bool(j, "checked", !f->scoped);
	cli_json_str(j, "server", a->server);
	cli_json_print(j);
}

static int
fetch(struct cli *c, struct cli_fetch *f)
{
	int r = cli_wire_open(c, &f->wire);

	if (r == CLV_OK) {
		load_evidence(c, f);
		r = ask(c, f);
	}
	if (r == CLV_OK)
		r = cli_fetch_check(c, f);
	if (r == CLV_OK)
		r = cli_fetch_open(c, f);
	if (r == CLV_OK)
		r = save_seen(c, f);
	return r;
}

int
cli_fetch(struct cli *c)
{
	struct cli_fetch f;
	int r;

	cli_fetch_init(&f);
	r = fetch(c, &f);
	if (r == CLV_OK)
		print(c, &f);
	cli_fetch_fini(&f);
	return r;
}
