/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <time.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/escrow/cli_escrow.h"

/* Who can open the master secret, and the proof of it. */

#define PROVE_MS 5000 /* a node that lives answers within */
#define LOOK_MS 100

int
cli_escrow_ask(struct cli *c, bool prove, struct coverage **ret)
{
	struct cli_answer a;
	struct clv_buf b;
	int r;

	cli_admin_begin(&b, ADMIN_ESCROW);
	clv_buf_u8(&b, prove);
	r = cli_admin(c, &b, "look at the sealed copies", &a);
	if (r == CLV_OK) {
		r = coverage_parse(a.data.data, a.data.len, ret);
		for (size_t i = 0; r == CLV_OK && i < (*ret)->count; i++)
			cli_printable((*ret)->copies[i].holder);
		if (r != CLV_OK)
			cli_fail(c, r, "upgrade all server nodes",
			    "the answer of clavigerd is not understood: %s",
			    clv_result_text(r));
	}
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static const struct coverage_copy *
find_node(const struct coverage *c, const char *name)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->copies[i].kind == COVERAGE_NODE &&
		    strcmp(c->copies[i].holder, name) == 0)
			return &c->copies[i];
	return NULL;
}

/* Whose rows say more than before? True when all who can have said so. */
static bool
compare(const struct coverage *before, struct escrow_view *v)
{
	const struct coverage *c = v->coverage;
	bool all = true;

	for (size_t i = 0; i < c->count; i++) {
		const struct coverage_copy *copy = &c->copies[i];
		const struct coverage_copy *was =
		    find_node(before, copy->holder);

		if (copy->kind != COVERAGE_NODE || copy->result != CLV_OK)
			continue;
		v->now[i] =
		    was != NULL && coverage_is_proven(before->now_s, was, copy);
		all = all && (v->now[i] || !copy->live);
	}
	return all;
}

static int
prove(struct cli *c, const struct coverage *before, struct escrow_view *v,
    struct coverage **last)
{
	const struct timespec pause = {0, LOOK_MS * 1000000};
	uint64_t until = now_ms() + PROVE_MS;
	int r = cli_escrow_ask(c, true, last);

	while (r == CLV_OK) {
		v->coverage = *last;
		if (compare(before, v) || now_ms() >= until)
			break;
		nanosleep(&pause, NULL);
		coverage_free(last);
		r = cli_escrow_ask(c, false, last);
	}
	return r;
}

static int
verify(struct cli *c)
{
	struct coverage *before = NULL, *last = NULL;
	struct escrow_view v = {.verified = true};
	int r = cli_escrow_ask(c, false, &before);

	if (r == CLV_OK)
		r = prove(c, before, &v, &last);
	if (r == CLV_OK && cli_escrow_print(c, &v) > 0)
		r = CLV_E_FINDINGS;
	coverage_free(&before);
	coverage_free(&last);
	return r;
}

static int
list(struct cli *c)
{
	struct coverage *coverage = NULL;
	struct escrow_view v = {.verified = false};
	int r = cli_escrow_ask(c, false, &coverage);

	v.coverage = coverage;
	if (r == CLV_OK && cli_escrow_print(c, &v) > 0)
		r = CLV_E_FINDINGS;
	coverage_free(&coverage);
	return r;
}

/* One daemon for all that is asked of it. */
static int
with_daemon(struct cli *c, int (*fn)(struct cli *c))
{
	struct cli_daemon d = {.started = false};
	int r = cli_daemon_need(c, &d);

	if (r == CLV_OK)
		r = fn(c);
	cli_daemon_stop(c, &d);
	return r;
}

int
cli_escrow_list(struct cli *c)
{
	return with_daemon(c, list);
}

int
cli_escrow_verify(struct cli *c)
{
	return with_daemon(c, verify);
}
