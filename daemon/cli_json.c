/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <json-c/json.h>
#include <stdlib.h>
#include "daemon/cli.h"

/* struct cli_json is json-c's object under another name, so that nobody else
 * includes json-c. Out of memory ends the command: there is nothing to undo
 * where something is printed. */
static struct json_object *
obj(struct cli_json *j)
{
	return (struct json_object *)j;
}

static struct json_object *
must(struct json_object *o)
{
	if (o == NULL) {
		fputs("claviger: out of memory\n", stderr);
		exit(clv_result_exit(CLV_E_NOMEM));
	}
	return o;
}

struct cli_json *
cli_json_new(void)
{
	return (struct cli_json *)must(json_object_new_object());
}

void
cli_json_str(struct cli_json *j, const char *key, const char *value)
{
	json_object_object_add(
	    obj(j), key, must(json_object_new_string(value)));
}

void
cli_json_u64(struct cli_json *j, const char *key, uint64_t value)
{
	json_object_object_add(
	    obj(j), key, must(json_object_new_uint64(value)));
}

void
cli_json_bool(struct cli_json *j, const char *key, bool value)
{
	json_object_object_add(
	    obj(j), key, must(json_object_new_boolean(value)));
}

static struct json_object *
array(struct cli_json *j, const char *key)
{
	struct json_object *a;

	if (!json_object_object_get_ex(obj(j), key, &a)) {
		a = must(json_object_new_array());
		json_object_object_add(obj(j), key, a);
	}
	return a;
}

void
cli_json_array(struct cli_json *j, const char *key)
{
	(void)array(j, key);
}

struct cli_json *
cli_json_push(struct cli_json *j, const char *key)
{
	struct cli_json *child = cli_json_new();

	json_object_array_add(array(j, key), obj(child));
	return child;
}

void
cli_json_u64_push(struct cli_json *j, const char *key, uint64_t value)
{
	json_object_array_add(
	    array(j, key), must(json_object_new_uint64(value)));
}

void
cli_json_str_push(struct cli_json *j, const char *key, const char *value)
{
	json_object_array_add(
	    array(j, key), must(json_object_new_string(value)));
}

void
cli_json_free(struct cli_json *j)
{
	json_object_put(obj(j));
}

void
cli_json_write(struct cli_json *j, FILE *f)
{
	fprintf(f, "%s\n",
	    json_object_to_json_string_ext(
		obj(j), JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			    JSON_C_TO_STRING_NOSLASHESCAPE));
	cli_json_free(j);
}

int
cli_json_print(struct cli_json *j)
{
	cli_json_write(j, stdout);
	return CLV_OK;
}
