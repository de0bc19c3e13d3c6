/* The operator log: one line an entry on standard error, for the person who runs the gateway.
 * Events about users never come here (gw/siem does those). Bytes from strangers are escaped. */
#ifndef GW_BASE_LOG_H
#define GW_BASE_LOG_H

#include "gw/base/buf.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Name shown in each line ("worker 1"), and the least important level that is still written. */
void log_setup(const char *who, enum log_level level);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

/* At most one line per `every_ms` for what a stranger can provoke. Use with a static struct log_rate. */
struct log_rate {
    int64_t next_ms;
    unsigned long held;
};
bool log_rate_ok(struct log_rate *r, int64_t now_ms, int64_t every_ms);

#endif
