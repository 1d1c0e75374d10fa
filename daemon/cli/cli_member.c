/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <claviger/age.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/cli.h"
#include "daemon/front/tls.h"

static int
scope_check(struct cli *c, const char *scope)
{
	if (clv_scope_check(scope) == CLV_OK)
		return CLV_OK;
	return cli_fail(c, CLV_E_INVALID,
	    "give all, or the names of applications joined by ','",
	    "'%s' is not a scope", scope);
}

static int
read_certificate(struct cli *c, const char *path, uint8_t ret_thumb[static 32])
{
	struct clv_buf der;
	int r;

	clv_buf_init(&der);
	r = cert_load(path, &der);
	if (r == CLV_OK)
		r = cert_thumb(der.data, der.len, ret_thumb);
	clv_buf_fini(&der);
	if (r == CLV_OK)
		return CLV_OK;
	return cli_fail(c, r,
	    "copy the file tls.crt from the member's state directory",
	    "%s cannot be used as a certificate: %s", path, clv_result_text(r));
}

static int
read_party(struct cli *c, struct clv_party *p)
{
	const char *next = "copy the whole command that claviger join --member "
			   "printed on that host";

	if (clv_name_check(c->args[0]) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID,
		    "use 1 to 64 letters, digits, '.', '_' and '-'",
		    "'%s' is not a name of a host", c->args[0]);
	if (clv_age_recipient_parse(cli_opt(c, "recipient"), p->box_pk) !=
	    CLV_OK)
		return cli_fail(c, CLV_E_INVALID, next,
		    "--recipient is not an age recipient (age1…)");
	if (cli_key_parse(cli_opt(c, "sign-key"), p->sign_pk) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID, next,
		    "--sign-key is not 44 characters of base64");
	return read_certificate(c, cli_opt(c, "certificate"), p->thumb);
}

int
cli_member_add(struct cli *c)
{
	const char *scope = cli_opt(c, "scope");
	struct clv_party p;
	struct cli_json *j;
	struct clv_buf b;
	char what[128], hex[CLI_HEX];
	int r = read_party(c, &p);

	if (r == CLV_OK)
		r = scope_check(c, scope);
	if (r != CLV_OK)
		return r;
	cli_admin_begin(&b, ADMIN_MEMBER_ADD);
	clv_buf_str(&b, c->args[0]);
	clv_buf_raw(&b, p.thumb, sizeof(p.thumb));
	clv_buf_raw(&b, p.box_pk, sizeof(p.box_pk));
	clv_buf_raw(&b, p.sign_pk, sizeof(p.sign_pk));
	clv_buf_str(&b, scope);
	snprintf(what, sizeof(what), "add member %s", c->args[0]);
	j = cli_json_new();
	cli_json_str(j, "member", c->args[0]);
	cli_json_str(j, "scope", scope);
	cli_json_str(j, "thumbprint", cli_hex(p.thumb, hex));
	return cli_admin_change(c, &b, what, j);
}

int
cli_member_scope(struct cli *c)
{
	const char *name = c->args[0], *scope = c->args[1];
	struct cli_json *j;
	struct clv_buf b;
	char what[128];
	int r = scope_check(c, scope);

	if (r != CLV_OK)
		return r;
	cli_admin_begin(&b, ADMIN_MEMBER_SCOPE);
	clv_buf_str(&b, name);
	clv_buf_str(&b, scope);
	snprintf(what, sizeof(what), "change the scope of %.64s", name);
	j = cli_json_new();
	cli_json_str(j, "member", name);
	cli_json_str(j, "scope", scope);
	return cli_admin_change(c, &b, what, j);
}

/* What the active server has heard of members, by name. */

struct heard {
	char name[CLV_NAME_MAX];
	uint8_t live; /* 2: twice */
	uint64_t age_ms, list_version;
	uint32_t generation;
};

struct heards {
	struct heard *of;
	size_t n;
	bool known; /* an active server said so */
};

static int
take_heard(struct heards *h, struct clv_rd *rd)
{
	struct heard e, *more;

	clv_rd_str(rd, e.name, sizeof(e.name));
	e.live = clv_rd_u8(rd);
	e.age_ms = clv_rd_u64(rd);
	e.generation = clv_rd_u32(rd);
	e.list_version = clv_rd_u64(rd);
	if (rd->failed ||
	    (h->n > 0 && strcmp(h->of[h->n - 1].name, e.name) >= 0))
		return CLV_E_PROTOCOL;
	more = reallocarray(h->of, h->n + 1, sizeof(*more));
	if (more == NULL)
		return CLV_E_NOMEM;
	h->of = more;
	h->of[h->n++] = e;
	return CLV_OK;
}

static int
take_page(struct heards *h, const struct cli_answer *a, bool *ret_more)
{
	struct clv_rd rd;
	uint32_t n;
	int r = CLV_OK;

	clv_rd_init(&rd, a->data.data, a->data.len);
	*ret_more = clv_rd_u8(&rd) != 0;
	n = clv_rd_u32(&rd);
	if (n == 0 && *ret_more)
		return CLV_E_PROTOCOL; /* it would never end */
	for (uint32_t i = 0; r == CLV_OK && i < n; i++)
		r = take_heard(h, &rd);
	return r == CLV_OK ? clv_rd_end(&rd) : r;
}

/* If there is no active server, nobody knows. */
static void
ask_heard(struct cli *c, struct heards *h)
{
	struct cli_answer a;
	struct clv_buf b;
	bool more = true;
	int r = CLV_OK;

	while (r == CLV_OK && more) {
		cli_answer_init(&a);
		cli_admin_begin(&b, ADMIN_MEMBERS_STATE);
		clv_buf_str(&b, h->n > 0 ? h->of[h->n - 1].name : "");
		r = cli_admin_look(c, &b, &a);
		if (r == CLV_OK)
			r = take_page(h, &a, &more);
		cli_answer_fini(&a);
		clv_buf_fini(&b);
	}
	h->known = r == CLV_OK;
}

static int
by_name(const void *name, const void *heard)
{
	return strcmp(name, ((const struct heard *)heard)->name);
}

static const struct heard *
find_heard(const struct heards *h, const char *name)
{
	if (!h->known || h->n == 0)
		return NULL;
	return bsearch(name, h->of, h->n, sizeof(h->of[0]), by_name);
}

static const char *
state_of(const struct clv_list_member *m, const struct heards *h)
{
	const struct heard *e = find_heard(h, m->party.name);

	if (m->revoked)
		return "revoked";
	if (!h->known)
		return "enrolled";
	if (e == NULL || e->live == 0)
		return "away";
	return e->live == 2 ? "twice" : "live";
}

int
cli_members_away(struct cli *c, const struct clv_list *list, char **ret)
{
	struct heards h = {.of = NULL};
	size_t len = 0;
	FILE *f = open_memstream(ret, &len);

	if (f == NULL)
		return CLV_E_NOMEM;
	c->quiet = true; /* where nobody is active, all of them may be away */
	ask_heard(c, &h);
	c->quiet = false;
	for (size_t i = 0; i < list->member_count; i++) {
		const struct clv_list_member *m = &list->members[i];
		const struct heard *e = find_heard(&h, m->party.name);

		if (!m->revoked && (e == NULL || !e->live))
			fprintf(
			    f, "%s%s", ftell(f) > 0 ? ", " : "", m->party.name);
	}
	free(h.of);
	return fclose(f) == 0 ? CLV_OK : CLV_E_NOMEM;
}

static void
json_member(
    struct cli_json *o, const struct clv_list_member *m, const struct heards *h)
{
	const struct heard *e = find_heard(h, m->party.name);
	char hex[CLI_HEX], print[CLV_FINGERPRINT_TEXT];

	clv_party_fingerprint(&m->party, print);
	cli_json_str(o, "name", m->party.name);
	cli_json_str(o, "scope", m->scope);
	cli_json_bool(o, "revoked", m->revoked);
	cli_json_str(o, "state", state_of(m, h));
	if (e != NULL) {
		cli_json_u64(o, "generation", e->generation);
		cli_json_u64(o, "list_version", e->list_version);
		cli_json_u64(o, "heard_s", e->age_ms / 1000);
	}
	cli_json_str(o, "fingerprint", print);
	cli_json_str(o, "thumbprint", cli_hex(m->party.thumb, hex));
	cli_json_str(o, "next_thumbprint",
	    sodium_is_zero(m->next_thumb, sizeof(m->next_thumb))
		? ""
		: cli_hex(m->next_thumb, hex));
}

static void
print_member(const struct clv_list_member *m, const struct heards *h)
{
	const struct heard *e = find_heard(h, m->party.name);
	char generation[16] = "-", hex[CLI_HEX];

	if (e != NULL)
		snprintf(generation, sizeof(generation), "%u", e->generation);
	printf("%-20s %-9s %-10s %-20s %s\n", m->party.name, state_of(m, h),
	    generation, m->scope, cli_hex(m->party.thumb, hex));
}

static void
print_members(
    const struct clv_list *list, const struct heards *h, struct cli_json *j)
{
	if (j != NULL)
		cli_json_array(j, "members");
	else
		printf("%-20s %-9s %-10s %-20s %s\n", "MEMBER", "STATE",
		    "GENERATION", "SCOPE", "CERTIFICATE");
	for (size_t i = 0; i < list->member_count; i++) {
		if (j != NULL)
			json_member(
			    cli_json_push(j, "members"), &list->members[i], h);
		else
			print_member(&list->members[i], h);
	}
}

int
cli_member_list(struct cli *c)
{
	struct cli_json *j = NULL;
	struct clv_list *list = NULL;
	struct heards h = {.of = NULL};
	int r = cli_list_need(c, &list);

	if (r != CLV_OK)
		return r;
	ask_heard(c, &h);
	if (cli_opt(c, "json") != NULL)
		j = cli_json_new();
	print_members(list, &h, j);
	cli_tokens_print(list, j);
	if (j != NULL) {
		cli_json_u64(j, "list_version", list->version);
		cli_json_print(j);
	}
	free(h.of);
	clv_list_free(&list);
	return CLV_OK;
}
