/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "agents/dns.h"

/* What is left of the action's time for its own answer. */
#define SPARE_MS 500

static bool
is_asked_for(const struct ocf *o, const struct address *a)
{
	return a->carried && ocf_is_set(o, "dns_server");
}

bool
dns_is_required(const struct ocf *o)
{
	return ocf_get_bool(o, "dns_required");
}

static bool
is_link_local(const struct address *a)
{
	return a->family == AF_INET6
		   ? a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80
		   : a->ip[0] == 169 && a->ip[1] == 254;
}

/* What is wrong with the parameters, in why[OCF_REASON_MAX]? */
static bool
is_usable(const struct ocf *o, const struct address *a, char *why)
{
	const char *server = ocf_get(o, "dns_server");
	const char *key = ocf_get(o, "dns_key_file");
	const char *name = ocf_get(o, "network_name");
	struct sockaddr_storage sa;
	socklen_t len;

	why[0] = '\0';
	if (!dns_server_parse(server, &sa, &len))
		snprintf(why, OCF_REASON_MAX,
		    "dns_server: \"%.60s\" is not ADDRESS, ADDRESS:PORT or "
		    "[IPv6-ADDRESS]:PORT",
		    server);
	else if (*key != '/')
		snprintf(why, OCF_REASON_MAX,
		    "dns_key_file: \"%.60s\" is not an absolute path", key);
	else if (!dns_is_full_name(name))
		snprintf(why, OCF_REASON_MAX,
		    "network_name: \"%.60s\" is not a name with its domain, "
		    "which dns_server needs",
		    name);
	else if (is_link_local(a))
		snprintf(why, OCF_REASON_MAX,
		    "dns_server: the link-local address %s means nothing to "
		    "others",
		    a->text);
	return why[0] == '\0';
}

int
dns_read(const struct ocf *o, const struct address *a)
{
	char why[OCF_REASON_MAX];

	if (!is_asked_for(o, a) || is_usable(o, a, why))
		return OCF_SUCCESS;
	if (strcmp(o->action->name, "start") == 0 ||
	    strcmp(o->action->name, "validate-all") == 0)
		return ocf_fail(o, OCF_ERR_CONFIGURED, "%s", why);
	ocf_log(LOG_WARNING, "%s: %s", o->action->name, why);
	return OCF_SUCCESS;
}

/* In the child. Out of the process group that an action's timeout kills, and
 * without the pipes at whose end Pacemaker waits. errors -1: to nobody. */
static void
become_helper(const struct ocf *o, const struct address *a, const char *verb,
    int wait_s, int errors)
{
	char seconds[16];
	const char *argv[] = {"dns-update", verb, "-s",
	    ocf_get(o, "dns_server"), "-k", ocf_get(o, "dns_key_file"), "-n",
	    ocf_get(o, "network_name"), "-a", a->text, "-t", ocf_get(o, "ttl"),
	    "-w", seconds, errors < 0 ? "-d" : NULL, NULL};
	int null = open("/dev/null", O_RDWR);

	snprintf(seconds, sizeof(seconds), "%d", wait_s);
	setsid();
	signal(SIGPIPE, SIG_DFL);
	if (null < 0 || chdir("/") != 0 || dup2(null, 0) < 0 ||
	    dup2(null, 1) < 0 || dup2(errors < 0 ? null : errors, 2) < 0 ||
	    close_range(3, ~0u, 0) != 0)
		_exit(DNS_USAGE);
	execv(DNS_HELPER, (char *const *)(uintptr_t)argv);
	_exit(DNS_USAGE);
}

/* The first line that it wrote. */
static void
read_words(int fd, char *why)
{
	ssize_t n = pread(fd, why, OCF_REASON_MAX - 1, 0);

	why[n > 0 ? n : 0] = '\0';
	why[strcspn(why, "\n")] = '\0';
	if (why[0] == '\0')
		snprintf(why, OCF_REASON_MAX, "%s failed", DNS_HELPER);
}

/* Its exit status; it is ended when it has not ended in time. */
static int
wait_for(pid_t pid, int limit_ms, char *why)
{
	struct pollfd p = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	int status = 0, n = 0;

	if (p.fd >= 0)
		n = poll(&p, 1, limit_ms);
	if (n != 1)
		kill(pid, SIGKILL);
	if (p.fd >= 0)
		close(p.fd);
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
		return WEXITSTATUS(status);
	if (n == 1 && WIFSIGNALED(status))
		snprintf(why, OCF_REASON_MAX, "%s was ended by signal %d",
		    DNS_HELPER, WTERMSIG(status));
	else
		snprintf(
		    why, OCF_REASON_MAX, "%s did not end in time", DNS_HELPER);
	return DNS_SILENT;
}

/* Run it and wait: its status, and in why[OCF_REASON_MAX] its words. */
static int
ask(const struct ocf *o, const struct address *a, const char *verb, int max_s,
    char *why)
{
	int left = ocf_left_ms(o, (max_s + 1) * 1000) - SPARE_MS;
	int errors = memfd_create("dns-update-stderr", MFD_CLOEXEC), status;
	pid_t pid = errors >= 0 ? fork() : -1;

	if (pid == 0)
		become_helper(o, a, verb,
		    left < 2000		  ? 1
		    : left / 1000 < max_s ? left / 1000
					  : max_s,
		    errors);
	if (pid < 0) {
		snprintf(
		    why, OCF_REASON_MAX, "%s: %s", DNS_HELPER, strerror(errno));
		status = DNS_SILENT;
	} else {
		why[0] = '\0';
		status = wait_for(pid, left > 0 ? left : 0, why);
		if (why[0] == '\0' && status != DNS_OK)
			read_words(errors, why);
	}
	if (errors >= 0)
		close(errors);
	return status;
}

static bool
is_there(char *why)
{
	if (access(DNS_HELPER, X_OK) == 0)
		return true;
	snprintf(why, OCF_REASON_MAX, "%s: %s", DNS_HELPER, strerror(errno));
	return false;
}

static int
ask_checked(const struct ocf *o, const struct address *a, const char *verb,
    int max_s, char *why)
{
	if (!is_usable(o, a, why) || !is_there(why))
		return DNS_USAGE;
	return ask(o, a, verb, max_s, why);
}

static int
fail(const struct ocf *o, int status, const char *why)
{
	/* The key file and the program are this node's. */
	int rc = status == DNS_USAGE ? OCF_ERR_INSTALLED : OCF_ERR_GENERIC;

	return status == DNS_OK ? OCF_SUCCESS : ocf_fail(o, rc, "%s", why);
}

void
dns_register(const struct ocf *o, const struct address *a)
{
	char why[OCF_REASON_MAX];
	pid_t pid;

	if (!is_asked_for(o, a))
		return;
	if (!is_usable(o, a, why) || !is_there(why)) {
		ocf_log(LOG_WARNING, "the name is not registered: %s", why);
		return;
	}
	pid = fork();
	if (pid == 0)
		become_helper(o, a, "register", DNS_REGISTER_S, -1);
	if (pid < 0)
		ocf_log(LOG_WARNING, "the name is not registered: %s",
		    strerror(errno));
	/* We end right after, so nobody is left that would have to wait. */
}

int
dns_register_wait(const struct ocf *o, const struct address *a)
{
	char why[OCF_REASON_MAX];

	if (!is_asked_for(o, a))
		return OCF_SUCCESS;
	return fail(o, ask_checked(o, a, "register", DNS_REGISTER_S, why), why);
}

int
dns_is_installed(const struct ocf *o, const struct address *a)
{
	char why[OCF_REASON_MAX];

	if (!is_asked_for(o, a))
		return OCF_SUCCESS;
	return fail(o, ask_checked(o, a, "key", DNS_CHECK_S, why), why);
}

int
dns_validate(const struct ocf *o, const struct address *a)
{
	char why[OCF_REASON_MAX];

	if (!is_asked_for(o, a))
		return OCF_SUCCESS;
	return fail(o, ask_checked(o, a, "validate", DNS_CHECK_S, why), why);
}

int
dns_compare(const struct ocf *o, const struct address *a, char *why)
{
	if (!is_asked_for(o, a))
		return DNS_OK;
	return ask_checked(o, a, "check", DNS_CHECK_S, why);
}

int
dns_reload(struct ocf *o)
{
	char why[OCF_REASON_MAX];
	struct address a;

	address_read(o, &a);
	if (is_asked_for(o, &a) && address_look(&a, why) == ADDRESS_RIGHT)
		dns_register(o, &a);
	return OCF_SUCCESS;
}
