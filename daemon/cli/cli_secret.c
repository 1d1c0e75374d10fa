/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sodium.h>
#include "daemon/cli/cli_api.h"

/* The largest value, and one byte to see that it is larger. */
#define VALUE_MAX 61440

static int
read_fd(int fd, uint8_t *p, size_t cap, size_t *ret_len)
{
	size_t len = 0;
	ssize_t n;

	while (len < cap) {
		n = read(fd, p + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return CLV_E_SYSTEM;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return CLV_OK;
}

static int
open_value(struct cli *c, int *ret_fd)
{
	const char *file = cli_opt(c, "file");
	int fd;

	if (file == NULL || strcmp(file, "-") == 0) {
		*ret_fd = STDIN_FILENO;
		return CLV_OK;
	}
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return cli_fail(c, CLV_E_NOT_FOUND, NULL,
		    "%s cannot be read: %s", file, strerror(errno));
	*ret_fd = fd;
	return CLV_OK;
}

/* From a terminal one line, which is not shown; else every byte there is. */
static int
read_value(struct cli *c, uint8_t *p, size_t cap, size_t *ret_len)
{
	char *typed = NULL;
	int fd = -1, r;

	if (cli_opt(c, "file") == NULL && isatty(STDIN_FILENO)) {
		r = cli_ask(c, "Value (one line)", &typed);
		if (r == CLV_OK) {
			*ret_len = strlen(typed);
			memcpy(p, typed, *ret_len);
		}
		clv_guard_put(c->guard, typed);
		return r;
	}
	r = open_value(c, &fd);
	if (r != CLV_OK)
		return r;
	r = read_fd(fd, p, cap, ret_len);
	if (r != CLV_OK)
		r = cli_fail(c, r, NULL, "the value cannot be read: %s",
		    strerror(errno));
	else if (*ret_len == cap)
		r = cli_fail(c, CLV_E_FULL,
		    "claviger encrypt seals data of any size, to be kept "
		    "where you like",
		    "a secret is at most %d bytes long", VALUE_MAX);
	if (fd != STDIN_FILENO)
		close(fd);
	return r;
}

static int
keep_of(struct cli *c, uint32_t *ret)
{
	const char *keep = cli_opt(c, "keep");

	*ret = CLV_API_KEEP_DEFAULT;
	if (keep == NULL || cli_number_parse(keep, 0, 1000000, ret) == CLV_OK)
		return CLV_OK;
	return cli_fail(c, CLV_E_USAGE, "claviger put --help",
	    "--keep takes a number of versions, 0 for all, not '%s'", keep);
}

static int
print_version(struct cli *c, uint64_t version)
{
	struct cli_json *j;

	if (cli_opt(c, "json") == NULL) {
		printf("version %" PRIu64 "\n", version);
		return CLV_OK;
	}
	j = cli_json_new();
	cli_json_str(j, "application", c->args[0]);
	cli_json_str(j, "name", c->args[1]);
	cli_json_u64(j, "version", version);
	return cli_json_print(j);
}

int
cli_put(struct cli *c)
{
	struct clv_client *api = NULL;
	uint8_t *value = NULL;
	uint64_t version = 0;
	uint32_t keep;
	size_t len = 0;
	int r;

	r = keep_of(c, &keep);
	if (r == CLV_OK)
		r = cli_guard(c);
	if (r != CLV_OK)
		return r;
	value = clv_guard_get(c->guard, VALUE_MAX + 1);
	if (value == NULL)
		return cli_fail(c, CLV_E_FULL, NULL, "no locked memory left");
	r = read_value(c, value, VALUE_MAX + 1, &len);
	if (r == CLV_OK)
		r = cli_api_open(c, &api);
	if (r == CLV_OK) {
		r = clv_client_put(
		    api, c->args[0], c->args[1], value, len, keep, &version);
		if (r != CLV_OK)
			r = cli_api_fail(c, api, r, "it was not stored");
	}
	clv_guard_put(c->guard, value);
	clv_client_close(&api);
	return r == CLV_OK ? print_version(c, version) : r;
}

static int
print_secret(struct cli *c, const struct clv_secret *s)
{
	size_t cap =
	    sodium_base64_ENCODED_LEN(s->len, sodium_base64_VARIANT_ORIGINAL);
	struct cli_json *j;
	char *text;

	if (cli_opt(c, "json") == NULL) {
		if (fwrite(s->data, 1, s->len, stdout) != s->len)
			return cli_fail(c, CLV_E_SYSTEM, NULL,
			    "standard output cannot be written");
		if (isatty(STDOUT_FILENO))
			putchar('\n');
		return CLV_OK;
	}
	text = clv_guard_get(c->guard, cap);
	if (text == NULL)
		return cli_fail(c, CLV_E_FULL, NULL, "no locked memory left");
	sodium_bin2base64(
	    text, cap, s->data, s->len, sodium_base64_VARIANT_ORIGINAL);
	j = cli_json_new();
	cli_json_str(j, "application", c->args[0]);
	cli_json_str(j, "name", c->args[1]);
	cli_json_u64(j, "version", s->version);
	cli_json_bool(j, "cached", s->cached);
	cli_json_str(j, "value_base64", text);
	clv_guard_put(c->guard, text);
	return cli_json_print(j);
}

int
cli_get(struct cli *c)
{
	const char *text = cli_opt(c, "version");
	struct clv_client *api = NULL;
	struct clv_secret *s = NULL;
	uint32_t version = 0;
	int r;

	if (text != NULL &&
	    cli_number_parse(text, 1, UINT32_MAX, &version) != CLV_OK)
		return cli_fail(c, CLV_E_USAGE, "claviger history shows them",
		    "--version takes the number of a version, not '%s'", text);
	r = cli_guard(c);
	if (r == CLV_OK)
		r = cli_api_open(c, &api);
	if (r != CLV_OK)
		return r;
	r = clv_client_get(api, c->args[0], c->args[1], version,
	    cli_opt(c, "cached") != NULL ? CLV_API_CACHED : 0, &s);
	if (r != CLV_OK)
		r = cli_api_fail(c, api, r, "it cannot be read");
	else
		r = print_secret(c, s);
	if (r == CLV_OK && s->cached && cli_opt(c, "cached") == NULL)
		cli_warn(c, "the database is away: this is the value that was "
			    "read last");
	clv_secret_free(&s);
	clv_client_close(&api);
	return r;
}

/* Names of an application, or applications themselves. */

static void
put_roles(struct cli_json *o, uint8_t roles)
{
	static const char *const names[] = {
	    "system_administrator", "creator", "administrator", "user"};

	cli_json_array(o, "roles");
	for (unsigned i = 0; i < 4; i++)
		if ((roles & 1u << i) != 0)
			cli_json_str_push(o, "roles", names[i]);
}

static int
list_apps(struct cli *c, struct clv_client *api, struct cli_json *j)
{
	struct clv_client_app *apps;
	char after[sizeof(apps->name)] = "";
	bool more = true;
	size_t n;
	int r = CLV_OK;

	while (r == CLV_OK && more) {
		r = clv_client_apps(api, after, &apps, &n, &more);
		if (r != CLV_OK)
			return cli_api_fail(
			    c, api, r, "applications cannot be listed");
		for (size_t i = 0; i < n; i++) {
			struct cli_json *o;

			snprintf(after, sizeof(after), "%s", apps[i].name);
			if (j == NULL) {
				puts(apps[i].name);
				continue;
			}
			o = cli_json_push(j, "applications");
			cli_json_str(o, "name", apps[i].name);
			put_roles(o, apps[i].roles);
		}
		free(apps);
	}
	return r;
}

static int
list_names(struct cli *c, struct clv_client *api, struct cli_json *j)
{
	struct clv_secret_name *names;
	char after[sizeof(names->name)] = "";
	bool more = true;
	size_t n;
	int r = CLV_OK;

	while (r == CLV_OK && more) {
		r = clv_client_list(api, c->args[0], after, &names, &n, &more);
		if (r != CLV_OK)
			return cli_api_fail(
			    c, api, r, "its secrets cannot be listed");
		for (size_t i = 0; i < n; i++) {
			struct cli_json *o;

			snprintf(after, sizeof(after), "%s", names[i].name);
			if (j == NULL) {
				printf("%s\t%" PRIu64 "\n", names[i].name,
				    names[i].version);
				continue;
			}
			o = cli_json_push(j, "secrets");
			cli_json_str(o, "name", names[i].name);
			cli_json_u64(o, "version", names[i].version);
		}
		free(names);
	}
	return r;
}

int
cli_list(struct cli *c)
{
	struct cli_json *j = NULL;
	struct clv_client *api = NULL;
	int r = cli_api_open(c, &api);

	if (r != CLV_OK)
		return r;
	if (cli_opt(c, "json") != NULL) {
		j = cli_json_new();
		cli_json_array(
		    j, c->arg_count > 0 ? "secrets" : "applications");
	}
	r = c->arg_count > 0 ? list_names(c, api, j) : list_apps(c, api, j);
	if (j != NULL && r == CLV_OK)
		r = cli_json_print(j);
	clv_client_close(&api);
	return r;
}

static void
print_history(const struct clv_secret_version *v, size_t n)
{
	char age[32];

	printf("%8s  %-10s %-9s %s\n", "VERSION", "AGE", "STATE", "DATA KEY");
	for (size_t i = 0; i < n; i++)
		printf("%8" PRIu64 "  %-10s %-9s %u\n", v[i].version,
		    cli_age_text(v[i].age_s, age, sizeof(age)),
		    v[i].deleted   ? "deleted"
		    : v[i].current ? "current"
				   : "old",
		    v[i].key_version);
}

static int
print_history_json(const struct clv_secret_version *v, size_t n)
{
	struct cli_json *j = cli_json_new(), *o;

	cli_json_array(j, "versions");
	for (size_t i = 0; i < n; i++) {
		o = cli_json_push(j, "versions");
		cli_json_u64(o, "version", v[i].version);
		cli_json_u64(o, "age_s", v[i].age_s);
		cli_json_bool(o, "deleted", v[i].deleted);
		cli_json_bool(o, "current", v[i].current);
		cli_json_u64(o, "data_key", v[i].key_version);
	}
	return cli_json_print(j);
}

int
cli_history(struct cli *c)
{
	struct clv_secret_version *v = NULL;
	struct clv_client *api = NULL;
	size_t n = 0;
	int r = cli_api_open(c, &api);

	if (r != CLV_OK)
		return r;
	r = clv_client_history(api, c->args[0], c->args[1], &v, &n);
	if (r != CLV_OK)
		r = cli_api_fail(c, api, r, "it has no history to show");
	else if (cli_opt(c, "json") != NULL)
		r = print_history_json(v, n);
	else
		print_history(v, n);
	free(v);
	clv_client_close(&api);
	return r;
}

int
cli_delete(struct cli *c)
{
	struct clv_client *api = NULL;
	uint64_t version = 0;
	int r = cli_api_open(c, &api);

	if (r != CLV_OK)
		return r;
	r = clv_client_delete(api, c->args[0], c->args[1], &version);
	if (r != CLV_OK)
		r = cli_api_fail(c, api, r, "it was not deleted");
	else
		r = print_version(c, version);
	clv_client_close(&api);
	return r;
}
