/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/escrow/cli_escrow.h"

/* The part of `status` that says whether the secret could be had back. */

int
cli_escrow_look(struct cli *c, struct coverage **ret)
{
	struct cli_answer a;
	struct clv_buf b;
	int r;

	cli_answer_init(&a);
	cli_admin_begin(&b, ADMIN_ESCROW);
	clv_buf_u8(&b, false);
	r = cli_admin_local(c, &b, &a);
	if (r == CLV_OK)
		r = a.result;
	if (r == CLV_OK)
		r = coverage_parse(a.data.data, a.data.len, ret);
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}

static const struct coverage_copy *
recovery(const struct coverage *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->copies[i].kind == COVERAGE_RECOVERY)
			return &c->copies[i];
	return NULL;
}

/* Copies of that kind, and those of them that open the current generation. */
static unsigned
count(const struct coverage *c, enum coverage_kind kind, unsigned *ret_all)
{
	uint32_t current = coverage_current(c);
	unsigned n = 0;

	*ret_all = 0;
	for (size_t i = 0; i < c->count; i++) {
		if (c->copies[i].kind != kind)
			continue;
		(*ret_all)++;
		n += coverage_holds(&c->copies[i], c, current);
	}
	return n;
}

static void
add_found(void *arg, const char *subject, const char *next, const char *text)
{
	cli_page_add(arg, CLI_BAD, "ALARM", "%s: %s", subject, text);
	cli_page_add(arg, CLI_PLAIN, "", "next: %s", next);
}

void
cli_escrow_status(const struct coverage *c, struct cli_page *p)
{
	const struct coverage_copy *copy;
	unsigned n, nodes, backups, recovered, all;

	if (c == NULL)
		return;
	copy = recovery(c);
	n = count(c, COVERAGE_NODE, &nodes);
	backups = count(c, COVERAGE_BACKUP, &all);
	recovered = count(c, COVERAGE_RECOVERY, &all);
	cli_page_add(p, CLI_PLAIN, "escrow",
	    "generation %u: sealed to %u of %u server nodes, %u recovery "
	    "cop%s, %u backup%s",
	    coverage_current(c), n, nodes, recovered,
	    recovered == 1 ? "y" : "ies", backups, backups == 1 ? "" : "s");
	cli_page_add(p, CLI_PLAIN, "recovery", "%s",
	    copy != NULL ? copy->holder
			 : "no recipient (claviger recovery create)");
	(void)coverage_judge(c, add_found, p);
}

static void
push_found(void *arg, const char *subject, const char *next, const char *text)
{
	struct cli_json *o = cli_json_push(arg, "findings");

	cli_json_str(o, "subject", subject);
	cli_json_str(o, "text", text);
	cli_json_str(o, "next", next);
}

void
cli_escrow_json(struct cli_json *j, const struct coverage *c)
{
	const struct coverage_copy *copy;
	struct cli_json *o;

	cli_json_array(j, "escrow"); /* none or one */
	if (c == NULL)
		return;
	copy = recovery(c);
	o = cli_json_push(j, "escrow");
	cli_json_str(o, "policy", coverage_policy_words(c->policy));
	cli_json_str(o, "recovery_recipient", copy != NULL ? copy->holder : "");
	cli_json_array(o, "findings");
	cli_json_bool(o, "covered", coverage_judge(c, push_found, o) == 0);
}
