/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <claviger/guard.h>
#include <claviger/result.h>
#include <claviger/wire.h>

#include "suite.h"
#include "tls_party.h"

/*
 * claviger join, as a process, against servers that are played here: what a
 * host does that has a token, and above all what it does not, when the other
 * end is not the system that the token names. As root; skipped otherwise.
 */
#define WAIT_MS 20000
#define HOST "web1"

static struct clv_guard *guard;
static struct clv_keyring *keyring, *other_system;
static struct clv_token *token;
static struct party server, other;
static char dir[64];
static int listener;
static uint8_t seed[32];

/* What the server does otherwise than it should. */
static struct play {
	bool other_system, other_cert, other_binding, other_nonce, other_name;
	bool no_offer, exists, hangs_up, refuses_certificate;
	unsigned busy;	       /* so many proofs are answered so, */
	unsigned stale;	       /* or so */
	bool ends_after_proof; /* without a word */
	int result;	       /* of the greeting, */
	int verdict;	       /* or of the proof */
	/* what came of it */
	unsigned greetings, proofs, good_proofs;
	bool token_seen;
} play;

/* ---- the server ---- */

static int
listen_somewhere(uint16_t *ret_port)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, len), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*ret_port = ntohs(in.sin_port);
	return fd;
}

static bool
pins_any(void *arg, const uint8_t thumb[static 32])
{
	(void)arg;
	(void)thumb;
	return !play.refuses_certificate;
}

static bool
ready(struct tls_conn *c)
{
	struct pollfd p = {.fd = tls_conn_fd(c)};

	p.events = tls_conn_want(c) == CLV_WANT_WRITE ? POLLOUT : POLLIN;
	return poll(&p, 1, WAIT_MS) == 1;
}

static bool
shake(struct tls_conn *c)
{
	int r;

	while ((r = tls_conn_handshake(c)) == CLV_E_AGAIN && ready(c))
		;
	return r == CLV_OK;
}

static bool
get_bytes(struct tls_conn *c, uint8_t *p, size_t len)
{
	size_t n;
	int r;

	while (len > 0) {
		r = tls_conn_read(c, p, len, &n);
		if (r == CLV_E_AGAIN && ready(c))
			continue;
		if (r != CLV_OK)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

static bool
get_frame(struct tls_conn *c, struct clv_buf *ret)
{
	uint8_t head[4], body[CLV_WIRE_REQUEST_MAX];
	size_t len;

	if (!get_bytes(c, head, sizeof(head)))
		return false;
	len = (size_t)head[2] << 8 | head[3];
	ck_assert_uint_eq(head[0] + head[1], 0);
	/* A front takes no more of a host that is not enrolled. */
	ck_assert_uint_le(len, CLV_WIRE_JOIN_MAX);
	if (!get_bytes(c, body, len))
		return false;
	clv_buf_reset(ret);
	clv_buf_raw(ret, body, len);
	for (size_t i = 0; i + sizeof(seed) <= len; i++)
		play.token_seen |= memcmp(body + i, seed, sizeof(seed)) == 0;
	return true;
}

static void
put_answer(struct tls_conn *c, const struct clv_wire_request *q, int result,
    const struct clv_buf *payload)
{
	struct clv_wire_answer a = {.op = q->op,
	    .result = result,
	    .list_version = 7,
	    .epoch = 257,
	    .generation = 1};
	struct clv_buf body = {0}, frame = {0};
	size_t n;

	memcpy(a.nonce, q->nonce, sizeof(a.nonce));
	a.nonce[0] ^= play.other_nonce;
	strcpy(a.name, play.other_name ? "web2" : q->name);
	strcpy(a.server, "n1");
	if (result != CLV_OK)
		strcpy(a.text, "so says the server");
	a.payload = payload->data;
	a.payload_len = payload->len;
	ck_assert_int_eq(clv_wire_answer_format(&a,
			     play.other_system ? other_system : keyring, &body),
	    CLV_OK);
	clv_buf_bytes(&frame, body.data, body.len);
	ck_assert_int_eq(tls_conn_write(c, frame.data, frame.len, &n), CLV_OK);
	ck_assert_uint_eq(n, frame.len);
	clv_buf_fini(&body);
	clv_buf_fini(&frame);
}

static void
greet(struct tls_conn *c, const struct clv_wire_request *q,
    struct clv_wire_offer *o)
{
	struct clv_buf b = {0};

	memset(o, 0, sizeof(*o));
	if (!play.exists) {
		randombytes_buf(o->challenge, sizeof(o->challenge));
		ck_assert_int_eq(tls_conn_binding(c, o->binding), CLV_OK);
	}
	o->binding[0] ^= play.other_binding;
	memcpy(o->thumb[play.proofs & 1],
	    play.other_cert ? other.thumb : server.thumb, 32);
	if (!play.no_offer)
		clv_wire_offer_format(o, &b);
	put_answer(c, q, play.exists ? CLV_E_EXISTS : play.result, &b);
	clv_buf_fini(&b);
}

/* As a keeper judges it. */
static bool
is_good(struct tls_conn *c, const struct clv_wire_request *q,
    const struct clv_buf *frame, const struct clv_wire_offer *o,
    const uint8_t nonce[static 32])
{
	struct clv_token_proof p = {.binding = {0}};
	struct clv_wire_join j;

	if (clv_wire_join_parse(q->payload, q->payload_len, &j) != CLV_OK ||
	    clv_wire_request_verify(frame->data, frame->len, j.party.sign_pk) !=
		CLV_OK ||
	    memcmp(j.party.thumb, tls_conn_thumb(c), 32) != 0 ||
	    strcmp(j.party.name, HOST) != 0 ||
	    memcmp(q->challenge, o->challenge, 32) != 0 ||
	    memcmp(j.token_pk, token->sign_pk, 32) != 0)
		return false;
	memcpy(p.system_pk, clv_keyring_sign_pk(keyring), 32);
	ck_assert_int_eq(tls_conn_binding(c, p.binding), CLV_OK);
	memcpy(p.challenge, o->challenge, 32);
	memcpy(p.nonce, nonce, 32);
	p.party = j.party;
	return clv_token_verify(token->sign_pk, &p, j.proof) == CLV_OK;
}

static void
judge(struct tls_conn *c, const struct clv_wire_request *q)
{
	struct clv_buf b = {0};
	int r = play.verdict;

	if (play.proofs <= play.busy)
		r = CLV_E_BUSY;
	if (play.proofs <= play.stale)
		r = CLV_E_STALE;
	clv_buf_u32(&b, (uint32_t)r); /* daemon/admin/admin.h */
	clv_buf_str(&b, HOST " is enrolled");
	clv_buf_str(&b, r == CLV_OK ? "n3" : "");
	clv_buf_bytes(&b, NULL, 0);
	put_answer(c, q, r, &b);
	clv_buf_fini(&b);
}

static void
talk(struct tls_conn *c)
{
	struct clv_buf frame = {0};
	struct clv_wire_request q;
	struct clv_wire_offer o;
	uint8_t nonce[32];

	while (!play.hangs_up && get_frame(c, &frame)) {
		ck_assert_int_eq(
		    clv_wire_request_parse(frame.data, frame.len, &q), CLV_OK);
		ck_assert_uint_eq(q.op, CLV_WIRE_JOIN);
		if (q.payload_len == 0) {
			play.greetings++;
			memcpy(nonce, q.nonce, sizeof(nonce));
			greet(c, &q, &o);
			continue;
		}
		play.proofs++;
		play.good_proofs += is_good(c, &q, &frame, &o, nonce);
		if (play.ends_after_proof)
			break;
		judge(c, &q);
	}
	clv_buf_fini(&frame);
}

/* Until the host has ended. */
static void
serve(int until)
{
	struct pollfd p[2] = {{listener, POLLIN, 0}, {until, POLLIN, 0}};
	struct tls_conn *c = NULL;
	struct tls_ctx *ctx = NULL;
	int fd;

	ck_assert_int_eq(
	    tls_ctx_new(true, server.cert.data, server.cert.len,
		server.key.data, server.key.len, pins_any, NULL, &ctx),
	    CLV_OK);
	while (poll(p, 2, WAIT_MS) > 0 && p[0].revents != 0) {
		fd =
		    accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(tls_conn_new(ctx, fd, &c), CLV_OK);
		if (shake(c))
			talk(c);
		tls_conn_free(&c);
	}
	tls_ctx_free(&ctx);
}

/* ---- the host ---- */

static char said[8192];

static void
run_host(const char *const *options, int in, int out)
{
	const char *argv[16] = {getenv("CLAVIGER"), "--config", NULL, "join"};
	char path[96];
	int n = 4;

	if (argv[0] == NULL)
		argv[0] = "./claviger";
	snprintf(path, sizeof(path), "%s/claviger.conf", dir);
	argv[2] = path;
	while (*options != NULL)
		argv[n++] = *options++;
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	execv(argv[0], (char *const *)argv);
	_exit(99);
}

/* Its exit status; what it said is in `said`. The token goes to its standard
 * input, a part of it when `len` says so. */
static int
join_with(const char *const *options, size_t len)
{
	int in[2], out[2], status;
	size_t got = 0;
	char *text = NULL;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(clv_token_format(token, &text), CLV_OK);
	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	if (len > strlen(text))
		len = strlen(text);
	ck_assert_int_eq(write(in[1], text, len), (int)len);
	ck_assert_int_eq(write(in[1], " \r\n", 3), 3); /* as it is pasted */
	close(in[1]);
	clv_guard_put(guard, text);
	if ((pid = fork()) == 0)
		run_host(options, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	memset(said, 0, sizeof(said));
	serve(out[0]);
	while ((n = read(out[0], said + got, sizeof(said) - 1 - got)) > 0)
		got += (size_t)n;
	close(out[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
join(void)
{
	const char *options[] = {"-", NULL};

	return join_with(options, SIZE_MAX);
}

static bool
is_there(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static bool
config_says(const char *text)
{
	char path[128], content[4096] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/claviger.conf", dir);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	content[fread(content, 1, sizeof(content) - 1, f)] = '\0';
	fclose(f);
	return strstr(content, text) != NULL;
}

static void
set_up(void)
{
	char path[128];
	uint16_t port;
	FILE *f;

	signal(SIGPIPE, SIG_IGN);
	memset(&play, 0, sizeof(play));
	ck_assert_int_eq(clv_guard_new(1 << 17, &guard), CLV_OK);
	ck_assert_int_eq(clv_keyring_new(guard, &keyring), CLV_OK);
	ck_assert_int_eq(clv_keyring_new(guard, &other_system), CLV_OK);
	ck_assert_int_eq(clv_token_new(guard, &token), CLV_OK);
	memcpy(seed, token->sign_sk, sizeof(seed));
	party_init(&server, "mss");
	party_init(&other, "other");
	listener = listen_somewhere(&port);
	strcpy(token->name, HOST);
	strcpy(token->network_name, "127.0.0.1");
	token->port = port;
	memcpy(token->system_pk, clv_keyring_sign_pk(keyring), 32);
	strcpy(dir, "/tmp/claviger-join.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chmod(dir, 0755), 0);
	snprintf(path, sizeof(path), "%s/claviger.conf", dir);
	f = fopen(path, "w");
	fprintf(f,
	    "state_dir = %s/state\nrun_dir = %s/run\nuser = daemon\n"
	    "front_user = nobody\ncluster = no\n",
	    dir, dir);
	fclose(f);
}

static void
tear_down(void)
{
	static const char *const files[] = {"state/identity", "state/tls.crt",
	    "state/tls.key", "state/machine", "token", "claviger.conf"};
	char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/state", dir);
	rmdir(path);
	ck_assert_int_eq(rmdir(dir), 0);
	close(listener);
	party_fini(&server);
	party_fini(&other);
	clv_token_free(&token);
	clv_keyring_free(&keyring);
	clv_keyring_free(&other_system);
	ck_assert_uint_eq(clv_guard_used(guard), 0);
	clv_guard_free_all(&guard);
}

/* ---- ---- */

START_TEST(a_host_proves_its_token_to_the_right_server)
{
	char line[128], hex[65];

	ck_assert_int_eq(join(), 0);
	ck_assert_ptr_nonnull(strstr(said, HOST ", enrolled"));
	ck_assert_ptr_nonnull(strstr(said, "when they are back: n3"));
	ck_assert_uint_eq(play.greetings, 1);
	ck_assert_uint_eq(play.good_proofs, 1);
	ck_assert_uint_eq(play.proofs, 1);
	ck_assert(!play.token_seen);
	ck_assert(is_there("state/identity"));
	ck_assert(config_says("role = member"));
	ck_assert(config_says("node = " HOST));
	ck_assert(config_says("network_name = 127.0.0.1"));
	snprintf(line, sizeof(line), "port = %u", token->port);
	ck_assert(config_says(line));
	sodium_bin2hex(hex, sizeof(hex), server.thumb, 32);
	snprintf(line, sizeof(line), "server_thumbprint = %s", hex);
	ck_assert(config_says(line));
}
END_TEST

/* Who is not the system gets no proof, and leaves no trace. */
static const struct {
	struct play as;
	int status;
	const char *text;
} wrong[] = {
    {{.other_system = true}, 17, "does not prove to be of the system"},
    {{.other_nonce = true}, 17, "does not prove to be of the system"},
    {{.other_name = true}, 17, "does not prove to be of the system"},
    {{.other_cert = true}, 17, "its certificate is another one"},
    {{.other_binding = true}, 17, "speaks for another connection"},
    {{.no_offer = true}, 17, "its answer is malformed"},
    {{.exists = true, .other_cert = true}, 17, "certificate is another one"},
    {{.result = CLV_E_DENIED}, 4, "so says the server"},
    {{.refuses_certificate = true}, 4, "admits nobody to join"},
    {{.hangs_up = true}, 8, "cannot be used"},
};

START_TEST(a_server_that_is_not_the_right_one_gets_no_proof)
{
	play = wrong[_i].as;
	ck_assert_int_eq(join(), wrong[_i].status);
	ck_assert_msg(strstr(said, wrong[_i].text) != NULL, "%s", said);
	ck_assert_ptr_nonnull(strstr(said, "\n  next: "));
	ck_assert_uint_eq(play.proofs, 0);
	ck_assert(!play.token_seen);
	ck_assert(!is_there("state"));
	ck_assert(!config_says("system"));
}
END_TEST

START_TEST(a_refused_host_is_as_it_was_before)
{
	play.verdict = CLV_E_DENIED;
	ck_assert_int_eq(join(), 4);
	ck_assert_ptr_nonnull(strstr(said, "so says the server"));
	ck_assert_uint_eq(play.good_proofs, 1);
	ck_assert(!is_there("state"));
	ck_assert(!config_says("system"));
}
END_TEST

START_TEST(a_busy_server_is_asked_again_on_another_connection)
{
	play.busy = 2;
	ck_assert_int_eq(join(), 0);
	ck_assert_uint_eq(play.greetings, 3);
	ck_assert_uint_eq(play.good_proofs, 3);
	ck_assert(!play.token_seen);
}
END_TEST

START_TEST(a_challenge_that_others_pushed_out_is_asked_for_again)
{
	play.stale = 2;
	ck_assert_int_eq(join(), 0);
	ck_assert_uint_eq(play.greetings, 3);
	ck_assert(!play.token_seen);
}
END_TEST

START_TEST(an_unknown_outcome_is_cleared_up_by_repeating)
{
	play.ends_after_proof = true;
	ck_assert_int_eq(join(), 21);
	ck_assert_ptr_nonnull(strstr(said, "repeat the command"));
	ck_assert(is_there("state/identity"));
	/* It was not enrolled: the same proof, by the same host. */
	play.ends_after_proof = false;
	ck_assert_int_eq(join(), 0);
	ck_assert_uint_eq(play.good_proofs, 2);
	/* It was: there is nothing to prove any more. */
	play.exists = true;
	ck_assert_int_eq(join(), 0);
	ck_assert_uint_eq(play.proofs, 2);
	ck_assert(config_says("role = member"));
}
END_TEST

/* ---- the token ---- */

static void
require_refused(
    const char *const *options, size_t len, int status, const char *text)
{
	ck_assert_int_eq(join_with(options, len), status);
	ck_assert_msg(strstr(said, text) != NULL, "%s", said);
	ck_assert_uint_eq(play.greetings, 0);
	ck_assert(!is_there("state"));
}

START_TEST(a_token_is_no_argument)
{
	char copy[CLV_TOKEN_TEXT_MAX], *text = NULL;
	const char *one[] = {copy, NULL}, *two[] = {"-", copy, NULL};

	/* The guard's memory is not the child's. */
	ck_assert_int_eq(clv_token_format(token, &text), CLV_OK);
	strcpy(copy, text);
	clv_guard_put(guard, text);
	require_refused(one, 0, 2, "a join token is a secret");
	ck_assert_ptr_null(strstr(said, "claviger-token1"));
	require_refused(two, 0, 2, "a join token is a secret");
	ck_assert_ptr_null(strstr(said, "claviger-token1"));
}
END_TEST

START_TEST(a_damaged_token_is_told_from_none)
{
	const char *options[] = {"-", NULL}, *none[] = {NULL};

	require_refused(options, 100, 12, "the join token is damaged");
	require_refused(options, 8, 10, "this is not a join token");
	require_refused(options, 0, 10, "this is not a join token");
	require_refused(none, SIZE_MAX, 2, "give either --server or --member");
}
END_TEST

START_TEST(a_file_has_it_for_its_owner_alone)
{
	char path[96], *text = NULL;
	const char *options[] = {"--token-file", path, NULL};
	const char *both[] = {"-", "--token-file", path, NULL};
	FILE *f;

	snprintf(path, sizeof(path), "%s/token", dir);
	require_refused(options, 0, 5, "cannot be read");
	ck_assert_int_eq(clv_token_format(token, &text), CLV_OK);
	f = fopen(path, "w");
	fprintf(f, "%s\n", text);
	fclose(f);
	clv_guard_put(guard, text);
	ck_assert_int_eq(chmod(path, 0644), 0);
	require_refused(options, 0, 4, "others than its owner may read it");
	ck_assert_int_eq(chmod(path, 0600), 0);
	require_refused(both, 0, 2, "give either - or --token-file");
	ck_assert_int_eq(join_with(options, 0), 0);
	ck_assert_uint_eq(play.good_proofs, 1);
}
END_TEST

START_TEST(what_the_token_says_is_not_said_otherwise)
{
	const char *node[] = {"-", "--node", "web2", NULL};
	const char *port[] = {"-", "--port", "1", NULL};
	const char *ip[] = {"-", "--ip", "mss", NULL};

	require_refused(node, SIZE_MAX, 2, "the join token says which system");
	require_refused(port, SIZE_MAX, 2, "the join token says which system");
	require_refused(ip, SIZE_MAX, 2, "is not an IP address");
}
END_TEST

START_TEST(a_host_of_another_system_stays_there)
{
	ck_assert_int_eq(join(), 0);
	memcpy(token->system_pk, clv_keyring_sign_pk(other_system), 32);
	ck_assert_int_eq(join(), 17);
	ck_assert_ptr_nonnull(strstr(said, "belongs to another system"));
	memcpy(token->system_pk, clv_keyring_sign_pk(keyring), 32);
	strcpy(token->name, "web2");
	ck_assert_int_eq(join(), 6);
	ck_assert_ptr_nonnull(strstr(said, "has joined as 'web1'"));
	ck_assert_uint_eq(play.greetings, 1);
}
END_TEST

int
main(void)
{
	Suite *s;
	TCase *t;

	if (geteuid() != 0) {
		puts("skipped: needs root");
		return 77;
	}
	s = suite_create("join");
	t = suite_case(s, "servers", set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_host_proves_its_token_to_the_right_server);
	tcase_add_loop_test(t, a_server_that_is_not_the_right_one_gets_no_proof,
	    0, sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(t, a_refused_host_is_as_it_was_before);
	tcase_add_test(t, a_busy_server_is_asked_again_on_another_connection);
	tcase_add_test(
	    t, a_challenge_that_others_pushed_out_is_asked_for_again);
	tcase_add_test(t, an_unknown_outcome_is_cleared_up_by_repeating);
	t = suite_case(s, "tokens", set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_token_is_no_argument);
	tcase_add_test(t, a_damaged_token_is_told_from_none);
	tcase_add_test(t, a_file_has_it_for_its_owner_alone);
	tcase_add_test(t, what_the_token_says_is_not_said_otherwise);
	tcase_add_test(t, a_host_of_another_system_stays_there);
	return suite_run(s);
}
