/* Operator log; see log.h. */
#include "gw/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "gw/base/utf8.h"

static char log_who[32] = "perron";
static enum log_level log_least = LOG_INFO;

void log_setup(const char *who, enum log_level level)
{
    snprintf(log_who, sizeof log_who, "%s", who);
    log_least = level;
}

/* What a terminal would obey rather than show: one '?' a byte. */
static void blank(char *text, size_t n)
{
    bool shown;
    for (size_t i = 0, len; i < n; i += len) {
        len = utf8_shown(span_of(text, n), i, &shown);
        if (!shown)
            memset(text + i, '?', len);
    }
}

void log_line(enum log_level level, const char *fmt, ...)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char line[1024];
    if (level > log_least)
        return;
    struct timespec t;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &tm);
    size_t n = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(line + n, sizeof line - n, ".%03ldZ %s: %s: ", t.tv_nsec / 1000000, log_who,
                          names[level]);
    va_list ap;
    va_start(ap, fmt);
    int m = vsnprintf(line + n, sizeof line - n - 1, fmt, ap);
    va_end(ap);
    size_t end = m < 0 ? n : n + (size_t)m;
    if (end > sizeof line - 2)
        end = sizeof line - 2;
    blank(line + n, end - n);
    line[end] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, end + 1);
    (void)ignored;
}

bool log_rate_ok(struct log_rate *r, int64_t now_ms, int64_t every_ms)
{
    if (now_ms < r->next_ms) {
        r->held++;
        return false;
    }
    r->next_ms = now_ms + every_ms;
    r->held = 0;
    return true;
}
