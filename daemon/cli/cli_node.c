/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>
#include <sodium.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/cli.h"

struct join_request {
	char name[CLV_NAME_MAX];
	char fingerprint[CLV_FINGERPRINT_TEXT];
	uint64_t age_s;
};
#define JOINS_MAX 64 /* as many as the database keeps */

static const char *
node_state(const struct clv_list_node *n)
{
	if (n->revoked)
		return "revoked";
	/* manual: what the node has, only its own status tells */
	return n->sealed ? "enrolled" : "enrolled, unsealed";
}

static void
print_nodes(const struct clv_list *list)
{
	char print[CLV_FINGERPRINT_TEXT];

	printf(
	    "%-20s %6s  %-24s %s\n", "NODE", "NUMBER", "STATE", "FINGERPRINT");
	for (size_t i = 0; i < list->node_count; i++) {
		const struct clv_list_node *n = &list->nodes[i];

		clv_party_fingerprint(&n->party, print);
		printf("%-20s %6u  %-24s %s\n", n->party.name, n->number,
		    node_state(n), print);
	}
}

static void
json_nodes(struct cli_json *j, const struct clv_list *list)
{
	char print[CLV_FINGERPRINT_TEXT], hex[CLI_HEX];

	cli_json_array(j, "nodes");
	for (size_t i = 0; i < list->node_count; i++) {
		const struct clv_list_node *n = &list->nodes[i];
		struct cli_json *o = cli_json_push(j, "nodes");

		clv_party_fingerprint(&n->party, print);
		cli_json_str(o, "name", n->party.name);
		cli_json_u64(o, "number", n->number);
		cli_json_bool(o, "revoked", n->revoked);
		cli_json_bool(o, "sealed", n->sealed);
		cli_json_str(o, "fingerprint", print);
		cli_json_str(o, "thumbprint", cli_hex(n->party.thumb, hex));
		cli_json_str(o, "next_thumbprint",
		    sodium_is_zero(n->next_thumb, sizeof(n->next_thumb))
			? ""
			: cli_hex(n->next_thumb, hex));
	}
}

/* -> u32 n, n x (str name, str fingerprint, u64 age_s) */
static int
parse_joins(
    const struct clv_buf *data, struct join_request *joins, size_t *ret_n)
{
	struct clv_rd rd;
	uint32_t n;

	clv_rd_init(&rd, data->data, data->len);
	n = clv_rd_u32(&rd);
	if (n > JOINS_MAX)
		return CLV_E_PROTOCOL;
	for (uint32_t i = 0; i < n; i++) {
		clv_rd_str(&rd, joins[i].name, sizeof(joins[i].name));
		clv_rd_str(
		    &rd, joins[i].fingerprint, sizeof(joins[i].fingerprint));
		joins[i].age_s = clv_rd_u64(&rd);
		cli_printable(joins[i].name);
	}
	*ret_n = n;
	return clv_rd_end(&rd);
}

static int
get_joins(struct cli *c, struct join_request *joins, size_t *ret_n)
{
	struct clv_buf b;
	struct cli_answer a;
	int r;

	cli_admin_begin(&b, ADMIN_JOINS);
	r = cli_admin(c, &b, "read the requests to join", &a);
	if (r == CLV_OK)
		r = parse_joins(&a.data, joins, ret_n);
	if (r == CLV_E_PROTOCOL || r == CLV_E_FORMAT)
		r = cli_fail(c, CLV_E_PROTOCOL, "upgrade both to one version",
		    "the daemon's list of requests is not understood");
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}

/* A fingerprint from the database proves nothing: it is the one that the node
 * itself printed that must be given, so it is not shown here ready to copy. */
static void
print_joins(const struct join_request *joins, size_t n)
{
	char age[32];

	if (n > 0)
		puts("\nwaiting to be approved:");
	for (size_t i = 0; i < n; i++)
		printf("  %-20s since %s\n    claviger node approve %s "
		       "--fingerprint F   (F: as printed on %s)\n",
		    joins[i].name,
		    cli_age_text(joins[i].age_s, age, sizeof(age)),
		    joins[i].name, joins[i].name);
}

static void
json_joins(struct cli_json *j, const struct join_request *joins, size_t n)
{
	cli_json_array(j, "requests");
	for (size_t i = 0; i < n; i++) {
		struct cli_json *o = cli_json_push(j, "requests");

		cli_json_str(o, "name", joins[i].name);
		cli_json_str(o, "fingerprint", joins[i].fingerprint);
		cli_json_u64(o, "age_s", joins[i].age_s);
	}
}

int
cli_node_list(struct cli *c)
{
	struct join_request joins[JOINS_MAX];
	struct clv_list *list = NULL;
	struct cli_json *j;
	size_t n = 0;
	int r = cli_list_need(c, &list), joins_r;

	if (r != CLV_OK)
		return r;
	/* The nodes are known from the list alone; without the requests the
	 * answer is not whole, and the exit status says so. */
	joins_r = get_joins(c, joins, &n);
	if (joins_r != CLV_OK)
		n = 0;
	if (cli_opt(c, "json") != NULL) {
		j = cli_json_new();
		json_nodes(j, list);
		json_joins(j, joins, n);
		cli_json_u64(j, "list_version", list->version);
		r = cli_json_print(j);
	} else {
		print_nodes(list);
		print_joins(joins, n);
	}
	clv_list_free(&list);
	return r == CLV_OK ? joins_r : r;
}

static int
check_name(struct cli *c, const char *name)
{
	if (clv_name_check(name) == CLV_OK)
		return CLV_OK;
	return cli_fail(c, CLV_E_INVALID,
	    "use 1 to 64 letters, digits, '.', '_' and '-'",
	    "'%s' is not a name of a host", name);
}

/* 64 hex digits, however they are grouped: -> 16 groups of 4, lower case. */
static int
fingerprint_clean(const char *text, char ret[static CLV_FINGERPRINT_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0, at = 0;
	const char *d;

	for (; *text != '\0'; text++) {
		if (*text == '-' || *text == ':' || *text == ' ')
			continue;
		d = strchr(digits, *text | 0x20);
		if (d == NULL || n == 64)
			return CLV_E_INVALID;
		if (n > 0 && n % 4 == 0)
			ret[at++] = '-';
		ret[at++] = *d;
		n++;
	}
	ret[at] = '\0';
	return n == 64 ? CLV_OK : CLV_E_INVALID;
}

int
cli_node_approve(struct cli *c)
{
	const char *name = c->args[0];
	char print[CLV_FINGERPRINT_TEXT], what[128];
	struct cli_json *j;
	struct clv_buf b;
	int r = check_name(c, name);

	if (r != CLV_OK)
		return r;
	if (fingerprint_clean(cli_opt(c, "fingerprint"), print) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID,
		    "copy all 16 groups that claviger join printed on that "
		    "node",
		    "the fingerprint is not 64 hexadecimal digits");
	cli_admin_begin(&b, ADMIN_NODE_APPROVE);
	clv_buf_str(&b, name);
	clv_buf_str(&b, print);
	snprintf(what, sizeof(what), "approve %s", name);
	j = cli_json_new();
	cli_json_str(j, "node", name);
	cli_json_str(j, "fingerprint", print);
	return cli_admin_change(c, &b, what, j);
}
