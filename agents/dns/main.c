/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <errno.h>
#include <grp.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <syslog.h>
#include <unistd.h>

#include "agents/dns/dns.h"
#include "ocf/ocf.h"

/*
 * dns-update register|check|validate|key -s SERVER -k KEYFILE -n NAME
 *	-a ADDRESS [-t TTL] [-w SECONDS] [-d]
 * Registers the name, or looks what DNS says of it, or whether it could be
 * registered, or at the key file alone. It prints what it has done, and on
 * standard error why it could not. With -d, for nobody who waits, it writes
 * that to the log, and gives up when this host has no longer the address.
 */
#define AGAIN_MS 500
/* What neither our deadline nor the kernel ends. */
#define HANGING_S 5
#define NOBODY 65534

struct request {
	const char *verb, *server, *key_file, *name, *address;
	long ttl, wait_s;
	bool detached;
};

static const struct ocf_agent self = {
    .name = "dns-update", .version = PACKAGE_VERSION};

static void say(const struct request *r, int priority, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
say(const struct request *r, int priority, const char *fmt, ...)
{
	char text[OCF_REASON_MAX * 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (r->detached)
		ocf_log(priority, "%s", text);
	else
		fprintf(
		    priority <= LOG_WARNING ? stderr : stdout, "%s\n", text);
}

static bool
is_ours(const struct sockaddr *sa, const struct dns_name *n)
{
	const void *ip;

	if (sa == NULL)
		return false;
	if (sa->sa_family == AF_INET && n->type == LDNS_RR_TYPE_A)
		ip = &((const struct sockaddr_in *)(const void *)sa)->sin_addr;
	else if (sa->sa_family == AF_INET6 && n->type == LDNS_RR_TYPE_AAAA)
		ip =
		    &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	else
		return false;
	return memcmp(ip, ldns_rdf_data(n->address),
		   ldns_rdf_size(n->address)) == 0;
}

/* If the kernel does not tell: no. */
static bool
is_here(const struct dns_name *n)
{
	struct ifaddrs *all, *a;
	bool found = false;

	if (getifaddrs(&all) != 0)
		return false;
	for (a = all; a != NULL && !found; a = a->ifa_next)
		found = is_ours(a->ifa_addr, n);
	freeifaddrs(all);
	return found;
}

/* Nobody hears of the PTR but who looks into the log: it is for people. */
static void
register_pointer(
    const struct request *r, struct dns *d, const struct dns_name *n)
{
	if (dns_register_pointer(d, n) == DNS_OK)
		say(r, LOG_INFO, "%s has the name %s in DNS", r->address,
		    r->name);
	else
		say(r, LOG_INFO, "%s has no name in DNS: %s", r->address,
		    d->why);
}

static int
do_register(const struct request *r, struct dns *d, const struct dns_name *n)
{
	int status;

	for (;;) {
		if (r->detached && !is_here(n)) {
			say(r, LOG_INFO,
			    "%s has left this host: not registered",
			    r->address);
			return DNS_OK;
		}
		status = dns_register_name(d, n);
		if (status != DNS_SILENT ||
		    dns_now_ms() + AGAIN_MS >= d->deadline_ms)
			break;
		poll(NULL, 0, AGAIN_MS);
	}
	if (status != DNS_OK) {
		say(r, LOG_WARNING, "%s is not registered: %s", r->name,
		    d->why);
		return status;
	}
	say(r, LOG_INFO, "%s is %s in DNS", r->name, r->address);
	register_pointer(r, d, n);
	return DNS_OK;
}

static int
do_check(const struct request *r, struct dns *d, const struct dns_name *n)
{
	int status = dns_check_name(d, n);

	if (status != DNS_OK) {
		say(r, LOG_WARNING, "%s", d->why);
		return status;
	}
	say(r, LOG_INFO, "%s is %s in DNS", r->name, r->address);
	if (dns_check_pointer(d, n) == DNS_OK)
		say(r, LOG_INFO, "%s has the name %s in DNS", r->address,
		    r->name);
	else
		say(r, LOG_INFO, "%s has no name in DNS: %s", r->address,
		    d->why);
	return DNS_OK;
}

static int
do_validate(const struct request *r, struct dns *d, const struct dns_name *n)
{
	int status = dns_check_zone(d, n);

	if (status != DNS_OK)
		say(r, LOG_WARNING, "%s", d->why);
	return status;
}

/* The file was read before. */
static int
do_key(const struct request *r, struct dns *d, const struct dns_name *n)
{
	return DNS_OK;
}

static const struct {
	const char *name;
	int (*run)(
	    const struct request *r, struct dns *d, const struct dns_name *n);
} verbs[] = {{"register", do_register}, {"check", do_check},
    {"validate", do_validate}, {"key", do_key}};

/* What comes from the network is read as nobody, of whom there is no core and
 * whom nobody else can look into. */
static bool
drop_rights(void)
{
	struct rlimit core = {0, 0};

	setrlimit(RLIMIT_CORE, &core);
	if (geteuid() == 0 && (setgroups(0, NULL) != 0 ||
				  setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
				  setresuid(NOBODY, NOBODY, NOBODY) != 0))
		return false;
	/* After it: a change of the user sets it back. */
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

static int
talk(const struct request *r, const struct dns_key *key,
    const struct dns_name *n)
{
	struct dns d = {.key = key,
	    .server_text = r->server,
	    .deadline_ms = dns_now_ms() + r->wait_s * 1000};
	size_t i;

	if (!dns_server_parse(r->server, &d.server, &d.server_len)) {
		say(r, LOG_WARNING, "\"%.60s\" is not the address of a server",
		    r->server);
		return DNS_USAGE;
	}
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(r->verb, verbs[i].name) == 0)
			return verbs[i].run(r, &d, n);
	return DNS_USAGE;
}

static int
run(const struct request *r)
{
	char why[DNS_WHY_MAX];
	struct dns_name name = {.name = NULL};
	struct dns_key key;
	int status = dns_key_load(r->key_file, &key, why);
	const char *what = strcmp(r->verb, "register") == 0
			       ? "the name is not registered: "
			       : "";

	if (status == DNS_OK && !drop_rights())
		status = dns_fail(why, DNS_USAGE, "cannot become nobody");
	if (status == DNS_OK)
		status = dns_name_init(
		    r->name, r->address, (uint32_t)r->ttl, &name, why);
	if (status == DNS_OK)
		status = talk(r, &key, &name);
	else
		say(r, LOG_WARNING, "%s%s", what, why);
	explicit_bzero(&key, sizeof(key));
	dns_name_fini(&name);
	return status;
}

static bool
read_arguments(int argc, char **argv, struct request *r)
{
	int c;

	while ((c = getopt(argc, argv, "s:k:n:a:t:w:d")) != -1) {
		switch (c) {
		case 's': r->server = optarg; break;
		case 'k': r->key_file = optarg; break;
		case 'n': r->name = optarg; break;
		case 'a': r->address = optarg; break;
		case 'd': r->detached = true; break;
		case 't':
			if (!ocf_parse_int(optarg, 0, INT32_MAX, &r->ttl))
				return false;
			break;
		case 'w':
			if (!ocf_parse_int(optarg, 1, 600, &r->wait_s))
				return false;
			break;
		default: return false;
		}
	}
	r->verb = argv[optind];
	return optind + 1 == argc && r->server != NULL && r->key_file != NULL &&
	       r->name != NULL && r->address != NULL;
}

int
main(int argc, char **argv)
{
	struct request r = {.ttl = 60, .wait_s = DNS_REGISTER_S};
	struct ocf o = {.agent = &self};

	if (!read_arguments(argc, argv, &r)) {
		fputs("usage: dns-update register|check|validate|key "
		      "-s SERVER -k KEYFILE\n\t-n NAME -a ADDRESS [-t TTL] [-w "
		      "SECONDS] "
		      "[-d]\n",
		    stderr);
		return DNS_USAGE;
	}
	o.instance = getenv("OCF_RESOURCE_INSTANCE");
	if (o.instance == NULL)
		o.instance = self.name;
	ocf_log_init(&o);
	alarm((unsigned)r.wait_s + HANGING_S);
	return run(&r);
}
