/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * apibench [-n SLICES] [-s SLICE_MS] PID APP NAME
 *
 * The local API of the clavigerd whose keeper is PID, beside a bare echo over
 * SOCK_SEQPACKET with epoll, that answers as many bytes as the daemon does:
 * decrypt of 256 bytes, and get of the secret NAME of APP, made here and then
 * cached. One client, on the core of the server; then eight on the other core.
 * Slices of ours and of the echo in turn, and the median of their ratios, so
 * that a busy machine hurts both. Prints for each FIGURE: operations a second
 * of ours and of the echo, their ratio; p99 of both in microseconds, its ratio;
 * CPU time of both servers for one operation in microseconds.
 */
#include <config.h>

#include <err.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <claviger/api.h>
#include <claviger/buf.h>
#include <claviger/client.h>

#include "quantile.h"

#define VALUE_LEN 256
#define CLIENTS_MAX 8
#define SLICES_MAX 400
#define SAMPLES_MAX 100000
#define SERVER_CPU 0
#define OTHER_CPU 1
#define ECHO_NAME "claviger-bench-echo"

/* Header and body, as they go over the socket. */
struct message {
	struct clv_api_header head;
	uint8_t body[1024];
};

struct client {
	pthread_t thread;
	int cpu, api_fd, echo_fd, fd;
	struct message question;
	size_t question_len, answer_len;
	float *us; /* of each operation in this slice */
	size_t n;
};

struct slice {
	double rate, p99_us, cpu_us;
};

static struct client clients[CLIENTS_MAX];
static atomic_bool stop;
static unsigned slices = 100, slice_ms = 20;
static uint8_t value[VALUE_LEN];

static double
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void
pin(pid_t pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(pid, sizeof(set), &set) != 0)
		err(1, "sched_setaffinity of %d", (int)pid);
}

/* Ahead of other work on the machine, servers and clients alike. */
static void
favour(pid_t pid, int policy)
{
	struct sched_param sp = {
	    .sched_priority = policy == SCHED_OTHER ? 0 : 1};

	if (sched_setscheduler(pid, policy, &sp) != 0)
		warn("sched_setscheduler of %d", (int)pid);
}

/* CPU time that the process has had. */
static double
cpu_us(pid_t pid)
{
	double ns = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
	f = fopen(path, "r");
	if (f == NULL || fscanf(f, "%lf", &ns) != 1)
		err(1, "%s", path);
	fclose(f);
	return ns / 1e3;
}

/* The echo: as long an answer as the question's id says. */

static socklen_t
echo_address(struct sockaddr_un *sa)
{
	int len;

	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	len = snprintf(sa->sun_path + 1, sizeof(sa->sun_path) - 1,
	    ECHO_NAME "-%d", (int)getpgrp());
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)len);
}

static int
echo_listen(void)
{
	struct sockaddr_un sa;
	socklen_t len = echo_address(&sa);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, len) != 0 ||
	    listen(fd, CLIENTS_MAX) != 0)
		err(1, "the echo's socket");
	return fd;
}

static void
echo_watch(int set, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data = {.fd = fd}};

	if (fd < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) != 0)
		err(1, "epoll");
}

static void
echo_answer(int fd)
{
	static struct message m;
	ssize_t n = recv(fd, &m, sizeof(m), MSG_DONTWAIT);

	if (n <= 0) {
		close(fd);
		return;
	}
	if (send(fd, &m, m.head.id, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		err(1, "echo");
}

static _Noreturn void
echo_run(int listener)
{
	int set = epoll_create1(0), n;
	struct epoll_event e[64];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "bench-echo");
	echo_watch(set, listener);
	for (;;) {
		n = epoll_wait(set, e, 64, -1);
		for (int i = 0; i < n; i++) {
			if (e[i].data.fd == listener)
				echo_watch(set, accept(listener, NULL, NULL));
			else
				echo_answer(e[i].data.fd);
		}
	}
}

static pid_t
echo_start(void)
{
	int listener = echo_listen();
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid == 0)
		echo_run(listener);
	close(listener);
	return pid;
}

/* Clients. */

static int
connected(const struct sockaddr_un *sa, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)sa, len) != 0)
		err(1, "connect");
	return fd;
}

static void
connect_all(void)
{
	struct sockaddr_un api = {
	    .sun_family = AF_UNIX, .sun_path = CLV_API_SOCKET};
	struct sockaddr_un echo;
	socklen_t len = echo_address(&echo);

	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		clients[i].api_fd = connected(&api, sizeof(api));
		clients[i].echo_fd = connected(&echo, len);
		clients[i].us = calloc(SAMPLES_MAX, sizeof(float));
		if (clients[i].us == NULL)
			err(1, "calloc");
	}
}

/* Length of the answer. */
static size_t
ask(struct client *c, int fd, struct message *answer)
{
	ssize_t n = -1;

	if (send(fd, &c->question, c->question_len, 0) > 0)
		n = recv(fd, answer, sizeof(*answer), 0);
	if (n < (ssize_t)sizeof(answer->head))
		err(1, "no answer");
	return (size_t)n;
}

static void *
client_run(void *arg)
{
	struct message answer;
	struct client *c = arg;
	double began;

	pin(0, c->cpu);
	for (c->n = 0; !atomic_load(&stop) && c->n < SAMPLES_MAX; c->n++) {
		began = now_us();
		if (ask(c, c->fd, &answer) != c->answer_len ||
		    answer.head.result != CLV_OK)
			errx(1, "another answer: %d", answer.head.result);
		c->us[c->n] = (float)(now_us() - began);
	}
	return NULL;
}

static int
compare_float(const void *a, const void *b)
{
	const float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static double
p99_of(unsigned n)
{
	static float all[CLIENTS_MAX * SAMPLES_MAX];
	size_t count = 0;

	for (unsigned i = 0; i < n; i++) {
		memcpy(all + count, clients[i].us, clients[i].n * sizeof(*all));
		count += clients[i].n;
	}
	qsort(all, count, sizeof(*all), compare_float);
	return count > 0 ? (double)all[count * 99 / 100] : 0;
}

static struct slice
run_slice(unsigned n, bool ours, pid_t server)
{
	double cpu = cpu_us(server), began = now_us(), took, count = 0;

	atomic_store(&stop, false);
	for (unsigned i = 0; i < n; i++) {
		struct client *c = &clients[i];

		c->fd = ours ? c->api_fd : c->echo_fd;
		c->cpu = n == 1 ? SERVER_CPU : OTHER_CPU;
		if (pthread_create(&c->thread, NULL, client_run, c) != 0)
			err(1, "pthread_create");
	}
	usleep(slice_ms * 1000);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < n; i++) {
		pthread_join(clients[i].thread, NULL);
		count += (double)clients[i].n;
	}
	took = now_us() - began;
	usleep(slice_ms * 100); /* the kernel leaves us 95 % of the time */
	if (count < 1)
		errx(1, "nothing was answered");
	return (struct slice){
	    count / took * 1e6, p99_of(n), (cpu_us(server) - cpu) / count};
}

static void
measure(const char *what, unsigned n, pid_t keeper, pid_t echo)
{
	static double v[8][SLICES_MAX];
	struct slice x, y;

	for (unsigned i = 0; i < slices; i++) {
		x = run_slice(n, true, keeper);
		y = run_slice(n, false, echo);
		v[0][i] = x.rate;
		v[1][i] = y.rate;
		v[2][i] = x.rate / y.rate;
		v[3][i] = x.p99_us;
		v[4][i] = y.p99_us;
		v[5][i] = x.p99_us / y.p99_us;
		v[6][i] = x.cpu_us;
		v[7][i] = y.cpu_us;
	}
	printf("%s-%u", what, n);
	for (unsigned i = 0; i < 8; i++)
		printf(" %.3f", median(v[i], slices));
	printf("\n");
	fflush(stdout);
}

/* Questions: all clients ask the same. */

static void
question(enum clv_api_op op, unsigned flags, const struct clv_buf *body)
{
	struct message q, answer;

	q.head = (struct clv_api_header){.magic = CLV_API_MAGIC,
	    .op = (uint16_t)op,
	    .flags = (uint16_t)flags,
	    .len = (uint32_t)body->len};
	if (clv_buf_result(body) != CLV_OK || body->len > sizeof(q.body))
		errx(1, "the question is too long");
	memcpy(q.body, body->data, body->len);
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &clients[i];

		c->question = q;
		c->question_len = sizeof(q.head) + body->len;
		c->answer_len = ask(c, c->api_fd, &answer);
		if (answer.head.result != CLV_OK ||
		    memcmp((uint8_t *)&answer + c->answer_len - VALUE_LEN,
			value, VALUE_LEN) != 0)
			errx(1, "the answer is not the value");
		c->question.head.id = c->answer_len;
	}
}

static void
prepare_decrypt(struct clv_client *k, const char *app)
{
	struct clv_secret *sealed;
	struct clv_buf b;

	if (clv_client_seal(k, app, "bench", value, VALUE_LEN, &sealed) !=
	    CLV_OK)
		errx(1, "seal: %s", clv_client_text(k));
	clv_buf_init(&b);
	clv_buf_str(&b, app);
	clv_buf_str(&b, "bench");
	clv_buf_bytes(&b, sealed->data, sealed->len);
	question(CLV_API_OPEN, 0, &b);
	clv_buf_fini(&b);
	clv_secret_free(&sealed);
}

static void
prepare_get(struct clv_client *k, const char *app, const char *name)
{
	struct clv_secret *got;
	struct clv_buf b;

	if (clv_client_put(k, app, name, value, VALUE_LEN, CLV_API_KEEP_DEFAULT,
		NULL) != CLV_OK ||
	    clv_client_get(k, app, name, 0, 0, &got) != CLV_OK)
		errx(1, "%s: %s", name, clv_client_text(k));
	clv_secret_free(&got);
	clv_buf_init(&b);
	clv_buf_str(&b, app);
	clv_buf_str(&b, name);
	clv_buf_u64(&b, 0);
	question(CLV_API_GET, CLV_API_CACHED, &b);
	clv_buf_fini(&b);
}

static void
run(pid_t keeper, const char *app, const char *name)
{
	struct clv_client *k = NULL;
	pid_t echo = echo_start();

	memset(value, 'v', sizeof(value));
	pin(keeper, SERVER_CPU);
	pin(echo, SERVER_CPU);
	favour(keeper, SCHED_FIFO);
	favour(echo, SCHED_FIFO);
	favour(0, SCHED_FIFO);
	pin(0, OTHER_CPU);
	if (clv_client_open(NULL, &k) != CLV_OK)
		errx(1, "clavigerd does not answer");
	connect_all();
	prepare_decrypt(k, app);
	measure("decrypt", 1, keeper, echo);
	measure("decrypt", CLIENTS_MAX, keeper, echo);
	prepare_get(k, app, name);
	measure("get", 1, keeper, echo);
	measure("get", CLIENTS_MAX, keeper, echo);
	clv_client_close(&k);
	favour(keeper, SCHED_OTHER);
	kill(echo, SIGKILL);
}

int
main(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "n:s:")) != -1)
		switch (opt) {
		case 'n': slices = (unsigned)strtoul(optarg, NULL, 10); break;
		case 's': slice_ms = (unsigned)strtoul(optarg, NULL, 10); break;
		default: errx(2, "[-n SLICES] [-s SLICE_MS] PID APP NAME");
		}
	if (argc - optind != 3 || slices == 0 || slices > SLICES_MAX ||
	    slice_ms == 0)
		errx(2, "[-n SLICES] [-s SLICE_MS] PID APP NAME");
	run((pid_t)strtol(argv[optind], NULL, 10), argv[optind + 1],
	    argv[optind + 2]);
	return 0;
}
