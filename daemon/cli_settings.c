/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <claviger/age.h>
#include "daemon/admin.h"
#include "daemon/cli.h"
#include "daemon/coverage.h"

struct row {
	const char *key;
	char value[CLV_ACL_MAX];
	bool is_number;
	bool of_host; /* and else of the signed list */
};
#define ROWS_MAX 24
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
	t->row[t->n - 1].is_number = true;
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

static void
of_member(struct rows *t, const struct config *f)
{
	put(t, "network_name", f->network_name);
	put(t, "address", f->address);
	put_number(t, "port", f->port);
	put(t, "server_thumbprint", f->server_thumbprint);
}

static void
of_host(struct rows *t, const struct config *f)
{
	size_t first = t->n;

	put(t, "node", f->node);
	put(t, "system", f->system);
	if (f->database[0] != '\0') {
		put(t, "database", f->database);
		put(t, "database_passfile", f->database_passfile);
		put(t, "cluster", f->cluster);
	}
	put(t, "state_dir", f->state_dir);
	put(t, "run_dir", f->run_dir);
	put(t, "log_file", f->log_file);
	put(t, "user", f->user);
	put(t, "front_user", f->front_user);
	for (size_t i = config_is_server(f) ? first : 0; i < t->n; i++)
		t->row[i].of_host = true;
}

/* Where a value is from: "signed list", "default", or "file" and the line. */
static const char *
origin(const struct cli *c, const struct row *r, uint32_t *ret_line)
{
	*ret_line = r->of_host ? config_line(&c->config, r->key) : 0;
	if (!r->of_host)
		return "signed list";
	return *ret_line == 0 ? "default" : "file";
}

static void
print_json(const struct cli *c, const struct rows *t)
{
	struct cli_json *j = cli_json_new(), *o;
	uint32_t line;

	for (const struct row *r = t->row; r < t->row + t->n; r++) {
		if (r->is_number)
			cli_json_u64(j, r->key, strtoull(r->value, NULL, 10));
		else
			cli_json_str(j, r->key, r->value);
		o = cli_json_push(j, "origins");
		cli_json_str(o, "key", r->key);
		cli_json_str(o, "from", origin(c, r, &line));
		cli_json_u64(o, "line", line);
	}
	cli_json_str(j, "file", c->path);
	cli_json_print(j);
}

static void
print(const struct cli *c, const struct rows *t)
{
	const char *from;
	uint32_t line;

	if (cli_opt(c, "json") != NULL) {
		print_json(c, t);
		return;
	}
	for (size_t i = 0; i < t->n; i++) {
		from = origin(c, &t->row[i], &line);
		printf("%-22s = %-30s # ", t->row[i].key, t->row[i].value);
		if (line > 0)
			printf("%s, line %u\n", c->path, line);
		else
			puts(from);
	}
}

int
cli_settings_show(struct cli *c)
{
	struct rows *t = calloc(1, sizeof(*t));
	struct clv_list *list = NULL;
	int r = t == NULL ? CLV_E_NOMEM : CLV_OK;

	if (r == CLV_OK && config_is_server(&c->config)) {
		r = cli_list_need(c, &list);
		if (r == CLV_OK)
			of_system(t, list);
	} else if (r == CLV_OK) {
		of_member(t, &c->config);
	}
	if (t != NULL) {
		of_host(t, &c->config);
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
