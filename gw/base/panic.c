/* Panic; see panic.h. Everything here is async-signal-safe. */
#include "gw/base/panic.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gw/base/buf.h"
#include "gw/base/obj.h"

static void (*panic_teller)(int fd);

static void put(int fd, span s)
{
    ssize_t ignored = write(fd, s.p, s.n);
    (void)ignored;
}

void panic_put(int fd, const char *s)
{
    put(fd, span_str(s));
}

void panic_put_number(int fd, uint64_t v)
{
    uint8_t digits[DEC_MOST];
    put(fd, dec_span(v, digits));
}

static void say(const char *s)
{
    panic_put(STDERR_FILENO, s);
}

static void say_number(unsigned long v)
{
    panic_put_number(STDERR_FILENO, v);
}

static void tell_once(void)
{
    void (*tell)(int) = panic_teller;
    panic_teller = NULL;
    if (tell)
        tell(STDERR_FILENO);
}

void panic_tell(void (*tell)(int fd))
{
    panic_teller = tell;
}

void gw_panic(const char *file, int line, const char *what)
{
    say("panic: ");
    say(file);
    say(":");
    say_number((unsigned long)line);
    say(": ");
    say(what);
    say("\n");
    tell_once();
    abort();
}

static void on_signal(int sig, siginfo_t *info, void *ctx)
{
    (void)ctx;
    if (sig != SIGABRT) {
        say("panic: signal ");
        say_number((unsigned long)sig);
        say(sig == SIGSYS ? " (the sandbox refused system call " : " (address ");
        say_number(sig == SIGSYS ? (unsigned long)info->si_syscall : (unsigned long)info->si_addr);
        say(")\n");
        tell_once();
    }
    signal(sig, SIG_DFL);
    raise(sig);
}

void panic_catch_signals(void)
{
    static const int sigs[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
    struct sigaction sa = {.sa_flags = SA_SIGINFO | SA_RESETHAND};
    sa.sa_sigaction = on_signal;
    for (size_t i = 0; i < N_ELEMS(sigs); i++)
        sigaction(sigs[i], &sa, NULL);
}
