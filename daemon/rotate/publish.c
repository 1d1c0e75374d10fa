/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include <claviger/result.h>

#include "daemon/admin/admin.h"
#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"

static void
on_look(void *arg)
{
	publish_wake(arg);
}

static void
look_in(struct keeper *k, uint64_t ms)
{
	(void)loop_timer_set(k->loop, &k->publish.timer, ms, on_look, k);
}

const struct clv_list_generation *
publish_find(const struct clv_list *list)
{
	for (size_t i = 0; i < list->generation_count; i++)
		if (list->generations[i].state == CLV_GEN_PUBLISHED)
			return &list->generations[i];
	return NULL;
}

/* What came of it, the signed list says. */
static void
on_done(struct keeper *k, void *arg, int result, const void *p, size_t len)
{
	char text[ADMIN_TEXT_MAX];
	struct clv_rd answer;

	(void)arg;
	k->publish.writing = false;
	if (result == CLV_OK) {
		k->publish.why[0] = '\0';
		return;
	}
	clv_rd_init(&answer, p, len);
	clv_rd_u32(&answer);
	clv_rd_str(&answer, text, sizeof(text));
	if (answer.failed)
		snprintf(text, sizeof(text), "%s", clv_result_text(result));
	if (strncmp(k->publish.why, text, sizeof(k->publish.why) - 1) != 0)
		log_warning(
		    "a published generation is not current yet: %s", text);
	snprintf(k->publish.why, sizeof(k->publish.why), "%.159s", text);
	look_in(k, PUBLISH_RETRY_MS);
}

static void
make_current(struct keeper *k, uint32_t generation)
{
	struct admin_origin from = {.done = on_done};
	struct clv_buf args;

	clv_buf_init(&args);
	clv_buf_u32(&args, generation);
	k->publish.writing = true;
	admin_own(k, &from, ADMIN_ROTATE_CURRENT, &args);
	clv_buf_fini(&args);
}

void
publish_wake(struct keeper *k)
{
	const struct clv_list_generation *g = NULL;

	loop_timer_del(k->loop, &k->publish.timer);
	if (serving_in_lease(k) && secret_is_proven(k))
		g = publish_find(k->secret.list);
	if (g == NULL)
		k->publish.why[0] = '\0';
	if (g == NULL || k->publish.writing)
		return;
	if (members_wait(k, g->number, MEMBERS_MEET_MS) && k->admin == NULL)
		make_current(k, g->number);
	else
		look_in(k, MEMBERS_WAIT_LOOK_MS);
}

void
publish_fini(struct keeper *k)
{
	if (k->loop != NULL)
		loop_timer_del(k->loop, &k->publish.timer);
}
