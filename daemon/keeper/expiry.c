/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <time.h>

#include <claviger/result.h>

#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"
#include "daemon/front/tls.h"

static const char *const whose[] = {
    [EXPIRY_HOST] = "this host",
    [EXPIRY_NAME] = "the network name",
};
static const char *const remedy[] = {
    [EXPIRY_HOST] = "claviger cert rotate --member",
    [EXPIRY_NAME] = "claviger cert rotate --server",
};

enum expiry_step
expiry_step_of(int64_t left_s)
{
	const int days[] = {CERT_WARN_DAYS, 14, 7, 1};
	unsigned step = EXPIRY_NONE;

	while (step < EXPIRY_DAY && left_s / 86400 <= days[step])
		step++;
	return left_s < 0 ? EXPIRY_ENDED : step;
}

static int64_t
end_of(const void *der, size_t len)
{
	struct cert_info info;

	return cert_info(der, len, &info) == CLV_OK ? info.not_after : 0;
}

static void
say(const struct keeper *k, enum expiry_whose who, int64_t left_s)
{
	int days = (int)((left_s < 0 ? -left_s : left_s) / 86400);

	if (left_s >= 0)
		log_warning("the certificate of %s ends in %d day%s: %s",
		    whose[who], days, days == 1 ? "" : "s", remedy[who]);
	else
		log_error("the certificate of %s ended %d day%s ago; %s: %s",
		    whose[who], days, days == 1 ? "" : "s",
		    who == EXPIRY_HOST
			? "who has it pinned goes on trusting it, but where "
			  "enforce_expiry = yes"
		    : k->config->enforce_expiry
			? "it is refused here (enforce_expiry)"
			: "who has it pinned goes on trusting it",
		    remedy[who]);
}

/* Once for each step, down to its end. */
static void
tell(struct keeper *k, enum expiry_whose who)
{
	struct expiry *e = &k->expiry;
	int64_t left_s = e->end_s[who] - (int64_t)time(NULL);
	enum expiry_step step =
	    e->end_s[who] != 0 ? expiry_step_of(left_s) : EXPIRY_NONE;

	if (step > e->told[who])
		say(k, who, left_s);
	e->told[who] = step;
}

static void
on_timer(void *arg)
{
	expiry_look(arg);
}

void
expiry_look(struct keeper *k)
{
	struct clv_buf cert, key;
	const char *name;

	clv_buf_init(&cert);
	clv_buf_init(&key);
	if (cert_pair_load(k->config->state_dir, &cert, &key, &name) == CLV_OK)
		k->expiry.end_s[EXPIRY_HOST] = end_of(cert.data, cert.len);
	clv_buf_fini(&key);
	clv_buf_fini(&cert);
	tell(k, EXPIRY_HOST);
	tell(k, EXPIRY_NAME);
	(void)loop_timer_set(
	    k->loop, &k->expiry.timer, EXPIRY_LOOK_MS, on_timer, k);
}

void
expiry_of_name(struct keeper *k, const void *der, size_t len)
{
	k->expiry.end_s[EXPIRY_NAME] = end_of(der, len);
	tell(k, EXPIRY_NAME);
}

void
expiry_fini(struct keeper *k)
{
	loop_timer_del(k->loop, &k->expiry.timer);
}
