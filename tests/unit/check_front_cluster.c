/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <claviger/result.h>
#include "daemon/front/front.h"
#include "daemon/base/loop.h"
#include "front_rig.h"

/*
 * Run by front-cluster.sh, in namespaces with a corosync.conf of one node whose
 * id is 7; corosync itself is started and stopped here.
 */
#define NODE_ID 7
#define SILENCE_MS 2500

static pid_t corosync;

static void
corosync_start(void)
{
	int null;

	corosync = fork();
	ck_assert_int_ge(corosync, 0);
	if (corosync == 0) {
		null = open("/dev/null", O_RDWR);
		dup2(null, 1);
		dup2(null, 2);
		execlp("corosync", "corosync", "-f", (char *)NULL);
		_exit(127);
	}
}

static void
corosync_kill(void)
{
	kill(corosync, SIGKILL);
	waitpid(corosync, NULL, 0);
	corosync = 0;
}

struct cluster {
	bool configured, connected, quorate;
	uint32_t members;
};

static void
cluster_get(struct cluster *ret)
{
	struct clv_buf b;
	struct clv_rd rd;

	keeper_get(CHAN_CLUSTER, &b);
	clv_rd_init(&rd, b.data, b.len);
	ret->configured = clv_rd_u8(&rd) != 0;
	ret->connected = clv_rd_u8(&rd) != 0;
	ret->quorate = clv_rd_u8(&rd) != 0;
	ret->members = clv_rd_u32(&rd);
	ck_assert_uint_le(clv_rd_u64(&rd), loop_now_ms());
	ck_assert_int_eq(clv_rd_end(&rd), CLV_OK);
	clv_buf_fini(&b);
	ck_assert(ret->configured);
	/* Nothing is claimed without a connection. */
	ck_assert(ret->connected || (!ret->quorate && ret->members == 0));
}

/* When was that known which is said next? */
static uint64_t
newest_report(void)
{
	struct clv_buf b;
	struct clv_rd rd;
	uint64_t when_ms;

	keeper_get(CHAN_CLUSTER, &b);
	clv_rd_init(&rd, b.data, b.len);
	(void)clv_rd_raw(&rd, 3 + 4);
	when_ms = clv_rd_u64(&rd);
	clv_buf_fini(&b);
	return when_ms;
}

static void
wait_quorate(uint32_t members)
{
	uint64_t end_ms = loop_now_ms() + WAIT_MS;
	struct cluster c = {0};

	while (!c.quorate || c.members != members) {
		ck_assert_uint_lt(loop_now_ms(), end_ms);
		cluster_get(&c);
	}
	ck_assert(c.connected);
}

static void
drain(void)
{
	struct cluster c;

	while (keeper_has(CHAN_CLUSTER, 0))
		cluster_get(&c);
}

static void
cast(const void *p, size_t len)
{
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_bytes(&b, p, len);
	keeper_send(CHAN_CAST, &b);
}

/* The next delivery; is it our own? */
static bool
delivered(const void *p, size_t len)
{
	struct clv_buf b;
	struct clv_rd rd;
	const uint8_t *got;
	size_t n;
	bool self;

	keeper_get(CHAN_DELIVER, &b);
	clv_rd_init(&rd, b.data, b.len);
	ck_assert_uint_eq(clv_rd_u32(&rd), NODE_ID);
	self = clv_rd_u8(&rd) != 0;
	got = clv_rd_bytes(&rd, &n);
	ck_assert_int_eq(clv_rd_end(&rd), CLV_OK);
	ck_assert_uint_eq(n, len);
	ck_assert_mem_eq(got, p, len);
	clv_buf_fini(&b);
	return self;
}

static void
setup(void)
{
	ck_assert_int_ge(sodium_init(), 0);
	config_defaults(&config);
	strcpy(config.cluster, "yes");
	strcpy(config.system, "c3lzdGVtIGtleSBvZiBhIHRlc3QgY2x1c3Rlcg==");
	front_rig_start();
}

static void
teardown(void)
{
	front_rig_stop();
	if (corosync > 0)
		corosync_kill();
}

START_TEST(messages_come_back_in_order_and_are_known_as_our_own)
{
	static uint8_t big[16384];
	int i;

	corosync_start();
	wait_quorate(1);
	randombytes_buf(big, sizeof(big));
	cast(big, sizeof(big));
	ck_assert(delivered(big, sizeof(big)));
	for (i = 0; i < 500; i++)
		cast(&i, sizeof(i));
	for (i = 0; i < 500; i++)
		ck_assert(delivered(&i, sizeof(i)));
}
END_TEST

START_TEST(message_above_the_limit_is_not_sent)
{
	static uint8_t big[16385];

	corosync_start();
	wait_quorate(1);
	cast(big, sizeof(big));
	cast("small", 5);
	ck_assert(delivered("small", 5));
}
END_TEST

/* More than the channel to the keeper holds, while that one does not read. */
START_TEST(a_flood_leaves_room_for_what_corosync_says)
{
	static uint8_t big[16384];
	uint64_t flood_ms;

	corosync_start();
	wait_quorate(1);
	for (int i = 0; i < 6000; i++) {
		cast(big, sizeof(big));
		if (i % 32 == 0)
			poll(NULL, 0, 10); /* not faster than corosync */
	}
	flood_ms = loop_now_ms();
	while (newest_report() < flood_ms)
		ck_assert_uint_lt(loop_now_ms() - flood_ms, WAIT_MS);
	wait_quorate(1);
}
END_TEST

START_TEST(absent_corosync_is_said_and_found_when_it_comes)
{
	struct cluster c;

	cluster_get(&c);
	ck_assert(!c.connected);
	cluster_get(&c);
	ck_assert(!c.connected);
	cast("to nobody", 9);
	corosync_start();
	wait_quorate(1);
	cast("after", 5);
	ck_assert(delivered("after", 5)); /* and not what was too early */
}
END_TEST

START_TEST(killed_corosync_is_said_at_once_and_found_again)
{
	uint64_t begin;
	struct cluster c;

	corosync_start();
	wait_quorate(1);
	drain();
	begin = loop_now_ms();
	corosync_kill();
	cluster_get(&c);
	while (c.connected)
		cluster_get(&c);
	ck_assert_uint_lt(loop_now_ms() - begin, 500);
	corosync_start();
	wait_quorate(1);
	cast("again", 5);
	ck_assert(delivered("again", 5));
}
END_TEST

START_TEST(frozen_corosync_silences_the_front_which_serves_on)
{
	corosync_start();
	wait_quorate(1);
	ck_assert_int_eq(kill(corosync, SIGSTOP), 0);
	/* One that was under way may still come. */
	poll(NULL, 0, 1000);
	drain();
	ck_assert(!keeper_has(CHAN_CLUSTER, SILENCE_MS));
	/* The loop lives. */
	ck_assert_int_eq(keeper_listen("127.0.0.1", 8391), CLV_E_NOT_READY);
	ck_assert_int_eq(kill(corosync, SIGCONT), 0);
	wait_quorate(1);
}
END_TEST

/* front-cluster.sh has made an entry for "nobody" in uidgid.d. */
START_TEST(unprivileged_front_is_admitted_by_its_entry)
{
	front_rig_stop();
	front_user = "nobody";
	front_rig_start();
	corosync_start();
	wait_quorate(1);
	cast("hello", 5);
	ck_assert(delivered("hello", 5));
}
END_TEST

START_TEST(unprivileged_front_without_an_entry_is_not_connected)
{
	struct cluster c;
	int i;

	corosync_start();
	wait_quorate(1);
	front_rig_stop();
	front_user = "daemon";
	front_rig_start();
	for (i = 0; i < 2; i++) {
		cluster_get(&c);
		ck_assert(!c.connected);
	}
}
END_TEST

/* Members come and go: another front joins the same group. It has another pid
 * on the same node, so it is no other node, and its messages are not ours. */
START_TEST(another_process_of_this_node_counts_as_no_other_node)
{
	struct chan *spare;
	pid_t first = front_pid;
	int link = front_link;

	corosync_start();
	wait_quorate(1);
	spare = front_rig_swap(NULL);
	front_rig_start();
	wait_quorate(1);
	cast("from the second", 15);
	ck_assert(delivered("from the second", 15));
	spare = front_rig_swap(spare);
	ck_assert(!delivered("from the second", 15));
	wait_quorate(1);
	spare = front_rig_swap(spare);
	front_rig_stop();
	front_rig_swap(spare);
	front_pid = first;
	front_link = link;
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("front_cluster");
	TCase *t = tcase_create("cluster");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 40);
	tcase_add_test(t, messages_come_back_in_order_and_are_known_as_our_own);
	tcase_add_test(t, message_above_the_limit_is_not_sent);
	tcase_add_test(t, a_flood_leaves_room_for_what_corosync_says);
	tcase_add_test(t, absent_corosync_is_said_and_found_when_it_comes);
	tcase_add_test(t, killed_corosync_is_said_at_once_and_found_again);
	tcase_add_test(t, frozen_corosync_silences_the_front_which_serves_on);
	tcase_add_test(t, another_process_of_this_node_counts_as_no_other_node);
	tcase_add_test(t, unprivileged_front_is_admitted_by_its_entry);
	tcase_add_test(t, unprivileged_front_without_an_entry_is_not_connected);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
