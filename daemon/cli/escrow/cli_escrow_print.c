/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "daemon/cli/escrow/cli_escrow.h"
#include "daemon/cli/escrow/cli_reminder.h"

/* The copies by generation, newest first, then what is wrong. */

static const char *
age(const struct coverage *c, uint64_t at_s, char *dst, size_t cap)
{
	return cli_age_text(c->now_s > at_s ? c->now_s - at_s : 0, dst, cap);
}

static void
print_node(const struct escrow_view *v, size_t i)
{
	const struct coverage_copy *copy = &v->coverage->copies[i];
	char when[32], sealed[32];

	if (v->now[i])
		printf("  %-12s opened its copy now\n", copy->holder);
	else if (copy->proven_s != 0)
		printf("  %-12s opened its copy %s ago\n", copy->holder,
		    age(v->coverage, copy->proven_s, when, sizeof(when)));
	else if (copy->sealed_s != 0)
		printf("  %-12s has not opened its copy, sealed %s ago, yet\n",
		    copy->holder,
		    age(v->coverage, copy->sealed_s, sealed, sizeof(sealed)));
	else
		printf("  %-12s has not opened its copy yet\n", copy->holder);
}

static void
print_recovery(const struct escrow_view *v, const struct coverage_copy *copy)
{
	char when[32];

	if (copy->proven_s == 0)
		printf("  %-12s the system's, for %s; not opened: only its "
		       "holders can\n",
		    "recovery", copy->holder);
	else
		printf("  %-12s opened by its holders %s ago, for %s\n",
		    "recovery",
		    age(v->coverage, copy->proven_s, when, sizeof(when)),
		    copy->holder);
}

static void
print_copy(const struct escrow_view *v, size_t i)
{
	const struct coverage_copy *copy = &v->coverage->copies[i];
	char when[32];

	switch (copy->kind) {
	case COVERAGE_NODE: print_node(v, i); break;
	case COVERAGE_RECOVERY: print_recovery(v, copy); break;
	case COVERAGE_BACKUP:
		printf("  %-12s opened again when it was written, %s ago: %s\n",
		    "backup",
		    age(v->coverage, copy->sealed_s, when, sizeof(when)),
		    copy->holder);
		break;
	}
}

static void
print_generation(const struct escrow_view *v, size_t g)
{
	const struct coverage *c = v->coverage;
	uint32_t number = c->generations[g].number;
	bool any = false;

	printf("generation %u, %s\n", number,
	    cli_generation_state(c->generations[g].state));
	for (size_t i = 0; i < c->count; i++) {
		if (!coverage_holds(&c->copies[i], c, number))
			continue;
		print_copy(v, i);
		any = true;
	}
	if (!any)
		puts("  nobody can open it");
}

static const char *
kind_name(enum coverage_kind kind)
{
	switch (kind) {
	case COVERAGE_NODE: return "node";
	case COVERAGE_RECOVERY: return "recovery";
	case COVERAGE_BACKUP: return "backup";
	}
	return "unknown";
}

/* How it was shown that it opens, as far as it was. */
static const char *
proof_name(const struct escrow_view *v, size_t i)
{
	const struct coverage_copy *copy = &v->coverage->copies[i];

	if (copy->kind == COVERAGE_BACKUP)
		return "opened when written";
	if (v->now[i])
		return "opened now";
	return copy->proven_s != 0 ? "opened" : "signature and form";
}

static void
push_copy(struct cli_json *o, const struct escrow_view *v, size_t i)
{
	const struct coverage_copy *copy = &v->coverage->copies[i];
	struct cli_json *j = cli_json_push(o, "copies");

	cli_json_str(j, "kind", kind_name(copy->kind));
	cli_json_str(j, "holder", copy->holder);
	cli_json_str(j, "proof", proof_name(v, i));
	if (copy->sealed_s != 0)
		cli_json_u64(j, "sealed_s", copy->sealed_s);
	if (copy->proven_s != 0)
		cli_json_u64(j, "proven_s", copy->proven_s);
}

static void
push_generation(struct cli_json *j, const struct escrow_view *v, size_t g)
{
	const struct coverage *c = v->coverage;
	struct cli_json *o = cli_json_push(j, "generations");

	cli_json_u64(o, "number", c->generations[g].number);
	cli_json_str(o, "state", cli_generation_state(c->generations[g].state));
	cli_json_array(o, "copies");
	for (size_t i = 0; i < c->count; i++)
		if (coverage_holds(&c->copies[i], c, c->generations[g].number))
			push_copy(o, v, i);
}

static void
say(void *arg, const char *subject, const char *next, const char *text)
{
	struct cli_json *j = arg, *o;

	if (j == NULL) {
		printf(
		    "FOUND   %s: %s\n        next: %s\n", subject, text, next);
		return;
	}
	o = cli_json_push(j, "findings");
	cli_json_str(o, "subject", subject);
	cli_json_str(o, "text", text);
	cli_json_str(o, "next", next);
}

/* A node that should have proven its copy now. What is wrong with the copy
 * itself was said. */
static unsigned
say_unproven(const struct escrow_view *v, struct cli_json *j)
{
	unsigned n = 0;

	for (size_t i = 0; v->verified && i < v->coverage->count; i++) {
		const struct coverage_copy *copy = &v->coverage->copies[i];

		if (copy->kind != COVERAGE_NODE || copy->result != CLV_OK ||
		    v->now[i])
			continue;
		n++;
		if (copy->live)
			say(j, copy->holder, "clavigerd's log there says why",
			    "it did not show that its copy opens");
		else
			say(j, copy->holder,
			    "start clavigerd there, then claviger escrow "
			    "verify again",
			    "it was not asked: it is not there, or not ready");
	}
	return n;
}

unsigned
cli_escrow_print(struct cli *c, const struct escrow_view *v)
{
	const struct coverage *coverage = v->coverage;
	struct cli_json *j = cli_opt(c, "json") != NULL ? cli_json_new() : NULL;
	unsigned found;

	if (j != NULL)
		cli_json_array(j, "generations");
	for (size_t g = coverage->generation_count; g-- > 0;) {
		if (coverage->generations[g].state == CLV_GEN_DESTROYED)
			continue;
		if (j != NULL)
			push_generation(j, v, g);
		else
			print_generation(v, g);
	}
	cli_reminder_list(c, j);
	if (j != NULL)
		cli_json_array(j, "findings");
	found = coverage_judge(coverage, say, j);
	found += say_unproven(v, j);
	if (j != NULL)
		cli_json_print(j);
	return found;
}
