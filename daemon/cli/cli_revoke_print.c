/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "daemon/cli/cli_revoke.h"

#define WIDTH 78
#define NEXT_MAX 600

static const struct {
	const char *name; /* --json */
	const char *text;
} whats[] = {
    [REVOKE_SECRET] = {"master-secret", "master secret"},
    [REVOKE_CERT] = {"certificate", "certificate's key"},
    [REVOKE_SIGN] = {"signing-key", "signing key"},
    [REVOKE_DATABASE] = {"database-access", "database access"},
};

static const char *
name_of(const struct revoke *v, enum revoke_what what)
{
	return what == REVOKE_SECRET && !v->is_node ? "application-keys"
						    : whats[what].name;
}

static const char *
text_of(const struct revoke *v, enum revoke_what what)
{
	return what == REVOKE_SECRET && !v->is_node ? "application keys"
						    : whats[what].text;
}

static const char *
state_name(enum revoke_state state)
{
	switch (state) {
	case REVOKE_IN_USE: return "in-use";
	case REVOKE_UNDER_WAY: return "under-way";
	case REVOKE_REPLACED: break;
	}
	return "replaced";
}

static const char *
state_text(enum revoke_state state)
{
	switch (state) {
	case REVOKE_IN_USE: return "still in use";
	case REVOKE_UNDER_WAY: return "being replaced";
	case REVOKE_REPLACED: break;
	}
	return "replaced";
}

/* What is left to do, "" when nothing is. */

static void
next_of_keys(const struct revoke *v, enum revoke_what what,
    enum revoke_state state, char ret[static NEXT_MAX])
{
	if (state == REVOKE_IN_USE && what == REVOKE_SIGN &&
	    v->list->lost_generation == 0)
		snprintf(ret, NEXT_MAX,
		    "claviger rotate --signing-key --backup FILE");
	else if (state == REVOKE_IN_USE)
		snprintf(ret, NEXT_MAX,
		    "claviger %s revoke %s --rotate --backup FILE",
		    v->is_node ? "node" : "member", v->name);
	else
		snprintf(ret, NEXT_MAX,
		    "the active server goes on by itself; claviger %s shows "
		    "how far it is",
		    what == REVOKE_CERT ? "cert show" : "status");
}

static void
next(const struct revoke *v, enum revoke_what what, char ret[static NEXT_MAX])
{
	enum revoke_state state = revoke_state(v, what);

	ret[0] = '\0';
	if (state == REVOKE_REPLACED)
		return;
	switch (what) {
	case REVOKE_SECRET:
	case REVOKE_CERT:
	case REVOKE_SIGN: next_of_keys(v, what, state, ret); return;
	case REVOKE_DATABASE:
		snprintf(ret, NEXT_MAX,
		    "if its login is its own, in PostgreSQL: ALTER ROLE login "
		    "NOLOGIN; if other hosts have it, too, on one of these: "
		    "claviger settings database-password --rotate. Then end "
		    "what is open: SELECT pg_terminate_backend(pid) FROM "
		    "pg_stat_activity WHERE client_addr = the address of %s",
		    v->name);
		return;
	case REVOKE_WHATS: break;
	}
}

/* Words, folded; from column `indent` on. */
struct fold {
	int indent, column;
};

static void
fold_word(struct fold *f, const char *word, size_t len)
{
	if (f->column > f->indent && f->column + 1 + (int)len > WIDTH) {
		printf("\n%*s", f->indent, "");
		f->column = f->indent;
	} else if (f->column > f->indent) {
		putchar(' ');
		f->column++;
	}
	printf("%.*s", (int)len, word);
	f->column += (int)len;
}

static void
fold_text(struct fold *f, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		fold_word(f, text, len);
		text += len;
		text += *text == ' ';
	}
}

static bool
could_read(const struct clv_list_member *m, const struct clv_list_app *a)
{
	return m != NULL && clv_scope_has(m->scope, a->name);
}

static bool
had_generation(const struct revoke *v, const struct clv_list_generation *g)
{
	return g->number <= v->lost && g->state != CLV_GEN_DESTROYED &&
	       (v->is_node || g->state >= CLV_GEN_PUBLISHED);
}

static const struct clv_list_member *
member_of(const struct revoke *v)
{
	return v->is_node ? NULL : clv_list_member_by_name(v->list, v->name);
}

static void
print_generations(const struct revoke *v)
{
	struct fold f = {22, 22};
	char word[16];

	if (v->lost == 0)
		return;
	printf("  %-20s", "generations");
	for (size_t i = 0; i < v->list->generation_count; i++) {
		if (!had_generation(v, &v->list->generations[i]))
			continue;
		snprintf(
		    word, sizeof(word), "%u", v->list->generations[i].number);
		fold_word(&f, word, strlen(word));
	}
	putchar('\n');
}

static void
print_applications(const struct revoke *v)
{
	const struct clv_list_member *m = member_of(v);
	struct fold f = {22, 22};

	if (v->is_node)
		return;
	printf("  %-20s", "applications");
	for (size_t i = 0; m != NULL && i < v->list->app_count; i++) {
		const struct clv_list_app *a = &v->list->apps[i];

		if (could_read(m, a))
			fold_word(&f, a->name, strlen(a->name));
	}
	printf("%s\n", f.column == f.indent ? "none that are there" : "");
}

static void
print_left(const struct revoke *v)
{
	char text[NEXT_MAX];

	puts("\nleft to do:");
	for (int i = 0; i < REVOKE_WHATS; i++) {
		struct fold f = {22, 22};

		if (!revoke_held(v, (enum revoke_what)i))
			continue;
		next(v, (enum revoke_what)i, text);
		if (text[0] == '\0')
			continue;
		printf("  %-20s", text_of(v, (enum revoke_what)i));
		fold_text(&f, text);
		putchar('\n');
	}
	printf("  %-20s", "secrets");
	fold_text(&(struct fold){22, 22},
	    "what it has read it may still know: if it is in wrong hands, "
	    "change these values where they are used, and put the new ones. "
	    "What claviger encrypt has sealed, and is kept elsewhere, stays "
	    "under the old data key until it is sealed anew");
	putchar('\n');
}

void
cli_revoke_print(const struct revoke *v)
{
	printf("\nwhat %s has held:\n", v->name);
	print_applications(v);
	print_generations(v);
	for (int i = 0; i < REVOKE_WHATS; i++)
		if (revoke_held(v, (enum revoke_what)i))
			printf("  %-20s%s\n", text_of(v, (enum revoke_what)i),
			    state_text(revoke_state(v, (enum revoke_what)i)));
	print_left(v);
}

static void
json_held(struct cli_json *j, const struct revoke *v)
{
	struct cli_json *o;
	char text[NEXT_MAX];

	cli_json_array(j, "held");
	for (int i = 0; i < REVOKE_WHATS; i++) {
		enum revoke_what what = (enum revoke_what)i;

		if (!revoke_held(v, what))
			continue;
		next(v, what, text);
		o = cli_json_push(j, "held");
		cli_json_str(o, "what", name_of(v, what));
		cli_json_str(o, "state", state_name(revoke_state(v, what)));
		cli_json_str(o, "next", text);
	}
}

static void
json_could_read(struct cli_json *j, const struct revoke *v)
{
	const struct clv_list_member *m = member_of(v);

	if (m == NULL)
		return;
	cli_json_str(j, "scope", m->scope);
	cli_json_array(j, "applications");
	for (size_t i = 0; i < v->list->app_count; i++)
		if (could_read(m, &v->list->apps[i]))
			cli_json_str_push(
			    j, "applications", v->list->apps[i].name);
}

static void
json_generations(struct cli_json *j, const struct revoke *v)
{
	cli_json_array(j, "generations");
	for (size_t i = 0; i < v->list->generation_count; i++) {
		const struct clv_list_generation *g = &v->list->generations[i];

		if (had_generation(v, g))
			cli_json_u64_push(j, "generations", g->number);
	}
}

void
cli_revoke_json(const struct revoke *v)
{
	struct cli_json *j = cli_json_new();

	cli_json_str(j, v->is_node ? "node" : "member", v->name);
	cli_json_str(j, "message", v->message);
	json_could_read(j, v);
	json_generations(j, v);
	json_held(j, v);
	if (v->rotated)
		cli_rotate_json(j, &v->rotate);
	cli_late_json(j,
	    v->rotated && v->rotate.late[0] != '\0' ? v->rotate.late : v->late);
	cli_json_print(j);
}
