/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/cli_rotate.h"

const char *
cli_generation_state(uint8_t state)
{
	switch ((enum clv_generation_state)state) {
	case CLV_GEN_PENDING: return "pending";
	case CLV_GEN_ESCROWED: return "escrowed";
	case CLV_GEN_BACKED_UP: return "backed-up";
	case CLV_GEN_PUBLISHED: return "published";
	case CLV_GEN_CURRENT: return "current";
	case CLV_GEN_RETIRED: return "retired";
	case CLV_GEN_DESTROYED: return "destroyed";
	}
	return "unknown";
}

struct refs { /* of one generation: ADMIN_GENERATIONS */
	uint32_t number;
	uint64_t keys, indexes;
	uint32_t certificates, copies, backups, members;
	bool members_known;
};

struct all {
	size_t n;
	struct refs of[CLV_GENERATIONS_MAX];
};

static int
read_refs(const struct cli_answer *a, struct all *ret)
{
	struct clv_rd rd;
	bool known;

	clv_rd_init(&rd, a->data.data, a->data.len);
	known = clv_rd_u8(&rd) != 0;
	ret->n = clv_rd_u32(&rd);
	if (ret->n > CLV_GENERATIONS_MAX)
		return CLV_E_PROTOCOL;
	for (size_t i = 0; i < ret->n; i++) {
		struct refs *f = &ret->of[i];

		f->number = clv_rd_u32(&rd);
		f->keys = clv_rd_u64(&rd);
		f->indexes = clv_rd_u64(&rd);
		f->certificates = clv_rd_u32(&rd);
		f->copies = clv_rd_u32(&rd);
		f->backups = clv_rd_u32(&rd);
		f->members = clv_rd_u32(&rd);
		f->members_known = known;
	}
	return clv_rd_end(&rd);
}

/* Any node can tell, by its database. Without that the list is still worth
 * something. */
static void
ask_refs(struct cli *c, struct all *ret)
{
	struct cli_answer a;
	struct clv_buf b;
	int r;

	cli_answer_init(&a);
	cli_admin_begin(&b, ADMIN_GENERATIONS);
	r = cli_admin_quietly(c, &b, &a);
	if (r == CLV_OK)
		r = read_refs(&a, ret);
	if (r != CLV_OK) {
		ret->n = 0;
		cli_warn(c, "what refers to them is not known: %s",
		    clv_result_text(r));
	}
	cli_answer_fini(&a);
	clv_buf_fini(&b);
}

static void
print_row(const struct clv_list_generation *g, const struct refs *f)
{
	char hex[CLI_HEX], members[16] = "-";

	if (f == NULL) {
		printf("%10u  %-10s %9s %8s %5s %7s %7s %7s  %.16s\n",
		    g->number, cli_generation_state(g->state), "-", "-", "-",
		    "-", "-", "-", cli_hex(g->commitment, hex));
		return;
	}
	if (f->members_known)
		snprintf(members, sizeof(members), "%u", f->members);
	printf("%10u  %-10s %9" PRIu64 " %8" PRIu64 " %5u %7u %7u %7s  %.16s\n",
	    g->number, cli_generation_state(g->state), f->keys, f->indexes,
	    f->certificates, f->copies, f->backups, members,
	    cli_hex(g->commitment, hex));
}

static void
push_row(struct cli_json *j, const struct clv_list_generation *g,
    const struct refs *f)
{
	struct cli_json *o = cli_json_push(j, "generations");
	char hex[CLI_HEX];

	cli_json_u64(o, "number", g->number);
	cli_json_str(o, "state", cli_generation_state(g->state));
	cli_json_str(o, "commitment", cli_hex(g->commitment, hex));
	if (f == NULL)
		return;
	cli_json_u64(o, "data_keys", f->keys);
	cli_json_u64(o, "index_keys", f->indexes);
	cli_json_u64(o, "certificates", f->certificates);
	cli_json_u64(o, "sealed_copies", f->copies);
	cli_json_u64(o, "backups", f->backups);
	if (f->members_known)
		cli_json_u64(o, "members", f->members);
}

static void
print_all(const struct clv_list *list, const struct all *all, bool json)
{
	struct cli_json *j = json ? cli_json_new() : NULL;

	if (json)
		cli_json_u64(j, "reencrypting_since", list->reencrypt);
	if (json)
		cli_json_array(j, "generations");
	else
		printf("%10s  %-10s %9s %8s %5s %7s %7s %7s  %s\n",
		    "GENERATION", "STATE", "DATA-KEYS", "INDEXES", "CERTS",
		    "COPIES", "BACKUPS", "MEMBERS", "COMMITMENT");
	for (size_t i = 0; i < list->generation_count; i++) {
		const struct clv_list_generation *g = &list->generations[i];
		const struct refs *f = NULL;

		for (size_t n = 0; n < all->n; n++)
			if (all->of[n].number == g->number)
				f = &all->of[n];
		if (json)
			push_row(j, g, f);
		else
			print_row(g, f);
	}
	if (json)
		cli_json_print(j);
}

/* How far it is only the active server knows. */
static void
print_reencryption(struct cli *c, const struct clv_list *list)
{
	struct cli_rotation s = {0};

	if (list->reencrypt == 0)
		return;
	printf("re-encryption was asked for with generation %u, and is not "
	       "through",
	    list->reencrypt);
	if (cli_rotation_look(c, &s) == CLV_OK && cli_rotation_goes_on(&s))
		printf(": %s, %" PRIu64 " of %" PRIu64 " left",
		    cli_rotation_state(&s), s.left, s.total);
	putchar('\n');
}

int
cli_generation_list(struct cli *c)
{
	struct clv_list *list = NULL;
	struct all all = {0};
	int r = cli_list_need(c, &list);

	if (r != CLV_OK)
		return r;
	ask_refs(c, &all);
	print_all(list, &all, cli_opt(c, "json") != NULL);
	if (cli_opt(c, "json") == NULL)
		print_reencryption(c, list);
	clv_list_free(&list);
	return CLV_OK;
}

/* Destroying. */

static int
confirm(struct cli *c, uint32_t number)
{
	char want[16];

	if (cli_opt(c, "yes") != NULL)
		return CLV_OK;
	if (!isatty(STDIN_FILENO))
		return cli_fail(c, CLV_E_DENIED,
		    "look with claviger generation list, then give --yes",
		    "generation %u would be destroyed for ever", number);
	snprintf(want, sizeof(want), "%u", number);
	fprintf(stderr,
	    "Generation %u of the master secret will be destroyed for ever: "
	    "older backups of\nthe database will not open any more.\n"
	    "Type its number to go on: ",
	    number);
	return cli_typed(c, want, "destroyed");
}

static void
print_backups(struct clv_rd *rd, uint32_t number, struct cli_json *j)
{
	uint32_t n = clv_rd_u32(rd);
	char where[256];

	if (j == NULL && n > 0)
		printf("these backups still hold generation %u; they are not "
		       "claviger's to delete:\n",
		    number);
	for (uint32_t i = 0; i < n && !rd->failed; i++) {
		clv_rd_str(rd, where, sizeof(where));
		cli_printable(where);
		if (j != NULL)
			cli_json_str_push(j, "backups", where);
		else if (!rd->failed)
			printf("  %s\n", where);
	}
}

static void
print_destroyed(struct cli *c, uint32_t number, const struct cli_answer *a)
{
	struct cli_json *j = NULL;
	struct clv_rd rd;

	clv_rd_init(&rd, a->data.data, a->data.len);
	if (cli_opt(c, "json") == NULL) {
		puts(a->text);
		print_backups(&rd, number, NULL);
		return;
	}
	j = cli_json_new();
	cli_json_u64(j, "generation", number);
	cli_json_str(j, "message", a->text);
	cli_json_array(j, "backups");
	print_backups(&rd, number, j);
	cli_answer_late(a, j);
	cli_json_print(j);
}

int
cli_generation_destroy(struct cli *c)
{
	struct cli_answer a;
	struct clv_buf b;
	uint32_t number;
	int r = cli_number_parse(c->args[0], 1, UINT32_MAX, &number);

	if (r != CLV_OK)
		return cli_fail(c, r, "claviger generation list",
		    "'%s' is not the number of a generation", c->args[0]);
	r = confirm(c, number);
	if (r != CLV_OK)
		return r;
	cli_admin_begin(&b, ADMIN_GENERATION_DESTROY);
	clv_buf_u32(&b, number);
	r = cli_admin(c, &b, "destroy that generation", &a);
	if (r == CLV_OK)
		print_destroyed(c, number, &a);
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}
