/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/cli/status/cli_status.h"
#include "suite.h"

/* What is judged, and shown, of one status. */

static struct cli_status s;
static char *shown;
static size_t shown_len;

static void
set_up(void)
{
	memset(&s, 0, sizeof(s));
	s.daemon = s.ready = true;
	s.st.role = CTL_ROLE_STANDBY;
	snprintf(s.st.node, sizeof(s.st.node), "n1");
}

static void
tear_down(void)
{
	free(shown);
	shown = NULL;
}

static bool
shows(const char *text)
{
	return strstr(shown, text) != NULL;
}

static void
measure(void)
{
	FILE *f;

	free(shown);
	shown = NULL;
	f = open_memstream(&shown, &shown_len);
	ck_assert_ptr_nonnull(f);
	cli_status_metrics(f, &s);
	ck_assert_int_eq(fclose(f), 0);
}

/* As text, plain or not, or as HTML. */
static void
show(bool html, struct cli_paper paper)
{
	struct cli_page p = {NULL, 0};
	FILE *f;

	free(shown);
	shown = NULL;
	f = open_memstream(&shown, &shown_len);
	ck_assert_ptr_nonnull(f);
	cli_status_page(&s, &p);
	if (html)
		cli_page_html(f, &p, "<title>");
	else
		cli_page_text(f, &p, paper);
	ck_assert_int_eq(fclose(f), 0);
	cli_page_fini(&p);
}

static unsigned
times(const char *text)
{
	unsigned n = 0;

	for (const char *p = shown; (p = strstr(p, text)) != NULL; p++)
		n++;
	return n;
}

START_TEST(text_has_no_colour_by_itself)
{
	show(false, (struct cli_paper){false, false});
	ck_assert(shows("this node     n1: standby: ready to take over\n"));
	ck_assert(shows("failover here would work"));
	ck_assert(!shows("\033"));
}
END_TEST

START_TEST(what_is_wrong_is_red_and_ends_being_so)
{
	s.ready = false;
	s.st.role = CTL_ROLE_LOCKED;
	show(false, (struct cli_paper){true, false});
	ck_assert(shows("\033[1;31mn1: locked: not ready: it cannot "
			"serve\033[0m\n"));
	ck_assert(!shows("\033[H"));
	ck_assert_uint_eq(
	    times("\033[1;31m") + times("\033[32m") + times("\033[33m"),
	    times("\033[0m"));
}
END_TEST

START_TEST(a_redrawn_page_leaves_nothing_of_the_one_before)
{
	show(false, (struct cli_paper){false, true});
	ck_assert_int_eq(strncmp(shown, "\033[H", 3), 0);
	ck_assert_uint_eq(times("\033[K\n"), times("\n"));
	ck_assert(shows("\033[J"));
}
END_TEST

START_TEST(a_page_for_a_browser_is_escaped_and_alone)
{
	snprintf(s.st.reason, sizeof(s.st.reason),
	    "<script>alert('1')</script>&\"x\"");
	show(true, (struct cli_paper){false, false});
	ck_assert(shows("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"
			"&amp;&quot;x&quot;"));
	ck_assert(shows("<title>&lt;title&gt;</title>"));
	ck_assert(!shows("<script"));
	ck_assert(!shows("http"));
	ck_assert(!shows("url("));
	ck_assert(!shows(" src="));
	ck_assert_uint_eq(times("<div>"), times("</div>"));
	ck_assert_uint_eq(times("<dd"), times("</dd>"));
	ck_assert(shows("<dd class=\"good\">n1: standby"));
	ck_assert(shows("name=\"viewport\""));
	ck_assert(shows("prefers-color-scheme:dark"));
}
END_TEST

START_TEST(a_certificate_is_told_of_before_its_end)
{
	s.cert_count = 2;
	s.certs[0] = (struct cli_status_cert){"host", "n1", 40 * 86400};
	s.certs[1] =
	    (struct cli_status_cert){"network-name", "mss", 29 * 86400 + 9};
	show(true, (struct cli_paper){false, false});
	ck_assert(shows("<dd>n1: 40 days left</dd>\n<dd class=\"warn\">mss: "
			"ENDS in 29 days"));
	s.certs[1].left_s = -86400;
	show(true, (struct cli_paper){false, false});
	ck_assert(shows("<dd class=\"bad\">mss: ENDED 1 day ago"));
}
END_TEST

START_TEST(a_label_holds_any_text)
{
	snprintf(s.st.network_name, sizeof(s.st.network_name), "a\"b\\c\nd");
	measure();
	ck_assert(shows(",network_name=\"a\\\"b\\\\c\\nd\",system=\"\"} 1\n"));
}
END_TEST

START_TEST(what_is_not_known_is_not_measured)
{
	measure();
	ck_assert(!shows("quorate"));
	ck_assert(!shows("backup"));
	ck_assert(!shows("escrow"));
	ck_assert(!shows("rotation"));
	ck_assert(!shows("claviger_member"));
	ck_assert(!shows("certificate"));
	s.backup.known = true;
	s.own_known = true;
	s.own.age_ms = UINT64_MAX;
	measure();
	ck_assert(shows("\nclaviger_backup_generation 0\n"));
	ck_assert(!shows("backup_age"));
	ck_assert(shows("\nclaviger_member_state{state=\"none\"} 1\n"));
	ck_assert(!shows("refresh_age"));
	s.daemon = false;
	measure();
	ck_assert(shows("\nclaviger_up 0\n"));
	ck_assert(!shows("claviger_role"));
}
END_TEST

START_TEST(one_role_and_one_state_is_one)
{
	s.own_known = true;
	s.own.state = CLV_MEMBER_AWAY;
	s.own.age_ms = 61005;
	measure();
	ck_assert(shows("\nclaviger_role{role=\"standby\"} 1\n"));
	ck_assert(shows("\nclaviger_role{role=\"active\"} 0\n"));
	ck_assert(shows("\nclaviger_active 0\n"));
	ck_assert(shows("\nclaviger_member_state{state=\"away\"} 1\n"));
	ck_assert(shows("\nclaviger_member_state{state=\"fresh\"} 0\n"));
	ck_assert(shows("\nclaviger_member_refresh_age_seconds 61.005\n"));
}
END_TEST

START_TEST(a_certificate_that_has_ended_is_below_zero)
{
	s.cert_count = 2;
	s.certs[0] = (struct cli_status_cert){"host", "n1", 100};
	s.certs[1] = (struct cli_status_cert){"network-name", "mss", -5};
	measure();
	ck_assert(shows("{party=\"host\",name=\"n1\"} 100\n"));
	ck_assert(shows("{party=\"network-name\",name=\"mss\"} -5\n"));
}
END_TEST

START_TEST(the_worst_is_the_result)
{
	ck_assert_int_eq(cli_status_judge(&s), CLV_OK);
	s.ready = false;
	ck_assert_int_eq(cli_status_judge(&s), CLV_E_NOT_READY);
	s.daemon = false;
	s.result = CLV_E_NO_SERVER;
	ck_assert_int_eq(cli_status_judge(&s), CLV_E_NO_SERVER);
	s.member = true;
	ck_assert_int_eq(cli_status_judge(&s), CLV_E_NOT_READY);
	s.daemon = true;
	ck_assert_int_eq(cli_status_judge(&s), CLV_E_AWAY);
}
END_TEST

START_TEST(who_is_active_is_named)
{
	ck_assert_ptr_null(cli_status_active_node(&s));
	s.st.active_number = 2;
	ck_assert_ptr_nonnull(strstr(cli_status_active_node(&s), "not in"));
	s.st.role = CTL_ROLE_AWAY;
	ck_assert_str_eq(cli_status_active_node(&s), "n1");
}
END_TEST

static Suite *
suite(void)
{
	Suite *suite = suite_create("cli_status");
	TCase *t = tcase_create("forms");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, text_has_no_colour_by_itself);
	tcase_add_test(t, what_is_wrong_is_red_and_ends_being_so);
	tcase_add_test(t, a_redrawn_page_leaves_nothing_of_the_one_before);
	tcase_add_test(t, a_page_for_a_browser_is_escaped_and_alone);
	tcase_add_test(t, a_certificate_is_told_of_before_its_end);
	tcase_add_test(t, a_label_holds_any_text);
	tcase_add_test(t, what_is_not_known_is_not_measured);
	tcase_add_test(t, one_role_and_one_state_is_one);
	tcase_add_test(t, a_certificate_that_has_ended_is_below_zero);
	tcase_add_test(t, the_worst_is_the_result);
	tcase_add_test(t, who_is_active_is_named);
	suite_add_tcase(suite, t);
	return suite;
}

int
main(void)
{
	return suite_run(suite());
}
