/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <seccomp.h>

#include <claviger/result.h>
#include "daemon/supervisor/process.h"

/*
 * What keeper and front may ask of the kernel: a list of what they need. A
 * call that is not on it fails with EPERM, so that a library's odd attempt
 * ends in its own fallback; what no honest code of ours ever tries ends the
 * process, and with it the node's role. Sanitizers need what is forbidden
 * here (ptrace, clone): their builds have no filter.
 */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define S(name) SCMP_SYS(name)
#define N(list) (sizeof(list) / sizeof((list)[0]))

/* Files, memory, time, signals, sockets that are there: both processes. */
static const int common[] = {
    /* files */
    S(read), S(readv), S(pread64), S(write), S(writev), S(pwrite64), S(close),
    S(close_range), S(open), S(openat), S(lseek), S(stat), S(lstat), S(fstat),
    S(newfstatat), S(statx), S(fstatfs), S(statfs), S(access), S(faccessat),
    S(faccessat2), S(readlink), S(readlinkat), S(getdents64), S(getcwd),
    S(fsync), S(fdatasync), S(ftruncate), S(fallocate), S(fadvise64), S(rename),
    S(renameat), S(renameat2), S(unlink), S(unlinkat), S(fchmod), S(flock),
    S(fcntl), S(dup), S(dup2), S(dup3), S(pipe), S(pipe2), S(umask),
    /* waiting */
    S(poll), S(ppoll), S(select), S(pselect6), S(epoll_create),
    S(epoll_create1), S(epoll_ctl), S(epoll_wait), S(epoll_pwait),
    S(epoll_pwait2), S(eventfd2), S(timerfd_create), S(timerfd_settime),
    S(timerfd_gettime), S(signalfd4), S(nanosleep), S(clock_nanosleep),
    S(pause),
    /* sockets */
    S(connect), S(accept), S(accept4), S(sendto), S(sendmsg), S(sendmmsg),
    S(recvfrom), S(recvmsg), S(recvmmsg), S(shutdown), S(getsockname),
    S(getpeername), S(getsockopt), S(setsockopt),
    /* memory; mmap and mprotect have rules of their own */
    S(munmap), S(mremap), S(brk), S(madvise), S(mincore), S(mlock), S(mlock2),
    S(munlock), S(memfd_secret), S(memfd_create), S(msync),
    /* time, randomness, who am I */
    S(clock_gettime), S(clock_getres), S(gettimeofday), S(time), S(times),
    S(getrandom), S(getpid), S(getppid), S(gettid), S(getuid), S(geteuid),
    S(getgid), S(getegid), S(getresuid), S(getresgid), S(getgroups), S(getpgrp),
    S(getpgid), S(getsid), S(uname), S(sysinfo), S(getrlimit), S(getrusage),
    S(getcpu), S(capget), S(getpriority), S(sched_yield), S(sched_getaffinity),
    S(sched_getparam), S(sched_getscheduler), S(getitimer), S(setitimer),
    S(alarm),
    /* threads and signals of our own */
    S(futex), S(set_robust_list), S(get_robust_list), S(set_tid_address),
    S(rseq), S(membarrier), S(arch_prctl), S(rt_sigaction), S(rt_sigprocmask),
    S(rt_sigreturn), S(rt_sigpending), S(rt_sigtimedwait), S(rt_sigsuspend),
    S(sigaltstack), S(restart_syscall), S(exit), S(exit_group), S(wait4),
    S(waitid)};

/* Corosync's shared memory, listening, and what resolvers and libpq do. */
static const int front_only[] = {S(bind), S(listen), S(mkdir), S(mkdirat),
    S(rmdir), S(chmod), S(fchmodat), S(truncate)};

/* Only somebody who has broken in asks for these. */
static const int deadly[] = {S(execve), S(execveat), S(ptrace),
    S(process_vm_readv), S(process_vm_writev), S(pidfd_getfd), S(bpf),
    S(perf_event_open), S(userfaultfd), S(kexec_load), S(kexec_file_load),
    S(init_module), S(finit_module), S(delete_module), S(mount), S(umount2),
    S(move_mount), S(open_tree), S(fsopen), S(fsmount), S(mount_setattr),
    S(pivot_root), S(chroot), S(setns), S(unshare), S(reboot), S(swapon),
    S(swapoff), S(iopl), S(ioperm), S(modify_ldt), S(add_key), S(request_key),
    S(keyctl), S(open_by_handle_at), S(setuid), S(setresuid), S(setreuid),
    S(setfsuid), S(capset), S(acct), S(settimeofday), S(clock_settime),
    S(clock_adjtime), S(adjtimex), S(quotactl), S(syslog), S(vhangup),
    S(lookup_dcookie), S(kcmp)};

/* New calls for which glibc has an older way when the kernel lacks them; one
 * could not be told apart (flags behind a pointer), so none is there. */
static const int absent[] = {S(clone3), S(openat2), S(io_uring_setup)};

static int
add_all(scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t n)
{
	size_t i;
	int rc;

	for (i = 0; i < n; i++) {
		rc = seccomp_rule_add(ctx, action, calls[i], 0);
		/* A call that this architecture does not have is no loss. */
		if (rc != 0 && rc != -EDOM && rc != -EEXIST)
			return rc;
	}
	return 0;
}

static int
add_socket(scmp_filter_ctx ctx, uint64_t family)
{
	int rc;

	rc = seccomp_rule_add(
	    ctx, SCMP_ACT_ALLOW, S(socket), 1, SCMP_A0(SCMP_CMP_EQ, family));
	if (rc == 0 && family == AF_UNIX)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, S(socketpair), 1,
		    SCMP_A0(SCMP_CMP_EQ, family));
	return rc;
}

/* Never memory that is both written and run: neither made so nor turned so. */
static int
add_memory(scmp_filter_ctx ctx)
{
	const uint64_t x = PROT_EXEC, w = PROT_WRITE;
	int rc;

	rc = seccomp_rule_add(
	    ctx, SCMP_ACT_ALLOW, S(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, x, 0));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, S(mmap), 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, x | w, x));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, S(mprotect), 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, x, 0));
	return rc;
}

static int
add_ioctl(scmp_filter_ctx ctx)
{
	static const uint64_t requests[] = {
	    TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO};
	size_t i;
	int rc = 0;

	for (i = 0; i < N(requests) && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, S(ioctl), 1,
		    SCMP_A1(SCMP_CMP_EQ, requests[i]));
	return rc;
}

/* Signals to ourselves (abort), names of threads, limits read, not set. */
static int
add_own(scmp_filter_ctx ctx)
{
	static const uint64_t options[] = {PR_SET_NAME, PR_GET_NAME,
	    PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP,
	    PR_CAPBSET_READ};
	const uint64_t pid = (uint64_t)getpid();
	size_t i;
	int rc;

	rc = seccomp_rule_add(
	    ctx, SCMP_ACT_ALLOW, S(kill), 1, SCMP_A0(SCMP_CMP_EQ, pid));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, S(tgkill), 1,
		    SCMP_A0(SCMP_CMP_EQ, pid));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, S(prlimit64), 1,
		    SCMP_A2(SCMP_CMP_EQ, 0));
	for (i = 0; i < N(options) && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, S(prctl), 1,
		    SCMP_A0(SCMP_CMP_EQ, options[i]));
	return rc;
}

static int
add_common(scmp_filter_ctx ctx)
{
	int rc;

	if ((rc = add_all(ctx, SCMP_ACT_ALLOW, common, N(common))) != 0 ||
	    (rc = add_all(ctx, SCMP_ACT_KILL_PROCESS, deadly, N(deadly))) !=
		0 ||
	    (rc = add_all(ctx, SCMP_ACT_ERRNO(ENOSYS), absent, N(absent))) !=
		0 ||
	    (rc = add_memory(ctx)) != 0 || (rc = add_ioctl(ctx)) != 0 ||
	    (rc = add_own(ctx)) != 0)
		return rc;
	return add_socket(ctx, AF_UNIX);
}

static int
add_keeper(scmp_filter_ctx ctx)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES), S(socket), 1,
	    SCMP_A0(SCMP_CMP_NE, AF_UNIX));
}

/* The network; rtnetlink, which getaddrinfo() asks for the host's addresses;
 * threads, but no process. */
static int
add_front(scmp_filter_ctx ctx)
{
	int rc;

	if ((rc = add_all(ctx, SCMP_ACT_ALLOW, front_only, N(front_only))) !=
		0 ||
	    (rc = add_socket(ctx, AF_INET)) != 0 ||
	    (rc = add_socket(ctx, AF_INET6)) != 0)
		return rc;
	rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, S(socket), 2,
	    SCMP_A0(SCMP_CMP_EQ, AF_NETLINK),
	    SCMP_A2(SCMP_CMP_EQ, NETLINK_ROUTE));
	if (rc != 0)
		return rc;
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, S(clone), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ,
		CLONE_THREAD | CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET |
		    CLONE_NEWPID,
		CLONE_THREAD));
}

static int
filter_load(int (*add)(scmp_filter_ctx ctx))
{
	scmp_filter_ctx ctx;
	int rc;

	if (SANITIZED)
		return CLV_OK;
	if ((ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM))) == NULL)
		return CLV_E_NOMEM;
	rc = seccomp_attr_set(
	    ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (rc == 0) /* a thread that is there already must not be forgotten */
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (rc == 0) /* a tree: a busy call is found in few comparisons */
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0)
		rc = add_common(ctx);
	if (rc == 0)
		rc = add(ctx);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc != 0) {
		errno = -rc;
		return CLV_E_SYSTEM;
	}
	return CLV_OK;
}

int
keeper_seccomp(void)
{
	return filter_load(add_keeper);
}

int
front_seccomp(void)
{
	return filter_load(add_front);
}
