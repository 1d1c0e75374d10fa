/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agents/address.h"
#include "agents/announce.h"
#include "agents/rtnl.h"

/* Against the kernel, in a network namespace that ends with each test. */
static int fd = -1;
static bool possible;

static void
ip_command(const char *args)
{
	char command[256];

	snprintf(command, sizeof(command), "ip %s", args);
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void
setup(void)
{
	possible = unshare(CLONE_NEWNET) == 0;
	if (!possible)
		return; /* not root */
	ip_command("link set lo up");
	ip_command("link add a0 type veth peer name a1");
	ip_command("link set a0 up");
	ip_command("link set a1 up");
	ip_command("addr add 10.1.0.1/24 dev a0");
	ip_command("addr add 2001:db8::1/64 dev a0 nodad");
	ck_assert_int_eq(rtnl_open(0, &fd), 0);
}

static void
teardown(void)
{
	if (fd >= 0)
		close(fd);
	fd = -1;
}

#define NEEDS_ROOT() \
	do { \
		if (!possible) \
			return; \
	} while (0)

static struct rtnl_addr
make(uint8_t family, const char *ip, uint8_t prefix, int ifindex)
{
	struct rtnl_addr a = {.ifindex = ifindex,
	    .family = family,
	    .prefix = prefix,
	    .valid_s = UINT32_MAX,
	    .preferred_s = UINT32_MAX};

	ck_assert_int_eq(inet_pton(family, ip, a.ip), 1);
	memcpy(a.peer, a.ip, sizeof(a.peer));
	return a;
}

static int
ifindex_of(const char *name)
{
	struct rtnl_link l;

	ck_assert_int_eq(rtnl_get_link(fd, name, 0, &l), 0);
	return l.ifindex;
}

static size_t
count(uint8_t family, const char *ip, struct rtnl_addr *ret)
{
	struct rtnl_addr a = make(family, ip, 0, 0);
	size_t n = 99;

	ck_assert_int_eq(
	    rtnl_find_addr(fd, family, a.ip, ret, ret != NULL, &n), 0);
	return n;
}

START_TEST(a_link_is_found_by_name_and_index)
{
	struct rtnl_link l, same;

	NEEDS_ROOT();
	ck_assert_int_eq(rtnl_get_link(fd, "a0", 0, &l), 0);
	ck_assert_str_eq(l.name, "a0");
	ck_assert_uint_eq(l.hw_len, 6);
	ck_assert(l.flags & IFF_UP);
	ck_assert_int_eq(rtnl_get_link(fd, NULL, l.ifindex, &same), 0);
	ck_assert_str_eq(same.name, "a0");
	ck_assert_int_eq(rtnl_peek_link(fd, "a0", 0, &same), 0);
	ck_assert_int_eq(same.ifindex, l.ifindex);
	ck_assert_uint_eq(same.flags & (IFF_UP | IFF_RUNNING),
	    l.flags & (IFF_UP | IFF_RUNNING));
	ck_assert_int_eq(rtnl_peek_link(fd, NULL, l.ifindex, &same), 0);
	ck_assert_str_eq(same.name, "a0");
	ck_assert_int_eq(rtnl_peek_link(fd, NULL, 9999, &same), -ENODEV);
	ck_assert_int_eq(rtnl_peek_link(fd, "no-such-li", 0, &same), -ENODEV);
	ck_assert_int_eq(rtnl_get_link(fd, "no-such-link", 0, &l), -ENODEV);
	ck_assert_int_eq(rtnl_get_link(fd, NULL, 9999, &l), -ENODEV);
}
END_TEST

START_TEST(a_name_that_is_too_long_for_any_link_is_no_link)
{
	struct rtnl_link l;
	char name[300];

	NEEDS_ROOT();
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(rtnl_get_link(fd, name, 0, &l), -ENODEV);
}
END_TEST

START_TEST(a_link_is_set_up)
{
	struct rtnl_link l;

	NEEDS_ROOT();
	ip_command("link set a1 down");
	ck_assert_int_eq(rtnl_set_link_up(fd, ifindex_of("a1")), 0);
	ck_assert_int_eq(rtnl_get_link(fd, "a1", 0, &l), 0);
	ck_assert(l.flags & IFF_UP);
}
END_TEST

static const struct {
	uint8_t family;
	const char *ip;
	uint8_t prefix;
} kinds[] = {{AF_INET, "10.1.0.2", 24}, {AF_INET, "10.9.0.2", 32},
    {AF_INET6, "2001:db8::2", 64}, {AF_INET6, "2001:db8:9::2", 128}};

START_TEST(an_address_is_added_found_and_removed)
{
	struct rtnl_addr a, at;

	NEEDS_ROOT();
	a = make(
	    kinds[_i].family, kinds[_i].ip, kinds[_i].prefix, ifindex_of("a0"));
	if (a.family == AF_INET6)
		a.flags = IFA_F_NODAD;
	ck_assert_uint_eq(count(a.family, kinds[_i].ip, NULL), 0);
	ck_assert_int_eq(rtnl_add_addr(fd, &a), 0);
	ck_assert_uint_eq(count(a.family, kinds[_i].ip, &at), 1);
	ck_assert_int_eq(at.ifindex, a.ifindex);
	ck_assert_uint_eq(at.prefix, kinds[_i].prefix);
	ck_assert_uint_eq(at.flags & IFA_F_TENTATIVE, 0);
	ck_assert_uint_eq(at.valid_s, UINT32_MAX);
	ck_assert_int_eq(rtnl_add_addr(fd, &a), -EEXIST);
	ck_assert_int_eq(rtnl_del_addr(fd, &at), 0);
	ck_assert_uint_eq(count(a.family, kinds[_i].ip, NULL), 0);
	ck_assert_int_eq(rtnl_del_addr(fd, &a), -EADDRNOTAVAIL);
}
END_TEST

START_TEST(every_place_of_an_address_is_found)
{
	NEEDS_ROOT();
	ip_command("addr add 10.1.0.5/24 dev a0");
	ip_command("addr add 10.1.0.5/16 dev a0");
	ip_command("addr add 10.1.0.5/24 dev a1");
	ip_command("addr add 10.1.0.5/32 dev lo");
	ck_assert_uint_eq(count(AF_INET, "10.1.0.5", NULL), 4);
}
END_TEST

START_TEST(label_and_broadcast_are_kept)
{
	struct rtnl_addr a, at;

	NEEDS_ROOT();
	a = make(AF_INET, "10.1.0.3", 24, ifindex_of("a0"));
	strcpy(a.label, "a0:x");
	memcpy(a.broadcast, "\x0a\x01\x00\xff", 4);
	a.has_broadcast = true;
	ck_assert_int_eq(rtnl_add_addr(fd, &a), 0);
	ck_assert_uint_eq(count(AF_INET, "10.1.0.3", &at), 1);
	ck_assert_str_eq(at.label, "a0:x");
	ck_assert(at.has_broadcast);
	ck_assert_mem_eq(at.broadcast, a.broadcast, 4);
}
END_TEST

static int
on_any(void *arg, const struct rtnl_addr *a)
{
	size_t *n = arg;

	(*n)++;
	return 0;
}

START_TEST(a_dump_may_be_of_one_link)
{
	size_t all = 0, one = 0;
	int a1;

	NEEDS_ROOT();
	a1 = ifindex_of("a1");
	ip_command("addr add 10.2.0.1/24 dev a1");
	ck_assert_int_eq(rtnl_each_addr(fd, AF_INET, 0, on_any, &all), 0);
	ck_assert_int_eq(rtnl_each_addr(fd, AF_INET, a1, on_any, &one), 0);
	ck_assert_uint_eq(all, 3); /* lo, a0, a1 */
	ck_assert_uint_eq(one, 1);
}
END_TEST

START_TEST(many_addresses_are_all_seen)
{
	struct rtnl_addr a;
	size_t n = 0;
	int i;

	NEEDS_ROOT();
	a = make(AF_INET, "10.5.0.0", 32, ifindex_of("a1"));
	for (i = 0; i < 2000; i++) {
		a.ip[2] = a.peer[2] = (uint8_t)(i / 250);
		a.ip[3] = a.peer[3] = (uint8_t)(1 + i % 250);
		ck_assert_int_eq(rtnl_add_addr(fd, &a), 0);
	}
	ck_assert_int_eq(rtnl_each_addr(fd, AF_INET, a.ifindex, on_any, &n), 0);
	ck_assert_uint_eq(n, 2000);
	ck_assert_uint_eq(count(AF_INET, "10.5.7.250", NULL), 1);
}
END_TEST

static int
find_route(uint8_t family, const char *ip, int ifindex, int *ret_ifindex)
{
	struct rtnl_addr a = make(family, ip, 0, 0);
	uint8_t prefix = 0;
	int err;

	err = rtnl_find_route(fd, family, a.ip, ifindex, ret_ifindex, &prefix);
	return err != 0 ? err : prefix;
}

START_TEST(the_route_tells_link_and_prefix_length)
{
	int at = -1;

	NEEDS_ROOT();
	ck_assert_int_eq(find_route(AF_INET, "10.1.0.77", 0, &at), 24);
	ck_assert_int_eq(at, ifindex_of("a0"));
	ck_assert_int_eq(find_route(AF_INET6, "2001:db8::77", 0, &at), 64);
	ck_assert_int_eq(at, ifindex_of("a0"));
	ck_assert_int_eq(find_route(AF_INET, "127.0.0.9", 0, &at), 8);
	ck_assert_int_eq(at, ifindex_of("lo"));
}
END_TEST

START_TEST(an_address_that_is_here_does_not_answer_for_its_network)
{
	int at = -1;

	NEEDS_ROOT();
	ip_command("addr add 10.1.0.77/24 dev a0");
	ck_assert_int_eq(find_route(AF_INET, "10.1.0.77", 0, &at), 24);
	ck_assert_int_eq(at, ifindex_of("a0"));
}
END_TEST

START_TEST(the_longest_prefix_wins)
{
	int at = -1;

	NEEDS_ROOT();
	ip_command("addr add 10.0.0.1/8 dev a1");
	ck_assert_int_eq(find_route(AF_INET, "10.1.0.77", 0, &at), 24);
	ck_assert_int_eq(find_route(AF_INET, "10.7.0.77", 0, &at), 8);
	ck_assert_int_eq(at, ifindex_of("a1"));
	ck_assert_int_eq(
	    find_route(AF_INET, "10.1.0.77", ifindex_of("a1"), &at), 8);
}
END_TEST

START_TEST(what_is_behind_a_gateway_is_no_connected_network)
{
	int at = -1;

	NEEDS_ROOT();
	ck_assert_int_eq(
	    find_route(AF_INET, "192.0.2.1", 0, &at), -ENETUNREACH);
	ck_assert_int_eq(at, 0);
	ip_command("route add default via 10.1.0.254");
	ck_assert_int_eq(
	    find_route(AF_INET, "192.0.2.1", 0, &at), -ENETUNREACH);
	ck_assert_int_eq(at, ifindex_of("a0"));
	ck_assert_int_eq(
	    find_route(AF_INET, "192.0.2.1", ifindex_of("a1"), &at),
	    -ENETUNREACH);
	ck_assert_int_eq(at, 0);
}
END_TEST

START_TEST(secondary_addresses_survive_the_primary)
{
	struct rtnl_addr at;

	NEEDS_ROOT();
	ip_command("addr add 10.6.0.1/24 dev a1");
	ip_command("addr add 10.6.0.2/24 dev a1");
	ip_command("addr add 10.6.0.3/24 dev a1 label a1:three");
	ip_command("addr add 10.6.0.4/25 dev a1");
	ck_assert_uint_eq(count(AF_INET, "10.6.0.1", &at), 1);
	ck_assert_uint_eq(at.flags & IFA_F_SECONDARY, 0);
	ck_assert_int_eq(address_remove(fd, &at), 0);
	ck_assert_uint_eq(count(AF_INET, "10.6.0.1", NULL), 0);
	ck_assert_uint_eq(count(AF_INET, "10.6.0.2", NULL), 1);
	ck_assert_uint_eq(count(AF_INET, "10.6.0.3", &at), 1);
	ck_assert_str_eq(at.label, "a1:three");
	ck_assert_uint_eq(count(AF_INET, "10.6.0.4", NULL), 1);
}
END_TEST

START_TEST(connections_of_an_address_are_reset_and_no_others)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t len = sizeof(sa);
	struct rtnl_addr a;
	unsigned n = 99;
	int l = socket(AF_INET, SOCK_STREAM, 0), c[2], i;
	char byte;

	NEEDS_ROOT();
	ip_command("addr add 10.1.0.2/24 dev a0");
	ck_assert_int_eq(bind(l, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(l, 4), 0);
	ck_assert_int_eq(getsockname(l, (struct sockaddr *)&sa, &len), 0);
	for (i = 0; i < 2; i++) {
		inet_pton(
		    AF_INET, i == 0 ? "10.1.0.2" : "10.1.0.1", &sa.sin_addr);
		c[i] = socket(AF_INET, SOCK_STREAM, 0);
		ck_assert_int_eq(
		    connect(c[i], (struct sockaddr *)&sa, sizeof(sa)), 0);
	}
	a = make(AF_INET, "10.1.0.2", 24, 0);
	ck_assert_int_eq(tcp_reset(AF_INET, a.ip, &n), 0);
	/* This host is both ends, and one may have ended the other. */
	ck_assert(n == 1 || n == 2);
	ck_assert_int_eq(recv(c[0], &byte, 1, MSG_DONTWAIT), -1);
	ck_assert(errno == ECONNRESET || errno == ECONNABORTED);
	ck_assert_int_eq(recv(c[1], &byte, 1, MSG_DONTWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(tcp_reset(AF_INET, a.ip, &n), 0);
	ck_assert_uint_eq(n, 0);
}
END_TEST

static struct announce
sample(void)
{
	struct announce a = {.link = {.hw = {2, 0, 0, 0, 0, 7},
				 .hw_len = 6,
				 .type = 1,
				 .flags = IFF_UP}};

	memcpy(a.ip, "\x0a\x01\x00\x02", 4);
	a.family = AF_INET;
	return a;
}

START_TEST(an_arp_announcement_is_as_the_standard_says)
{
	static const uint8_t request[28] = {0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0,
	    0, 7, 10, 1, 0, 2, 0, 0, 0, 0, 0, 0, 10, 1, 0, 2};
	static const uint8_t reply[28] = {0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0,
	    7, 10, 1, 0, 2, 2, 0, 0, 0, 0, 7, 10, 1, 0, 2};
	struct announce a = sample();
	uint8_t got[28];

	announce_arp(&a, false, got);
	ck_assert_mem_eq(got, request, 28);
	announce_arp(&a, true, got);
	ck_assert_mem_eq(got, reply, 28);
}
END_TEST

START_TEST(a_neighbour_advertisement_is_as_the_standard_says)
{
	uint8_t want[32] = {
	    136, 0, 0, 0, 0x20, [24] = 2, [25] = 1, [26] = 2, [31] = 7};
	struct announce a = sample();
	uint8_t got[32];

	a.family = AF_INET6;
	inet_pton(AF_INET6, "2001:db8::2", a.ip);
	memcpy(want + 8, a.ip, 16);
	announce_na(&a, false, got);
	ck_assert_mem_eq(got, want, 32);
	announce_na(&a, true, got);
	want[4] = 0xa0;
	ck_assert_mem_eq(got, want, 32);
}
END_TEST

START_TEST(nothing_is_announced_where_nobody_hears)
{
	struct announce a = sample();

	ck_assert(announce_is_possible(&a.link));
	a.link.flags = IFF_LOOPBACK;
	ck_assert(!announce_is_possible(&a.link));
	a.link.flags = IFF_NOARP;
	ck_assert(!announce_is_possible(&a.link));
	a.link.flags = 0;
	a.link.hw_len = 20; /* InfiniBand */
	ck_assert(!announce_is_possible(&a.link));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("rtnl");
	TCase *t = tcase_create("kernel");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 20);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_link_is_found_by_name_and_index);
	tcase_add_test(t, a_name_that_is_too_long_for_any_link_is_no_link);
	tcase_add_test(t, a_link_is_set_up);
	tcase_add_loop_test(t, an_address_is_added_found_and_removed, 0,
	    sizeof(kinds) / sizeof(kinds[0]));
	tcase_add_test(t, every_place_of_an_address_is_found);
	tcase_add_test(t, label_and_broadcast_are_kept);
	tcase_add_test(t, a_dump_may_be_of_one_link);
	tcase_add_test(t, many_addresses_are_all_seen);
	tcase_add_test(t, the_route_tells_link_and_prefix_length);
	tcase_add_test(
	    t, an_address_that_is_here_does_not_answer_for_its_network);
	tcase_add_test(t, the_longest_prefix_wins);
	tcase_add_test(t, what_is_behind_a_gateway_is_no_connected_network);
	tcase_add_test(t, secondary_addresses_survive_the_primary);
	tcase_add_test(t, connections_of_an_address_are_reset_and_no_others);
	tcase_add_test(t, an_arp_announcement_is_as_the_standard_says);
	tcase_add_test(t, a_neighbour_advertisement_is_as_the_standard_says);
	tcase_add_test(t, nothing_is_announced_where_nobody_hears);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
