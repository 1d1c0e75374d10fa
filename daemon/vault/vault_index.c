/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/vault/vault_impl.h"

/*
 * The index of one application: loaded whole, in pages, when it is opened, and
 * carried on by the changes that come with each answer. It is in force only
 * when its MAC fits, and never for a counter below what was seen before. Its
 * manifest says which data key is the newest: no other one is written with.
 */

void
vault_index_drop(struct vault_app *a)
{
	clv_index_free(&a->index);
	a->indexed = false;
	a->current = false;
	a->newest = 0;
}

bool
vault_text(const struct db_field *f, char *dst, size_t cap)
{
	dst[0] = '\0';
	if (f->len >= cap || memchr(f->p, '\0', f->len) != NULL)
		return false;
	memcpy(dst, f->p, f->len);
	dst[f->len] = '\0';
	return true;
}

int
vault_index_stage(struct vault_app *a, const char *name, uint64_t version,
    bool deleted, const struct db_field *hash)
{
	struct clv_change c = {
	    .name = name, .version = version, .deleted = deleted};

	if (hash->len != sizeof(c.record_hash) ||
	    vault_name_check(name) != CLV_OK || version == 0)
		return CLV_E_DAMAGED;
	memcpy(c.record_hash, hash->p, sizeof(c.record_hash));
	return clv_index_stage(a->index, &c);
}

/* That it was set back and written on is said only by what fits the rows. */
static int
check_manifest(const struct vault_app *a, const struct clv_head *seen,
    uint64_t counter, const struct db_field *mac)
{
	int r;

	if (mac->len != CLV_MANIFEST_MAC_LEN)
		return CLV_E_DAMAGED;
	r = clv_head_check(seen, counter, mac->p);
	if (r == CLV_E_FORKED && !clv_index_fits(a->index, counter, mac->p))
		return CLV_E_DAMAGED;
	return r;
}

int
vault_index_commit(struct vault_app *a, const struct clv_head *seen,
    uint64_t counter, const struct db_field *mac)
{
	int r = check_manifest(a, seen, counter, mac);

	if (r == CLV_OK)
		r = clv_index_commit(a->index, counter, mac->p);
	if (r == CLV_OK)
		heads_see(a->v->k->heads, a->name, counter, mac->p);
	else
		clv_index_abort(a->index);
	if (r == CLV_OK)
		vault_keys_compare(a);
	return r;
}

void
vault_index_fail(struct vault_app *a, int result, const char *text)
{
	vault_keys_drop(a); /* whoever asks next begins with them */
	log_error("%s", text);
	vault_wake(a, result, text);
}

static void
fail(struct vault_app *a, int result)
{
	char text[256];

	switch (result) {
	case CLV_E_ROLLBACK:
		snprintf(text, sizeof(text),
		    "the database is older than what was seen of application "
		    "%s: it was restored, or rows were taken away: claviger "
		    "doctor",
		    a->name);
		break;
	case CLV_E_FORKED:
		snprintf(text, sizeof(text),
		    "the database went another way than what was seen of "
		    "application %s: it was set back, and then written on: "
		    "claviger doctor",
		    a->name);
		break;
	case CLV_E_DAMAGED:
	case CLV_E_STALE:
		snprintf(text, sizeof(text),
		    "the rows of application %s in the database were changed "
		    "from outside: claviger doctor",
		    a->name);
		result = CLV_E_DAMAGED;
		break;
	case CLV_E_EXISTS:
		snprintf(text, sizeof(text),
		    "the database has a data key of application %s that its "
		    "manifest does not name: a row was put in: claviger doctor",
		    a->name);
		result = CLV_E_DAMAGED;
		break;
	case CLV_E_FULL:
		snprintf(text, sizeof(text),
		    "application %s has more than %u names", a->name,
		    VAULT_NAMES_MAX);
		break;
	default: snprintf(text, sizeof(text), "%s", clv_result_text(result));
	}
	vault_index_fail(a, result, text);
}

static void ask_page(struct vault_app *a);

/* Columns: name, version, deleted, hash, counter, m_counter, m_mac; the last
 * row has no name. */
static int
take_page(struct vault_app *a, const struct db_result *r)
{
	char name[VAULT_NAME_MAX];
	uint64_t counter;
	int rc = CLV_OK;

	for (size_t i = 0; rc == CLV_OK && i + 1 < r->rows; i++) {
		counter = db_u64(r, i, 4);
		if (!vault_text(db_field(r, i, 0), name, sizeof(name)))
			return CLV_E_DAMAGED;
		/* They ascend, so that they come to an end. */
		if (counter < a->page_counter ||
		    (counter == a->page_counter &&
			strcmp(name, a->page_name) <= 0))
			return CLV_E_DAMAGED;
		if (++a->page_rows > VAULT_NAMES_MAX)
			return CLV_E_FULL;
		rc = vault_index_stage(a, name, db_u64(r, i, 1),
		    db_u64(r, i, 2) != 0, db_field(r, i, 3));
		memcpy(a->page_name, name, sizeof(a->page_name));
		a->page_counter = counter;
	}
	return rc;
}

/* What was verified before stays good for reading when the database is away. */
static void
not_answered(struct vault_app *a, int result, const char *text)
{
	clv_index_abort(a->index);
	if (clv_index_counter(a->index) > 0)
		a->indexed = true;
	else
		vault_index_drop(a);
	vault_wake(a, result, text);
}

/* What does not fit on top of what was verified is loaded anew, once from the
 * beginning, and then with the keys that are there by now: the application may
 * have been removed and made again. */
static void
does_not_fit(struct vault_app *a, int result)
{
	bool is_first = clv_index_counter(a->index) == 0;

	if (result == CLV_E_ROLLBACK || result == CLV_E_FORKED ||
	    result == CLV_E_FULL) {
		fail(a, result);
	} else if (!is_first) {
		vault_index_drop(a);
		vault_index_load(a);
	} else if (a->key_loads < VAULT_KEY_LOADS) {
		vault_index_drop(a);
		a->keys_due = true;
		vault_keys_load(a);
	} else {
		fail(a, result);
	}
}

/* Those were there before the manifest was read. */
static bool
has_too_many_keys(const struct vault_app *a)
{
	return a->key_count > (size_t)clv_index_key_version(a->index) + 1;
}

static void
on_page(struct keeper *k, void *arg, const struct db_result *r)
{
	struct vault_app *a = arg;
	size_t last = r->rows - 1;
	int rc;

	(void)k;
	a->calls--;
	if (a->index == NULL) { /* dropped meanwhile */
		vault_wake(a, CLV_OK, "");
		return;
	}
	if (r->result != CLV_OK || r->rows == 0) {
		not_answered(a,
		    r->result != CLV_OK ? r->result : CLV_E_NOT_FOUND,
		    r->result != CLV_OK ? r->text
					: "the application's manifest is "
					  "missing in the database");
		return;
	}
	rc = take_page(a, r);
	if (rc == CLV_OK && last >= VAULT_PAGE) {
		ask_page(a);
		return;
	}
	if (rc == CLV_OK)
		rc = vault_index_commit(
		    a, &a->seen, db_u64(r, last, 5), db_field(r, last, 6));
	if (rc != CLV_OK) {
		does_not_fit(a, rc);
		return;
	}
	if (has_too_many_keys(a)) {
		fail(a, CLV_E_EXISTS);
		return;
	}
	a->indexed = true;
	vault_wake(a, CLV_OK, "");
}

static void
ask_page(struct vault_app *a)
{
	uint8_t counter[8], limit[8];
	struct clv_param p[4] = {
	    {a->name, strlen(a->name)},
	    clv_param_u64(a->page_counter, counter),
	    {a->page_name, strlen(a->page_name)},
	    clv_param_u64(VAULT_PAGE, limit),
	};

	a->calls++;
	a->seen = heads_look(a->v->k->heads, a->name);
	db_call_pool(
	    a->v->k, CLV_STMT_GET_CHANGES, p, 4, VAULT_WAIT_MS, on_page, a);
}

void
vault_index_load(struct vault_app *a)
{
	int r = CLV_OK;

	if (a->index == NULL)
		r = clv_index_new(a->index_key, member_system_id(a->v->k),
		    a->name, &a->index);
	if (r != CLV_OK) {
		vault_wake(a, r, clv_result_text(r));
		return;
	}
	a->page_name[0] = '\0';
	a->page_rows = 0;
	a->page_counter = clv_index_counter(a->index);
	ask_page(a);
}

void
vault_index_follow(struct vault_app *a)
{
	a->indexed = false;
}
