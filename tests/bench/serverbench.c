/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-server CONTROL ADDRESS PORT BACKUP PASSFILE LIST TLSROW N LIST_OUT
 *
 * Load on an active server: N members, enrolled by a list that the system's
 * keyring (from its backup) signs, and their connections, in one thread. Says
 * "ready" when the list is written, and then does what standard input says,
 * with one line of result for each:
 *
 *	serve KEEPER FRONT
 *		switch the daemon's server role on, and promote
 *	tang KEYS REQUEST
 *		a tangd for each connection; what it is asked
 *	bare
 *		the bare OpenSSL server
 *	pair cold|warm bare|tang CLIENTS apart|free
 *		slices of ours and of the other in turn; "apart": servers on
 *		one core, load on the other
 *	hold
 *		everybody connects, fetches, checks, and stays
 *	rest SECONDS
 *		they send heartbeats
 *	storm
 *		everybody reconnects after a promotion, and to the bare server
 *	change COMMAND
 *		everybody holds what the command changed
 *	flood RATE HOSTS SECONDS
 *		so many strangers a second, of so many addresses, and how long
 *		members wait meanwhile
 */
#include <config.h>

#include <arpa/inet.h>
#include <err.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <claviger/result.h>

#include "agents/control.h"
#include "serverbench.h"
#include "quantile.h"

#define CLIENTS_MAX 8
#define PAIRS 15
#define SLICE_MS 200
#define STORMS 5
#define LIMIT_S 120 /* nothing here takes longer */
#define BEAT_US 5000000
#define LOOK_US 50000 /* at 10,000 members each time costs a ms or two */
/* So many connections are being made at once: one thread plays all members,
 * and whoever is slow is put out. */
#define COMING_MAX 32
#define JITTER_US 200000 /* a member's, on a notice */
#define FLOOD_WARM_S 4	 /* by then the backlog is as full as it gets */
#define SERVER_CPU 0
#define LOAD_CPU 1

struct server {
	struct target target;
	pid_t pids[2];
	unsigned n_pids;
	struct link warm[CLIENTS_MAX];
};

static struct system sys;
static struct server ours, bare, tang;
static const char *control;
static struct link *held;
static bool stopping;
static unsigned done, next_party, coming, opened, held_lost;

/* ---- processes ---- */

static void
pin(pid_t pid, bool apart, int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	for (int i = 0; i < 2; i++)
		if (!apart || i == cpu)
			CPU_SET(i, &cpus);
	if (sched_setaffinity(pid, sizeof(cpus), &cpus) != 0)
		err(1, "sched_setaffinity of %d", (int)pid);
}

/* Ahead of other work on the machine, servers and load alike. */
static void
favour(pid_t pid, bool yes)
{
	struct sched_param sp = {.sched_priority = yes ? 1 : 0};

	if (sched_setscheduler(pid, yes ? SCHED_FIFO : SCHED_OTHER, &sp) != 0)
		warn("sched_setscheduler of %d", (int)pid);
}

/* Also ahead of those who are favoured. */
static void
precede(pid_t pid)
{
	const struct sched_param sp = {.sched_priority = 2};

	if (sched_setscheduler(pid, SCHED_FIFO, &sp) != 0)
		warn("sched_setscheduler of %d", (int)pid);
}

static void
place(const struct server *s, bool apart, bool fast)
{
	for (unsigned i = 0; i < s->n_pids; i++) {
		pin(s->pids[i], apart, SERVER_CPU);
		favour(s->pids[i], fast);
	}
}

/* Servers and load, until all_as_usual(). */
static void
all_ahead(bool apart)
{
	place(&ours, apart, true);
	place(&bare, apart, true);
	place(&tang, apart, true);
	pin(0, apart, LOAD_CPU);
	favour(0, true);
}

static void
all_as_usual(void)
{
	place(&ours, false, false);
	place(&bare, false, false);
	place(&tang, false, false);
	pin(0, false, 0);
	favour(0, false);
}

/* CPU time that the server's processes have had, with all their threads. */
static double
cpu_us(const struct server *s)
{
	double ns, sum = 0;
	char path[320];
	struct dirent *e;
	DIR *d;
	FILE *f;

	for (unsigned i = 0; i < s->n_pids; i++) {
		snprintf(path, sizeof(path), "/proc/%d/task", (int)s->pids[i]);
		if ((d = opendir(path)) == NULL)
			err(1, "%s", path);
		while ((e = readdir(d)) != NULL) {
			snprintf(path, sizeof(path),
			    "/proc/%d/task/%s/schedstat", (int)s->pids[i],
			    e->d_name);
			f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
			if (f != NULL && fscanf(f, "%lf", &ns) == 1)
				sum += ns;
			if (f != NULL)
				fclose(f);
		}
		closedir(d);
	}
	return sum / 1e3;
}

/* ---- one kind of load beside another ---- */

struct slice {
	double rate, cpu_us;
};

static void
on_cold(struct link *l)
{
	done++;
	link_close(l);
	if (stopping)
		return;
	l->party = &sys.parties[next_party++ % sys.n];
	l->check = l->target == &ours.target && next_party % 64 == 0;
	link_open(l);
}

static void
on_warm(struct link *l)
{
	done++;
	if (!stopping)
		link_again(l);
}

static void
start(struct server *s, struct link *l, bool cold)
{
	if (l->state == LINK_IDLE) {
		link_again(l);
		return;
	}
	*l = (struct link){.target = &s->target,
	    .party = &sys.parties[next_party++ % sys.n],
	    .steps = {s == &tang ? STEP_HTTP : STEP_FETCH},
	    .n_steps = 1,
	    .fd = -1,
	    .on_done = cold ? on_cold : on_warm};
	link_open(l);
}

static bool
is_busy(const struct link *links, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (links[i].state != LINK_CLOSED &&
		    links[i].state != LINK_IDLE)
			return true;
	return false;
}

static struct slice
run_slice(struct server *s, bool cold, unsigned n)
{
	static struct link cold_links[CLIENTS_MAX];
	struct link *links = cold ? cold_links : s->warm;
	double cpu = cpu_us(s), took;
	uint64_t began = now_us();

	stopping = false;
	done = 0;
	for (unsigned i = 0; i < n; i++)
		start(s, &links[i], cold);
	while (now_us() - began < SLICE_MS * 1000)
		links_run(SLICE_MS);
	stopping = true;
	while (is_busy(links, n))
		links_run(SLICE_MS);
	took = (double)(now_us() - began) / 1e6;
	cpu = (cpu_us(s) - cpu) / done;
	usleep(SLICE_MS * 100); /* the kernel leaves us 95 % of the time */
	return (struct slice){done / took, cpu};
}

static void
pair(bool cold, struct server *yard, unsigned n, bool apart)
{
	double v[5][PAIRS];

	all_ahead(apart);
	for (unsigned i = 0; i < PAIRS; i++) {
		struct slice x = run_slice(&ours, cold, n);
		struct slice y = run_slice(yard, cold, n);

		v[0][i] = x.rate;
		v[1][i] = y.rate;
		v[2][i] = x.rate / y.rate;
		v[3][i] = x.cpu_us;
		v[4][i] = y.cpu_us;
	}
	all_as_usual();
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		link_close(&ours.warm[i]);
		link_close(&yard->warm[i]);
	}
	for (unsigned i = 0; i < 5; i++)
		printf("%s%.3f", i > 0 ? " " : "", median(v[i], PAIRS));
	printf("\n");
}

static void
cmd_pair(void)
{
	const char *kind = strtok(NULL, " "), *yard = strtok(NULL, " "),
		   *clients = strtok(NULL, " "), *where = strtok(NULL, " ");

	if (where == NULL || atoi(clients) > CLIENTS_MAX)
		errx(2, "pair");
	pair(strcmp(kind, "cold") == 0,
	    strcmp(yard, "bare") == 0 ? &bare : &tang, (unsigned)atoi(clients),
	    strcmp(where, "apart") == 0);
}

/* ---- everybody at once ---- */

static void
open_more(void)
{
	while (coming < COMING_MAX && opened < sys.n) {
		coming++;
		link_open(&held[opened++]);
	}
}

static void
on_held(struct link *l)
{
	done++;
	l->again_us = now_us() + BEAT_US;
	if (l->count == 1)
		coming--;
	open_more();
}

/* As a member's front does. */
static void
on_lost(struct link *l)
{
	if (l->count == 0)
		coming--;
	l->count = 0;
	held_lost++;
	l->again_us = now_us() + 100000 + randombytes_uniform(900000);
}

/* Each from an address of its own, as members are. */
static void
prepare(struct link *l, unsigned i, const struct server *s)
{
	*l = (struct link){.target = &s->target,
	    .party = &sys.parties[i],
	    .from = {htonl(0x7f0a0001 + i / 200 * 256 + i % 200)},
	    .steps = {STEP_BEAT, STEP_FETCH, STEP_HEADS},
	    .n_steps = s == &bare ? 1 : 3,
	    .fd = -1,
	    .on_done = on_held,
	    .on_lost = on_lost};
}

static void
look(struct link *l)
{
	if (l->again_us == 0 || l->again_us > now_us())
		return;
	if (l->state == LINK_CLOSED) {
		coming++;
		link_open(l);
	} else if (l->state == LINK_IDLE && l->t[0] != 0 && l->t[1] == 0) {
		link_again(l);
	} else if (l->state == LINK_IDLE) {
		link_beat(l);
	}
	l->again_us = now_us() + BEAT_US;
}

static void
turn(void)
{
	static uint64_t looked;

	if (now_us() - looked > LOOK_US) {
		looked = now_us();
		for (unsigned i = 0; i < sys.n; i++)
			look(&held[i]);
	}
	links_run(5);
}

/* Until `done` is n; 0: for so long. */
static void
run_all(unsigned n, unsigned seconds)
{
	uint64_t began = now_us();

	while (n == 0 ? now_us() - began < seconds * UINT64_C(1000000)
		      : done < n) {
		if (now_us() - began > LIMIT_S * UINT64_C(1000000))
			errx(1, "%u of %u after %u s", done, n, LIMIT_S);
		turn();
	}
}

static void
close_all(void)
{
	for (unsigned i = 0; i < sys.n; i++)
		link_close(&held[i]);
}

/* What it cost the server, in microseconds of CPU for each. Whoever comes
 * again has its keys. */
static double
connect_all(const struct server *s, bool again)
{
	double cpu = cpu_us(s);

	done = 0;
	for (unsigned i = 0; i < sys.n; i++) {
		prepare(&held[i], i, s);
		held[i].check = !again || i % 64 == 0;
		if (again && s == &ours) {
			held[i].steps[1] = STEP_RENEW;
			held[i].n_steps = 2;
		}
	}
	coming = opened = 0;
	open_more();
	run_all(sys.n, 0);
	return (cpu_us(s) - cpu) / sys.n;
}

static void
cmd_hold(void)
{
	uint64_t began = now_us();
	double cpu;

	all_ahead(false);
	cpu = connect_all(&ours, false);
	all_as_usual();
	printf("%.3f %.1f\n", (double)(now_us() - began) / 1e6, cpu);
}

static void
cmd_rest(void)
{
	const char *seconds = strtok(NULL, " ");

	run_all(0, (unsigned)atoi(seconds));
	printf("rested\n");
}

static void
order(enum ctl_op op)
{
	const struct ctl_start body = {.resource = ""};
	struct ctl_status status = {.reason = ""};
	int fd, r;

	if (ctl_connect(control, 10000, &fd, NULL) != CLV_OK)
		errx(1, "%s: nobody answers", control);
	r = ctl_call(fd, op, op == CTL_START ? &body : NULL,
	    op == CTL_START ? sizeof(body) : 0, &status, sizeof(status), NULL,
	    30000);
	if (r != CLV_OK)
		errx(1, "order %d: %s %s", (int)op, clv_result_text(r),
		    status.reason);
	close(fd);
}

static void
cmd_storm(void)
{
	double v[3][STORMS];

	for (unsigned i = 0; i < STORMS; i++) {
		order(CTL_DEMOTE);
		close_all();
		order(CTL_PROMOTE);
		all_ahead(true);
		v[0][i] = connect_all(&ours, true);
		close_all();
		v[1][i] = connect_all(&bare, true);
		close_all();
		all_as_usual();
		v[2][i] = v[0][i] / v[1][i];
	}
	printf("%.3f %.3f %.3f\n", median(v[0], STORMS), median(v[1], STORMS),
	    median(v[2], STORMS));
}

static void
on_notice(struct link *l)
{
	if (l->t[0] != 0)
		return;
	l->t[0] = now_us();
	l->again_us = l->t[0] + randombytes_uniform(JITTER_US);
}

static pid_t
command(const char *text)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", text, (char *)NULL);
		_exit(127);
	}
	return pid;
}

/* Seconds from the command's start until the last notice was there, until the
 * last member had all of the change, and until the command had ended. */
static void
cmd_change(void)
{
	static const enum step steps[] = {
	    STEP_FETCH, STEP_APPS, STEP_HEADS, STEP_RENEW};
	const char *text = strtok(NULL, "");
	uint64_t began, told = 0, have = 0, ended = 0;
	int status;
	pid_t pid;

	for (unsigned i = 0; i < sys.n; i++) {
		struct link *l = &held[i];

		memcpy(l->steps, steps, sizeof(steps));
		l->n_steps = sizeof(steps) / sizeof(steps[0]);
		l->t[0] = l->t[1] = 0;
		l->on_notice = on_notice;
	}
	done = 0;
	all_ahead(false);
	began = now_us();
	pid = command(text);
	while (done < sys.n || ended == 0) {
		if (now_us() - began > LIMIT_S * UINT64_C(1000000))
			errx(1, "the change does not arrive");
		for (unsigned i = 0; i < sys.n; i++)
			look(&held[i]);
		links_run(2);
		if (ended == 0 && waitpid(pid, &status, WNOHANG) == pid)
			ended = now_us();
	}
	all_as_usual();
	if (status != 0)
		errx(1, "the command failed: %s", text);
	for (unsigned i = 0; i < sys.n; i++) {
		told = held[i].t[0] > told ? held[i].t[0] : told;
		have = held[i].t[1] > have ? held[i].t[1] : have;
	}
	printf("%.3f %.3f %.3f\n", (double)(told - began) / 1e6,
	    (double)(have - began) / 1e6, (double)(ended - began) / 1e6);
}

/* ---- strangers ---- */

/* The daemon on one core, the load on the other. Keeper and members go before
 * front and strangers: with this class those who never wait give way to nobody
 * else, as they do otherwise. */
static void
all_ahead_of_flood(void)
{
	all_ahead(true);
	precede(ours.pids[0]);
	precede(0);
}

/* What is said of the strangers: core of the daemon, core of their own, counts
 * a second. */
struct meter {
	const struct flood *f;
	struct server crowd;
	double cpu, crowd_cpu;
	uint64_t began, n[FLOOD_COUNTS];
};

static void
meter_begin(struct meter *m)
{
	m->cpu = cpu_us(&ours);
	m->crowd_cpu = cpu_us(&m->crowd);
	m->began = now_us();
	for (unsigned i = 0; i < FLOOD_COUNTS; i++)
		m->n[i] = m->f->n[i];
}

static void
meter_print(const struct meter *m)
{
	double took = (double)(now_us() - m->began);

	printf("%.3f %.3f", (cpu_us(&ours) - m->cpu) / took,
	    (cpu_us(&m->crowd) - m->crowd_cpu) / took);
	for (unsigned i = 0; i < FLOOD_COUNTS; i++)
		printf(" %.1f", (double)(m->f->n[i] - m->n[i]) * 1e6 / took);
}

static void
print_refresh(const struct refresh *r)
{
	const struct waited *w[] = {&r->kept, &r->fresh};

	for (unsigned i = 0; i < 2; i++)
		printf(" %.3f %.3f %.3f %u", w[i]->p50_ms, w[i]->p99_ms,
		    w[i]->worst_ms, w[i]->n);
	printf(" %u %u %u\n", r->losses, r->unanswered, held_lost);
}

static void
flood(unsigned rate, unsigned hosts, unsigned seconds)
{
	static const struct flood none;
	struct meter m = {.f = &none};
	struct refresh r;

	held_lost = 0;
	all_ahead_of_flood();
	refresh_begin(&ours.target);
	refresh_ask(1, false, turn);
	if (rate > 0) {
		m.crowd.pids[0] =
		    flood_start(&ours.target.to, rate, hosts, &m.f);
		m.crowd.n_pids = 1;
		favour(m.crowd.pids[0], true);
		refresh_ask(FLOOD_WARM_S, false, turn);
	}
	meter_begin(&m);
	refresh_ask(seconds, true, turn);
	meter_print(&m);
	refresh_end(turn, &r);
	if (rate > 0)
		flood_stop(m.crowd.pids[0]);
	all_as_usual();
	print_refresh(&r);
}

static void
cmd_flood(void)
{
	const char *rate = strtok(NULL, " "), *hosts = strtok(NULL, " "),
		   *seconds = strtok(NULL, " ");

	if (seconds == NULL || atoi(rate) > FLOOD_RATE_MAX || atoi(hosts) < 1)
		errx(2, "flood");
	flood((unsigned)atoi(rate), (unsigned)atoi(hosts),
	    (unsigned)atoi(seconds));
}

/* ---- setting up ---- */

static struct sockaddr_in
address(const char *text, unsigned port)
{
	struct sockaddr_in sa = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	if (inet_pton(AF_INET, text, &sa.sin_addr) != 1)
		errx(2, "%s", text);
	return sa;
}

static void
cmd_serve(void)
{
	const char *keeper = strtok(NULL, " "), *front = strtok(NULL, " ");

	ours.pids[0] = atoi(keeper);
	ours.pids[1] = atoi(front);
	ours.n_pids = 2;
	order(CTL_START);
	order(CTL_PROMOTE);
	printf("serving\n");
}

static void
cmd_bare(void)
{
	static struct link l;

	done = 0;
	prepare(&l, 0, &ours);
	l.check = true;
	link_open(&l);
	while (done == 0)
		links_run(1000);
	link_close(&l);
	bare.target = (struct target){address("127.0.0.1", 4433), &sys, {0}};
	bare.pids[0] = bare_start(&sys, 4433, l.fetch_len);
	bare.n_pids = 1;
	printf("%zu\n", l.fetch_len);
}

static void
cmd_tang(void)
{
	const char *keys = strtok(NULL, " "), *request = strtok(NULL, " ");
	FILE *f = fopen(request, "r");
	char text[ANSWER_MAX];

	if (f == NULL)
		err(1, "%s", request);
	tang.target = (struct target){address("127.0.0.1", 4434), NULL, {0}};
	clv_buf_init(&tang.target.http);
	clv_buf_raw(&tang.target.http, text, fread(text, 1, sizeof(text), f));
	fclose(f);
	tang.pids[0] = tang_start(4434, keys);
	tang.n_pids = 1;
	printf("tang\n");
}

static void
obey(char *line)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} all[] = {{"serve", cmd_serve}, {"bare", cmd_bare}, {"tang", cmd_tang},
	    {"pair", cmd_pair}, {"hold", cmd_hold}, {"rest", cmd_rest},
	    {"storm", cmd_storm}, {"change", cmd_change}, {"flood", cmd_flood}};
	const char *name;

	line[strcspn(line, "\n")] = '\0';
	name = strtok(line, " ");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (name == NULL || strcmp(name, all[i].name) != 0)
			continue;
		all[i].run();
		fflush(stdout);
		return;
	}
	errx(2, "what is %s?", name != NULL ? name : "that");
}

int
main(int argc, char **argv)
{
	const struct rlimit files = {16384, 16384};
	char line[1024];
	unsigned n;

	if (argc != 10)
		errx(2, "see the beginning of serverbench.c");
	if (sodium_init() < 0 || setrlimit(RLIMIT_NOFILE, &files) != 0)
		err(1, "setrlimit");
	signal(SIGPIPE, SIG_IGN);
	control = argv[1];
	ours.target = (struct target){
	    address(argv[2], (unsigned)atoi(argv[3])), &sys, {0}};
	n = (unsigned)atoi(argv[8]);
	if (n == 0 || n > PARTIES_MAX)
		errx(2, "1 to %u members", PARTIES_MAX);
	system_open(&sys, argv[4], argv[5], argv[6], argv[7]);
	system_enrol(&sys, n, argv[9]);
	system_questions(&sys, sys.list->version);
	held = calloc(n, sizeof(*held));
	if (held == NULL)
		err(1, "calloc");
	for (unsigned i = 0; i < n; i++)
		held[i].fd = -1;
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		ours.warm[i].fd = bare.warm[i].fd = tang.warm[i].fd = -1;
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL)
		obey(line);
	return 0;
}
