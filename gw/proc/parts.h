/* What master and compiler say to each other beside descriptors (MSG_COMPILE, MSG_COMPILED): which parts are
 * in force, and which of the new ones are new. */
#ifndef GW_PROC_PARTS_H
#define GW_PROC_PARTS_H

#include "policy/compile.h"

/* MSG_COMPILE. Descriptors: the parts of lists, where `prev`; then the CA's directory, where `ca`. */
struct parts_ask {
    bool prev, ca;
    struct manifest manifest; /* in force */
    span path;
};

/* MSG_COMPILED. Descriptors: the parts of `made`, in order; the others stay as they are. */
struct parts_answer {
    enum rc rc;
    enum lists_outcome outcome;
    uint32_t made; /* bit set of enum snap_part */
    struct manifest manifest;
};

enum rc parts_ask_put(struct buf *b, const struct parts_ask *a) MUST_USE;
enum rc parts_ask_get(span in, struct parts_ask *a) MUST_USE;
enum rc parts_answer_put(struct buf *b, const struct parts_answer *a) MUST_USE;
enum rc parts_answer_get(span in, struct parts_answer *a) MUST_USE;

#endif
