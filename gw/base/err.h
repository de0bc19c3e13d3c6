/* One dialect of failure: whatever can fail returns `enum rc`, and the caller must look at it.
 * Codes, classes, texts and advice come from err.tbl; rc_text() and friends never return NULL. */
#ifndef GW_BASE_ERR_H
#define GW_BASE_ERR_H

enum rc {
#define E(code, class, text, advice) RC_##code,
#include "gw/base/err.tbl"
#undef E
    RC_N
};

enum rc_class { RCC_OK, RCC_AGAIN, RCC_CLOSED, RCC_PEER, RCC_RESOURCE, RCC_CONFIG, RCC_BUG };

#define MUST_USE __attribute__((warn_unused_result))

/* Name of the code ("BAD"), its sentence, what to do about it, and its class. */
const char *rc_name(enum rc rc);
const char *rc_text(enum rc rc);
const char *rc_advice(enum rc rc);
enum rc_class rc_class(enum rc rc);

/* Pass any failure up to the caller. */
#define TRY(expr)                 \
    do {                          \
        enum rc try_rc_ = (expr); \
        if (try_rc_ != RC_OK)     \
            return try_rc_;       \
    } while (0)

#endif
