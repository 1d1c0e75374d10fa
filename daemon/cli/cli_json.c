/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <json-c/json.h>
#include <stdlib.h>
#include "daemon/cli/cli.h"

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

static void
walk_array(const char *key, struct json_object *a,
    const struct cli_json_walker *w, void *arg)
{
	for (size_t i = 0; i < json_object_array_length(a); i++) {
		struct json_object *o = json_object_array_get_idx(a, i);

		w->begin(arg, key);
		if (json_object_is_type(o, json_type_object))
			cli_json_walk((struct cli_json *)o, w, arg);
		else
			w->value(arg, "value", json_object_get_string(o));
		w->end(arg);
	}
}

void
cli_json_walk(
    const struct cli_json *j, const struct cli_json_walker *w, void *arg)
{
	json_object_object_foreach((struct json_object *)j, key, value)
	{
		if (!json_object_is_type(value, json_type_array))
			w->value(arg, key, json_object_get_string(value));
	}
	json_object_object_foreach((struct json_object *)j, name, array)
	{
		if (json_object_is_type(array, json_type_array))
			walk_array(name, array, w, arg);
	}
}

int
cli_json_print_line(struct cli_json *j)
{
	puts(json_object_to_json_string_ext(
	    obj(j), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	cli_json_free(j);
	return CLV_OK;
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
