/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <sodium.h>
#include "daemon/cli/cli.h"

/* Read fd to its end, or to a newline when `line`, into p[cap] with a NUL. */
static int
read_all(int fd, bool line, char *p, size_t cap, size_t *ret_len)
{
	size_t len = 0;
	ssize_t n;

	for (;;) {
		if (len + 1 >= cap)
			return CLV_E_FULL;
		n = read(fd, p + len, line ? 1 : cap - 1 - len);
		if (n < 0 && errno == EINTR && !line)
			continue;
		if (n < 0)
			return errno == EINTR ? CLV_E_CANCELLED : CLV_E_SYSTEM;
		if (n == 0)
			break;
		len += (size_t)n;
		if (line && p[len - 1] == '\n')
			break;
	}
	p[len] = '\0';
	*ret_len = len;
	return CLV_OK;
}

/* One newline at the end is the editor's, not the passphrase's. */
static int
strip(char *p, size_t len, char ret_why[static 256])
{
	if (len > 0 && p[len - 1] == '\n')
		p[--len] = '\0';
	if (len == 0) {
		snprintf(ret_why, 256, "it is empty");
		return CLV_E_INVALID;
	}
	if (strlen(p) != len || strchr(p, '\n') != NULL) {
		snprintf(
		    ret_why, 256, "it holds more than one line, or a NUL byte");
		return CLV_E_INVALID;
	}
	return CLV_OK;
}

/* Takes the whole of fd, one line or many; the buffer is the guard's. */
static int
from_fd(struct clv_guard *guard, int fd, bool lines, char **ret,
    char ret_why[static 256])
{
	size_t cap = (lines ? CLI_LINES_LEN_MAX : CLI_PASS_LEN_MAX) + 2, len;
	char *p = clv_guard_get(guard, cap);
	int r;

	if (p == NULL)
		return CLV_E_FULL;
	r = read_all(fd, false, p, cap, &len);
	if (r == CLV_E_FULL) {
		snprintf(ret_why, 256, "it is longer than %zu bytes", cap - 2);
		r = CLV_E_INVALID;
	} else if (r != CLV_OK)
		snprintf(ret_why, 256, "%s", strerror(errno));
	else if (!lines)
		r = strip(p, len, ret_why);
	else if (strlen(p) != len) {
		snprintf(ret_why, 256, "it holds a NUL byte");
		r = CLV_E_INVALID;
	}
	if (r != CLV_OK) {
		clv_guard_put(guard, p);
		return r;
	}
	*ret = p;
	return CLV_OK;
}

static int
check_file(int fd, char ret_why[static 256])
{
	struct stat st;

	if (fstat(fd, &st) != 0) {
		snprintf(ret_why, 256, "%s", strerror(errno));
		return CLV_E_SYSTEM;
	}
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)) {
		snprintf(ret_why, 256, "it is neither a file nor a pipe");
		return CLV_E_INVALID;
	}
	if ((st.st_mode & 077) != 0) {
		snprintf(ret_why, 256,
		    "others than its owner may read it (mode %04o)",
		    (unsigned)st.st_mode & 07777);
		return CLV_E_PERMISSION;
	}
	if (st.st_uid != 0 && st.st_uid != geteuid()) {
		snprintf(ret_why, 256, "it belongs to user id %u",
		    (unsigned)st.st_uid);
		return CLV_E_PERMISSION;
	}
	return CLV_OK;
}

static int
from_file(struct clv_guard *guard, const char *path, bool lines, char **ret,
    char ret_why[static 256])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r;

	if (fd < 0) {
		snprintf(ret_why, 256, "%s", strerror(errno));
		return errno == ENOENT ? CLV_E_NOT_FOUND : CLV_E_SYSTEM;
	}
	r = check_file(fd, ret_why);
	if (r == CLV_OK)
		r = from_fd(guard, fd, lines, ret, ret_why);
	close(fd);
	return r;
}

int
cli_pass_file(struct clv_guard *guard, const char *path, char **ret,
    char ret_why[static 256])
{
	return from_file(guard, path, false, ret, ret_why);
}

int
cli_pass_lines(struct clv_guard *guard, const char *path, char **ret,
    char ret_why[static 256])
{
	if (strcmp(path, "-") == 0)
		return from_fd(guard, STDIN_FILENO, true, ret, ret_why);
	return from_file(guard, path, true, ret, ret_why);
}

/* Only to interrupt read(): the terminal is put back before we end. */
static void
on_signal(int sig)
{
	(void)sig;
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

static int
read_line(int tty, bool echo, char *p, size_t cap, size_t *ret_len)
{
	struct sigaction act = {.sa_handler = on_signal}, old[SIGNALS];
	struct termios was, silent;
	sigset_t mask, masked;
	int r;

	if (tcgetattr(tty, &was) != 0)
		return CLV_E_SYSTEM;
	silent = was;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	sigemptyset(&act.sa_mask);
	sigemptyset(&mask);
	for (size_t i = 0; i < SIGNALS; i++) {
		sigaction(signals[i], &act, &old[i]);
		sigaddset(&mask, signals[i]);
	}
	if (!echo)
		tcsetattr(tty, TCSAFLUSH, &silent);
	sigprocmask(SIG_UNBLOCK, &mask, &masked);
	r = read_all(tty, true, p, cap, ret_len);
	sigprocmask(SIG_SETMASK, &masked, NULL);
	if (!echo)
		tcsetattr(tty, TCSAFLUSH, &was);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &old[i], NULL);
	if (!echo)
		dprintf(tty, "\n");
	return r;
}

/* One line; *ret is the guard's and may be "". */
static int
ask_line(struct cli *c, int tty, bool echo, const char *prompt, char **ret)
{
	char *p = clv_guard_get(c->guard, CLI_PASS_LEN_MAX + 2);
	size_t len = 0;
	int r;

	if (p == NULL)
		return cli_fail(c, CLV_E_FULL, NULL, "no locked memory left");
	dprintf(tty, "%s: ", prompt);
	r = read_line(tty, echo, p, CLI_PASS_LEN_MAX + 2, &len);
	if (r != CLV_OK) {
		clv_guard_put(c->guard, p);
		return cli_fail(c, r, NULL, "%s was not read: %s",
		    echo ? "the answer" : "the passphrase", clv_result_text(r));
	}
	if (len > 0 && p[len - 1] == '\n')
		p[len - 1] = '\0';
	*ret = p;
	return CLV_OK;
}

static int
ask(struct cli *c, int tty, const char *prompt, char **ret)
{
	return ask_line(c, tty, false, prompt, ret);
}

static int
check_written(struct cli *c, const char *p)
{
	if (clv_passphrase_check(p) == CLV_OK)
		return CLV_OK;
	return cli_fail(c, CLV_E_INVALID,
	    "choose a longer one, or let this command make one of six words",
	    "the passphrase of a backup needs at least %d characters, and no "
	    "control character",
	    CLV_PASSPHRASE_LEN_MIN);
}

/* Show a new one on the terminal alone, and have it typed once: a passphrase
 * that nobody noted is a backup that nobody can open. */
static int
generate(struct cli *c, int tty, char **ret)
{
	char *made, *typed = NULL;
	int r = clv_passphrase_new(c->guard, &made);

	if (r != CLV_OK)
		return cli_fail(c, r, NULL, "no passphrase could be made: %s",
		    clv_result_text(r));
	dprintf(tty,
	    "\nThe passphrase of this backup:\n\n    %s\n\n"
	    "Write it down and keep it away from the backup.\n",
	    made);
	r = ask(c, tty, "Type it once", &typed);
	if (r == CLV_OK && strcmp(made, typed) != 0)
		r = cli_fail(c, CLV_E_PASSPHRASE, "begin again",
		    "that is not the passphrase shown");
	clv_guard_put(c->guard, typed);
	if (r != CLV_OK) {
		clv_guard_put(c->guard, made);
		return r;
	}
	*ret = made;
	return CLV_OK;
}

static int
ask_twice(struct cli *c, int tty, char **ret)
{
	char *first, *second = NULL;
	int r = ask(c, tty,
	    "Passphrase for the backup (empty: make one of six words)", &first);

	if (r != CLV_OK)
		return r;
	if (first[0] == '\0') {
		clv_guard_put(c->guard, first);
		return generate(c, tty, ret);
	}
	r = check_written(c, first);
	if (r == CLV_OK)
		r = ask(c, tty, "The same again", &second);
	if (r == CLV_OK && strcmp(first, second) != 0)
		r = cli_fail(c, CLV_E_PASSPHRASE, "begin again",
		    "the two passphrases differ");
	clv_guard_put(c->guard, second);
	if (r != CLV_OK) {
		clv_guard_put(c->guard, first);
		return r;
	}
	*ret = first;
	return CLV_OK;
}

static int
ask_person(struct cli *c, bool echo, const char *prompt, char **ret)
{
	int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	int r;

	if (tty < 0)
		return cli_fail(
		    c, CLV_E_USAGE, NULL, "there is no terminal to ask at");
	r = ask_line(c, tty, echo, prompt, ret);
	close(tty);
	return r;
}

int
cli_ask(struct cli *c, const char *prompt, char **ret)
{
	return ask_person(c, false, prompt, ret);
}

int
cli_ask_openly(struct cli *c, const char *prompt, char **ret)
{
	return ask_person(c, true, prompt, ret);
}

static int
from_terminal(struct cli *c, enum cli_pass_use use, char **ret)
{
	int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	int r;

	if (tty < 0)
		return cli_fail(c, CLV_E_USAGE,
		    "give --passphrase-file FILE or --passphrase-fd N",
		    "there is no passphrase and no terminal to ask for it");
	if (use == CLI_PASS_WRITE)
		r = ask_twice(c, tty, ret);
	else
		r = ask(c, tty, "Passphrase of the backup", ret);
	close(tty);
	return r;
}

static int
from_option(struct cli *c, const char *file, const char *number, char **ret)
{
	const char *next = "write the passphrase as one line into a file that "
			   "only you may read (chmod 600)";
	char why[256] = "";
	uint32_t fd;
	int r;

	if (file != NULL) {
		r = cli_pass_file(c->guard, file, ret, why);
		return r == CLV_OK ? r
				   : cli_fail(c, r, next,
					 "the passphrase file %s cannot be "
					 "used: %s",
					 file, why);
	}
	if (cli_number_parse(number, 0, 1 << 20, &fd) != CLV_OK)
		return cli_fail(c, CLV_E_USAGE, "give it as N, with N<FILE",
		    "--passphrase-fd '%s' is not a number", number);
	r = from_fd(c->guard, (int)fd, false, ret, why);
	return r == CLV_OK
		   ? r
		   : cli_fail(c, r, next,
			 "no passphrase came from descriptor %u: %s", fd, why);
}

int
cli_passphrase(struct cli *c, enum cli_pass_use use, char **ret)
{
	const char *file = cli_opt(c, "passphrase-file");
	const char *number = cli_opt(c, "passphrase-fd");
	char *p;
	int r = cli_guard(c);

	if (r != CLV_OK)
		return r;
	if (file != NULL && number != NULL)
		return cli_fail(c, CLV_E_USAGE, "give one of them",
		    "--passphrase-file and --passphrase-fd are both given");
	if (file == NULL && number == NULL)
		return from_terminal(c, use, ret);
	r = from_option(c, file, number, &p);
	if (r == CLV_OK && use == CLI_PASS_WRITE) {
		r = check_written(c, p);
		if (r != CLV_OK)
			clv_guard_put(c->guard, p);
	}
	if (r == CLV_OK)
		*ret = p;
	return r;
}
