/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/cli_rotate.h"
#include "daemon/rotate/rewrap.h"

#define LOOK_MS 250
#define SILENCE_MS 60000 /* a failover takes a fraction of it */
#define BAR 40

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int
cli_rotation_read(const struct cli_answer *a, struct cli_rotation *ret)
{
	struct clv_rd rd;

	clv_rd_init(&rd, a->data.data, a->data.len);
	ret->generation = clv_rd_u32(&rd);
	ret->state = clv_rd_u8(&rd);
	ret->total = clv_rd_u64(&rd);
	ret->left = clv_rd_u64(&rd);
	ret->damaged = clv_rd_u64(&rd);
	ret->reencrypted = clv_rd_u64(&rd);
	ret->not_reencrypted = clv_rd_u64(&rd);
	clv_rd_str(&rd, ret->why, sizeof(ret->why));
	cli_printable(ret->why);
	clv_rd_str(&rd, ret->late, sizeof(ret->late));
	cli_printable(ret->late);
	return clv_rd_end(&rd);
}

const char *
cli_rotation_state(const struct cli_rotation *s)
{
	switch ((enum rewrap_state)s->state) {
	case REWRAP_IS_IDLE: return "idle";
	case REWRAP_IS_TO_COME: return "published";
	case REWRAP_IS_MAKING_KEYS: return "new data keys";
	case REWRAP_IS_RUNNING: return "rewrapping";
	case REWRAP_IS_REENCRYPTING: return "re-encrypting";
	case REWRAP_IS_DONE: break;
	}
	return "done";
}

bool
cli_rotation_goes_on(const struct cli_rotation *s)
{
	return s->state != REWRAP_IS_IDLE && s->state != REWRAP_IS_DONE;
}

int
cli_rotation_look(struct cli *c, struct cli_rotation *ret)
{
	struct cli_answer a;
	struct clv_buf b;
	int r;

	cli_answer_init(&a);
	cli_admin_begin(&b, ADMIN_ROTATE_STATE);
	r = cli_admin_look(c, &b, &a);
	if (r == CLV_OK)
		r = cli_rotation_read(&a, ret);
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}

/* One line, drawn over itself; not for a file. */
static void
draw_published(const struct cli_rotation *s, const char *why)
{
	fprintf(stderr, "\r\033[K... generation %u is published%s%.100s",
	    s->generation, why[0] != '\0' ? ": " : "", why);
}

static void
draw_bar(const struct cli_rotation *s, const char *why)
{
	uint64_t done = s->total - (s->left < s->total ? s->left : s->total);
	unsigned filled =
	    s->total > 0 ? (unsigned)(done * BAR / s->total) : BAR;
	char bar[BAR + 1];

	memset(bar, ' ', BAR);
	memset(bar, '#', filled);
	bar[BAR] = '\0';
	fprintf(stderr, "\r\033[K... %s [%s] %" PRIu64 " of %" PRIu64 "%s%.60s",
	    cli_rotation_state(s), bar, done, s->total,
	    why[0] != '\0' ? ": " : "", why);
}

static void
draw(const struct cli_rotation *s, const char *why)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (s->state == REWRAP_IS_TO_COME)
		draw_published(s, why);
	else
		draw_bar(s, why);
}

static void
end_line(void)
{
	if (isatty(STDERR_FILENO))
		fputc('\n', stderr);
}

static int
all_done(struct cli *c, const struct cli_rotation *s)
{
	draw(s, "");
	end_line();
	if (s->damaged > 0)
		return cli_fail(c, CLV_E_DAMAGED,
		    "the log of the active server names them; claviger doctor",
		    "%" PRIu64 " keys in the database do not open, or their "
		    "application is damaged, and were not rewrapped",
		    s->damaged);
	if (s->not_reencrypted > 0)
		return cli_fail(c, CLV_E_DAMAGED,
		    "the log of the active server names them; claviger doctor",
		    "%" PRIu64 " records or applications could not be "
		    "re-encrypted",
		    s->not_reencrypted);
	return CLV_OK;
}

int
cli_rotation_follow(
    struct cli *c, uint32_t generation, struct cli_rotation *ret)
{
	const struct timespec pause = {0, LOOK_MS * 1000000};
	uint64_t heard = now_ms();
	int r;

	for (;;) {
		r = cli_rotation_look(c, ret);
		if (r == CLV_OK && ret->state == REWRAP_IS_DONE &&
		    ret->generation >= generation)
			return all_done(c, ret);
		if (r == CLV_OK && cli_rotation_goes_on(ret))
			heard = now_ms();
		draw(ret, r == CLV_OK ? ret->why : clv_result_text(r));
		if (now_ms() - heard >= SILENCE_MS)
			break;
		nanosleep(&pause, NULL);
	}
	end_line();
	return cli_fail(c, r != CLV_OK ? r : CLV_E_NOT_ACTIVE,
	    "claviger status; claviger rotate shows how far it is",
	    "no active server has gone on with the rotation for %u s: the next "
	    "one does by itself",
	    SILENCE_MS / 1000);
}
