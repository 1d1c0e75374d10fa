/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"
#include "daemon/keeper/secret_impl.h"

/* How often another server may come first before that is told. */
#define OTHERS_MAX 3

struct audit_entry {
	struct audit_entry *next;
	uint64_t lost; /* before it */
	struct clv_buf fields;
};

/* ---- the queue ---- */

static void
entry_drop(struct audit *a)
{
	struct audit_entry *e = a->first;

	a->first = e->next;
	a->queued--;
	clv_buf_fini(&e->fields);
	free(e);
}

static struct audit_entry *
entry_new(struct audit *a, const struct audit_row *row)
{
	struct audit_entry *e;

	if (a->queued >= AUDIT_QUEUE_MAX || (e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	e->lost = row->lost;
	clv_buf_init(&e->fields);
	audit_fields_format(row, &e->fields);
	if (clv_buf_result(&e->fields) == CLV_OK)
		return e;
	clv_buf_fini(&e->fields);
	free(e);
	return NULL;
}

static void
lose(struct audit *a, uint64_t n)
{
	if (a->lost_unsaid == 0)
		log_warning("the audit trail's queue is full: what happens "
			    "now is in this log alone");
	a->lost += n;
	a->lost_unsaid += n;
}

static void
push(struct audit *a, const struct audit_row *row)
{
	struct audit_entry *e = entry_new(a, row);

	if (e == NULL) {
		lose(a, 1);
		return;
	}
	a->lost_unsaid = 0;
	if (a->first == NULL)
		a->first = e;
	else
		a->last->next = e;
	a->last = e;
	a->queued++;
}

static void
copy(char *dst, size_t cap, const char *src)
{
	snprintf(dst, cap, "%s", src);
}

void
audit_note(struct keeper *k, const struct audit_note *n)
{
	struct audit_row row = {.time_s = (uint64_t)time(NULL)};

	if (!config_is_server(k->config) || k->identity == NULL)
		return;
	row.epoch = n->epoch != 0 ? n->epoch : k->serving.epoch;
	copy(row.node, sizeof(row.node), k->identity->name);
	copy(row.who, sizeof(row.who), n->who);
	copy(row.operation, sizeof(row.operation), n->operation);
	copy(row.object, sizeof(row.object), n->object);
	copy(row.result, sizeof(row.result), clv_result_name(n->result));
	copy(row.text, sizeof(row.text), n->text);
	row.lost = k->audit.lost_unsaid;
	log_info("audit: %s: %s %s: %s%s%.200s", n->who, n->operation,
	    n->object, row.result, n->text[0] != '\0' ? ": " : "", n->text);
	push(&k->audit, &row);
	audit_wake(k);
}

/* A bucket that is filled again by time. */
static bool
may_refuse(struct audit *a, uint64_t now)
{
	uint64_t n = (now - a->refused_ms) / AUDIT_REFUSED_MS;

	if (a->refused_ms == 0 || n >= AUDIT_REFUSED_MAX) {
		a->refused_left = AUDIT_REFUSED_MAX;
		a->refused_ms = now;
	} else if (n > 0) {
		a->refused_left += (unsigned)n;
		a->refused_ms += n * AUDIT_REFUSED_MS;
		if (a->refused_left > AUDIT_REFUSED_MAX)
			a->refused_left = AUDIT_REFUSED_MAX;
	}
	if (a->refused_left == 0)
		return false;
	a->refused_left--;
	return true;
}

void
audit_refused(struct keeper *k, const struct audit_note *n)
{
	struct audit *a = &k->audit;
	struct audit_note more = *n;
	char text[AUDIT_TEXT_MAX];

	if (!may_refuse(a, loop_now_ms())) {
		a->refused_more++;
		return;
	}
	if (a->refused_more > 0) {
		snprintf(text, sizeof(text), "%.200s; %llu more before this",
		    n->text, (unsigned long long)a->refused_more);
		more.text = text;
	}
	a->refused_more = 0;
	audit_note(k, &more);
}

/* ---- writing ---- */

/* That the database is away is told elsewhere. */
static bool
is_away(int result)
{
	return result == CLV_E_DATABASE_AWAY || result == CLV_E_UNKNOWN ||
	       result == CLV_E_CANCELLED || result == CLV_E_AGAIN;
}

/* Late it may be once, when this process or the database stood still. */
static void
say_failing(int result, const char *why)
{
	if (result == CLV_E_TIMEOUT)
		log_notice("the database is late with the audit trail");
	else
		log_warning("the database does not take the audit trail: %s; "
			    "it is kept in memory",
		    why);
}

static void
failing(struct keeper *k, int result, const char *why)
{
	struct audit *a = &k->audit;

	if (is_away(result))
		return;
	if (why[0] != '\0' && a->failing[0] == '\0')
		say_failing(result, why);
	if (why[0] == '\0' && a->failing[0] != '\0')
		log_notice("the database takes the audit trail again");
	copy(a->failing, sizeof(a->failing), why);
}

static void
batch_forget(struct audit *a)
{
	a->batch_n = 0;
	clv_buf_fini(&a->batch);
}

/* They are there: from now on they are missed when they are not. */
static void
batch_done(struct keeper *k)
{
	struct audit *a = &k->audit;

	for (; a->batch_n > 0; a->batch_n--) {
		entry_drop(a);
		a->written++;
	}
	a->at = a->batch_head;
	a->next = a->at.seq + 1;
	a->others = 0;
	batch_forget(a);
	audit_head_learn(k, &a->at);
}

static void
on_put(struct keeper *k, void *arg, const struct db_result *r)
{
	struct audit *a = &k->audit;
	uint64_t state = db_u64(r, 0, 0);

	(void)arg;
	a->busy = false;
	if (r->result != CLV_OK) { /* it is tried again as it is */
		failing(k, r->result, r->text);
		return;
	}
	if (state == CLV_AUDIT_DONE || state == CLV_AUDIT_THERE) {
		failing(k, CLV_OK, "");
		a->known = state == CLV_AUDIT_DONE;
		batch_done(k);
	} else {
		a->known = false;
		batch_forget(a);
		if (++a->others > OTHERS_MAX) { /* at the next hello */
			failing(k, CLV_E_MISMATCH,
			    "the newest row is another one each time");
			return;
		}
	}
	audit_wake(k);
}

static int
batch_make(struct keeper *k)
{
	struct audit *a = &k->audit;
	struct audit_entry *e = a->first;
	struct clv_buf row;
	int r = CLV_OK;

	a->batch_head = a->at;
	a->batch_last = a->at.seq;
	a->batch_first = a->next;
	clv_buf_init(&a->batch);
	clv_array_begin(&a->batch, CLV_ARRAY_BYTEA);
	for (; e != NULL && a->batch_n < AUDIT_BATCH_MAX; e = e->next) {
		clv_buf_init(&row);
		r = audit_row_seal(&e->fields, a->next + a->batch_n,
		    k->secret.keyring, &a->batch_head, &row);
		clv_array_add(&a->batch, row.data, row.len);
		clv_buf_fini(&row);
		if (r != CLV_OK)
			break;
		a->batch_n++;
	}
	if (r == CLV_OK)
		r = clv_buf_result(&a->batch);
	if (r != CLV_OK)
		batch_forget(a);
	return r;
}

/* Beside the other statements: what keeps this one waiting must not keep the
 * lease from being renewed. */
static void
batch_put(struct keeper *k)
{
	struct audit *a = &k->audit;
	uint8_t last[8], first[8];
	struct clv_param p[3] = {
	    clv_param_u64(a->batch_last, last),
	    clv_param_u64(a->batch_first, first),
	    clv_param_array(&a->batch),
	};

	a->busy = true;
	db_call_pool(k, CLV_STMT_PUT_AUDIT, p, 3, KEEPER_SQL_MS, on_put, NULL);
}

static void
on_look(struct keeper *k, void *arg, const struct db_result *r)
{
	struct audit *a = &k->audit;
	struct audit_head newest = {0};
	int rc;

	(void)arg;
	if (r->result == CLV_OK) /* it may have something to say in the trail */
		rc = audit_head_judge(k, r, &newest);
	else
		rc = r->result;
	a->busy = false;
	if (rc != CLV_OK) {
		failing(k, rc,
		    r->result != CLV_OK ? r->text
					: "there is no number left in it");
		return;
	}
	if (a->others <= OTHERS_MAX)
		failing(k, CLV_OK, "");
	a->compared = true;
	a->at = newest;
	a->next = (newest.seq > a->seen.seq ? newest.seq : a->seen.seq) + 1;
	a->known = true;
	if (newest.seq > a->seen.seq)
		audit_head_learn(k, &newest);
	audit_wake(k);
}

static void
look(struct keeper *k)
{
	struct audit *a = &k->audit;
	uint8_t seq[8];
	struct clv_param p = clv_param_u64(a->seen.seq, seq);

	a->busy = true;
	a->looked_ms = loop_now_ms();
	db_call_pool(
	    k, CLV_STMT_GET_AUDIT_HEAD, &p, 1, KEEPER_SQL_MS, on_look, NULL);
}

/* Once by every server node, then by the active one. */
static bool
is_due(const struct keeper *k)
{
	if (!k->audit.compared)
		return true;
	return role_serves(k->serving.state) &&
	       loop_now_ms() - k->audit.looked_ms >= AUDIT_LOOK_MS;
}

static void
drained(struct keeper *k)
{
	if (!k->audit.ending)
		return;
	loop_timer_del(k->loop, &k->audit.drain);
	keeper_end(k, k->status);
}

void
audit_wake(struct keeper *k)
{
	struct audit *a = &k->audit;

	if (a->busy || !k->db.known || k->secret.keyring == NULL ||
	    k->secret.list == NULL || !config_is_server(k->config) ||
	    !secret_signs(k))
		return;
	if (a->batch_n > 0)
		batch_put(k);
	else if (a->first == NULL && !is_due(k))
		drained(k);
	else if (!a->known || a->seen.seq >= a->next || is_due(k))
		look(k);
	else if (batch_make(k) == CLV_OK)
		batch_put(k);
}

/* ---- the end ---- */

static void
on_drain(void *arg)
{
	struct keeper *k = arg;

	keeper_end(k, k->status);
}

bool
audit_drain(struct keeper *k, int status)
{
	struct audit *a = &k->audit;

	if (a->ending || a->first == NULL || !k->db.known ||
	    a->failing[0] != '\0')
		return false;
	k->status = status;
	a->ending = loop_timer_set(k->loop, &a->drain, AUDIT_DRAIN_MS, on_drain,
			k) == CLV_OK;
	return a->ending;
}

void
audit_init(struct keeper *k)
{
	if (config_is_server(k->config))
		audit_head_load(k);
}

/* What is not written by now is lost, and the next process says so. */
void
audit_fini(struct keeper *k)
{
	struct audit *a = &k->audit;

	loop_timer_del(k->loop, &a->keep);
	loop_timer_del(k->loop, &a->drain);
	a->dirty |= a->queued > 0;
	a->lost_unsaid += a->queued;
	for (; a->first != NULL; entry_drop(a))
		a->lost_unsaid += a->first->lost;
	if (a->dirty)
		audit_head_save(k);
	batch_forget(a);
	tdestroy(a->grants, free);
}

/* ---- what it says of itself ---- */

enum audit_state
audit_state(const struct keeper *k, const char **ret_why)
{
	const struct audit *a = &k->audit;

	*ret_why = a->broken;
	if (a->broken[0] != '\0')
		return AUDIT_BROKEN;
	*ret_why = a->failing;
	if (a->failing[0] != '\0')
		return AUDIT_NOT_WRITTEN;
	*ret_why = k->db.known ? "" : k->db.why;
	return a->queued > 0 && !k->db.known ? AUDIT_NOT_WRITTEN : AUDIT_FINE;
}

void
audit_format(const struct keeper *k, struct clv_buf *b)
{
	const struct audit *a = &k->audit;
	const char *why;

	clv_buf_u8(b, (uint8_t)audit_state(k, &why));
	clv_buf_u64(b, a->seen.seq);
	clv_buf_raw(b, a->seen.link, sizeof(a->seen.link));
	clv_buf_u64(b, a->queued);
	clv_buf_u64(b, a->written);
	clv_buf_u64(b, a->lost);
	clv_buf_str(b, why);
}
