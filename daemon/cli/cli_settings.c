/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <claviger/age.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/cli.h"
#include "daemon/base/config_key.h"
#include "daemon/keeper/coverage.h"

struct row {
	const char *key;
	char value[CONFIG_LINE_LEN];
	enum key_type type;
	const struct config_key *of_host; /* NULL: of the signed list */
};
#define ROWS_MAX 40
_Static_assert(CLV_ACL_MAX <= CONFIG_LINE_LEN, "an access list fits");
struct rows {
	struct row row[ROWS_MAX];
	size_t n;
};

static void
put(struct rows *t, const char *key, const char *value)
{
	if (t->n == ROWS_MAX)
		abort();
	t->row[t->n].key = key;
	snprintf(t->row[t->n++].value, sizeof(t->row[0].value), "%s", value);
}

static void
put_number(struct rows *t, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	put(t, key, text);
	t->row[t->n - 1].type = KEY_NUMBER;
}

/* What the signed list says holds for every host. */
static void
of_system(struct rows *t, const struct clv_list *list)
{
	char hex[CLI_HEX], recipient[CLV_AGE_RECIPIENT_MAX];

	put(t, "network_name", list->network_name);
	put(t, "address", list->address);
	put_number(t, "port", list->port);
	put(t, "escrow_policy", coverage_policy_words(list->escrow_policy));
	put(t, "system_admins", list->system_admins);
	put(t, "app_creators", list->creators);
	if (!clv_list_has_recovery(list) ||
	    clv_age_recipient_format(list->recovery_pk, recipient) != CLV_OK)
		recipient[0] = '\0';
	put(t, "recovery_recipient", recipient);
	put(t, "server_thumbprint", cli_hex(list->cert_thumb[0], hex));
	if (!sodium_is_zero(list->cert_thumb[1], 32))
		put(t,
		    list->cert_switched ? "server_thumbprint_former"
					: "server_thumbprint_next",
		    cli_hex(list->cert_thumb[1], hex));
	put_number(t, "list_version", list->version);
}

/* All else of the configuration; `is` is what the daemon goes by. */
static void
of_host(struct rows *t, const struct config *is)
{
	const size_t of_system = t->n;
	const struct config_key *k;
	char value[CONFIG_LINE_LEN];
	size_t row;

	for (size_t i = 0; (k = config_key_at(i)) != NULL; i++) {
		for (row = 0; row < of_system; row++)
			if (strcmp(t->row[row].key, config_key_name(k)) == 0)
				break;
		if (row < of_system)
			continue;
		config_key_get(k, is, value);
		put(t, config_key_name(k), value);
		t->row[t->n - 1].type = config_key_type(k);
		t->row[t->n - 1].of_host = k;
	}
}

/* Where a value is from: "signed list", "default", or "file" and the line. */
static const char *
origin(const struct cli *c, const struct row *r, uint32_t *ret_line)
{
	*ret_line = r->of_host != NULL ? config_line(&c->config, r->key) : 0;
	if (r->of_host == NULL)
		return "signed list";
	return *ret_line == 0 ? "default" : "file";
}

/* What it takes until the daemon goes by what the file says: "", "reload",
 * "restart". */
static const char *
pending(const struct cli *c, const struct row *r,
    char ret_file[static CONFIG_LINE_LEN])
{
	snprintf(ret_file, CONFIG_LINE_LEN, "%s", r->value);
	if (r->of_host == NULL)
		return "";
	config_key_get(r->of_host, &c->config, ret_file);
	if (strcmp(ret_file, r->value) == 0)
		return "";
	return config_key_is_live(r->of_host) ? "reload" : "restart";
}

static void
print_json(const struct cli *c, const struct rows *t)
{
	struct cli_json *j = cli_json_new(), *o;
	char in_file[CONFIG_LINE_LEN];
	uint32_t line;

	for (const struct row *r = t->row; r < t->row + t->n; r++) {
		if (r->type == KEY_NUMBER || r->type == KEY_PORT)
			cli_json_u64(j, r->key, strtoull(r->value, NULL, 10));
		else if (r->type == KEY_BOOL)
			cli_json_bool(j, r->key, strcmp(r->value, "yes") == 0);
		else
			cli_json_str(j, r->key, r->value);
		o = cli_json_push(j, "origins");
		cli_json_str(o, "key", r->key);
		cli_json_str(o, "from", origin(c, r, &line));
		cli_json_u64(o, "line", line);
		cli_json_str(o, "pending", pending(c, r, in_file));
		cli_json_str(o, "in_file", in_file);
	}
	cli_json_str(j, "file", c->path);
	cli_json_print(j);
}

static void
print_row(const struct cli *c, const struct row *r)
{
	char in_file[CONFIG_LINE_LEN];
	const char *next = pending(c, r, in_file);
	uint32_t line;
	const char *from = origin(c, r, &line);

	printf("%-22s = %-30s # ", r->key, r->value);
	if (next[0] != '\0')
		printf("the daemon; ");
	if (line > 0)
		printf("%s, line %u", c->path, line);
	else
		printf("%s", from);
	if (next[0] != '\0')
		printf(": %s: %s", in_file[0] != '\0' ? in_file : "none",
		    next[2] == 'l' ? "claviger settings reload"
				   : "restart clavigerd");
	putchar('\n');
}

static void
print(const struct cli *c, const struct rows *t)
{
	if (cli_opt(c, "json") != NULL) {
		print_json(c, t);
		return;
	}
	for (size_t i = 0; i < t->n; i++)
		print_row(c, &t->row[i]);
}

int
cli_settings_show(struct cli *c)
{
	struct rows *t = calloc(1, sizeof(*t));
	struct clv_list *list = NULL;
	struct config is = c->config;
	int r = t == NULL ? CLV_E_NOMEM : CLV_OK;

	if (r == CLV_OK && config_is_server(&c->config)) {
		r = cli_list_need(c, &list);
		if (r == CLV_OK)
			of_system(t, list);
	}
	if (t != NULL) {
		(void)cli_running_config(c, &is);
		of_host(t, &is);
		print(c, t);
	}
	clv_list_free(&list);
	free(t);
	return r;
}

/* Nothing is changed, and the daemon is not asked. */
int
cli_settings_check(struct cli *c)
{
	const char *path = c->arg_count > 0 ? c->args[0] : c->path;
	char why[256] = "";
	struct config config;
	struct cli_json *j;
	int r;

	config_defaults(&config);
	r = config_load(path, &config, why);
	if (r != CLV_OK)
		return cli_fail(c, r, "mend that, then check it again",
		    why[0] != '\0' ? "%s" : "%s: it cannot be used",
		    why[0] != '\0' ? why : path);
	if (cli_opt(c, "json") == NULL) {
		printf("%s: of a %s, nothing is wrong with it\n", path,
		    config_is_server(&config) ? "server node" : "member");
		return CLV_OK;
	}
	j = cli_json_new();
	cli_json_str(j, "file", path);
	cli_json_str(
	    j, "role", config_is_server(&config) ? "server" : "member");
	return cli_json_print(j);
}

static bool
is_policy(const char *v)
{
	uint8_t policy;

	return coverage_policy_parse(v, &policy);
}

static bool
is_host_name(const char *v)
{
	return cli_host_name_check(v) == CLV_OK;
}

static bool
is_address(const char *v)
{
	char text[46];

	return cli_address_parse(v, text) == CLV_OK;
}

static bool
is_port(const char *v)
{
	uint32_t port;

	return cli_number_parse(v, 1, 65535, &port) == CLV_OK;
}

static const struct {
	const char *key;
	bool (*check)(const char *value);
	const char *must;
} settings[] = {
    {"escrow_policy", is_policy, COVERAGE_POLICY_VALUES},
    {"network_name", is_host_name, "a host name"},
    {"address", is_address, "an IPv4 or IPv6 address that can float"},
    {"port", is_port, "a number from 1 to 65535"},
    {"system_admins", NULL, "an access list"},
    {"app_creators", NULL, "an access list"},
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static int
check_setting(struct cli *c, const char *key, const char *value)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		if (strcmp(settings[i].key, key) != 0)
			continue;
		if (settings[i].check == NULL || settings[i].check(value))
			return CLV_OK;
		return cli_fail(c, CLV_E_INVALID, NULL,
		    "%s must be %s, not '%s'", key, settings[i].must, value);
	}
	return cli_fail(c, CLV_E_INVALID,
	    "set escrow_policy, network_name, address, port, system_admins or "
	    "app_creators; what belongs to this host alone stands in its "
	    "configuration file",
	    "the system has no setting '%s'", key);
}

/* The value as it is stored, into ret. */
static int
value_parse(struct cli *c, const char *key, const char *value,
    char ret[static CLV_ACL_MAX])
{
	char address[46];

	if (strcmp(key, "system_admins") == 0 ||
	    strcmp(key, "app_creators") == 0)
		return cli_acl_parse(c, value, ret);
	if (strcmp(key, "address") == 0 &&
	    cli_address_parse(value, address) == CLV_OK)
		value = address;
	snprintf(ret, CLV_ACL_MAX, "%s", value);
	return CLV_OK;
}

int
cli_settings_set(struct cli *c)
{
	const char *key = c->args[0];
	char what[128], value[CLV_ACL_MAX];
	struct cli_json *j;
	struct clv_buf b;
	int r = check_setting(c, key, c->args[1]);

	if (r == CLV_OK)
		r = value_parse(c, key, c->args[1], value);
	if (r != CLV_OK)
		return r;
	cli_admin_begin(&b, ADMIN_SETTING);
	clv_buf_str(&b, key);
	clv_buf_str(&b, value);
	snprintf(what, sizeof(what), "set %s", key);
	j = cli_json_new();
	cli_json_str(j, "key", key);
	cli_json_str(j, "value", value);
	return cli_admin_change(c, &b, what, j);
}

static void
print_upgrade(const struct cli *c, uint32_t was)
{
	struct cli_json *j;

	if (cli_opt(c, "json") == NULL) {
		printf("schema version %d%s\n", CLV_SCHEMA_VERSION,
		    was == CLV_SCHEMA_VERSION ? " already: nothing to do" : "");
		return;
	}
	j = cli_json_new();
	cli_json_u64(j, "schema_version", CLV_SCHEMA_VERSION);
	cli_json_u64(j, "schema_version_before", was);
	cli_json_print(j);
}

int
cli_settings_upgrade(struct cli *c)
{
	const char *conninfo = cli_opt(c, "database-admin");
	struct clv_store *s = NULL;
	uint32_t was = 0;
	int r = cli_db_check(c, "database-admin", conninfo);

	if (r == CLV_OK)
		r = cli_db_open(c, conninfo,
		    cli_opt(c, "database-admin-passfile"), true, &s);
	if (r != CLV_OK)
		return r;
	r = clv_store_schema_version(s, &was);
	if (r == CLV_OK && was > 0 && was < CLV_SCHEMA_VERSION)
		r = clv_store_migrate(s, "");
	if (r == CLV_OK && was == 0)
		r = cli_fail(c, CLV_E_NOT_FOUND,
		    "look at the name of the database; claviger init makes a "
		    "new system in an empty one",
		    "this database holds no system");
	else if (r == CLV_OK)
		print_upgrade(c, was);
	else
		cli_fail(c, r,
		    r == CLV_E_SCHEMA_NEWER ? "upgrade this program"
					    : "look into PostgreSQL's log",
		    "the schema cannot be upgraded from version %u to %d: %s",
		    was, CLV_SCHEMA_VERSION,
		    clv_store_text(s)[0] != '\0' ? clv_store_text(s)
						 : clv_result_text(r));
	clv_store_free(&s);
	return r;
}
